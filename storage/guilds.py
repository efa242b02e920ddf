"""What admins set for their guild. Which settings there are, `bot/guilds.py` says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from storage.learning import mark_stale
from storage.records import Consent, SettingChange
from storage.schema import battles, exported, guilds, setting_changes, trained_on
from storage.transactions import insert_if_new

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.transactions import Transactions


CAP = "consent_cap"
"""The setting that says what members can allow at most; a Consent."""

FRESH = 1.0
"""Seconds in which settings are not read again: every press and every prompt asks for them.
So long does it take at most until another process's change is heard of here."""


_BELOW = tuple(scope for scope in Consent if not scope.includes(Consent.TRAIN))


class GuildStore:
    """Settings by guild, as JSON. Every method raises StorageError."""

    def __init__(
        self, transactions: Transactions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._read: dict[int, tuple[float, dict[str, object]]] = {}

    async def get(self, guild_id: int) -> dict[str, object]:
        """Read what was set for the guild; empty for an unknown one."""
        now = self._clock()
        read_at, settings = self._read.get(guild_id, (-FRESH, {}))
        if now - read_at >= FRESH:
            async with self._transactions.read(brief=True) as connection:
                settings = await _get(connection, guild_id)
            self._read[guild_id] = now, settings
        return dict(settings)

    async def update(
        self, guild_id: int, key: str, value: object, *, by: int, at: datetime
    ) -> dict[str, object]:
        """Change one setting, which None takes away, and return them all.

        Two changes at once both last. `by` is the member whose change is written down with
        it; what changes nothing is not. Where nothing may be learnt from in the guild after it,
        exports with its battles are stale, and so is what was trained on them.
        """
        try:
            return await self._update(guild_id, key, value, by=by, at=at)
        finally:
            self._read.pop(guild_id, None)

    async def _update(
        self, guild_id: int, key: str, value: object, *, by: int, at: datetime
    ) -> dict[str, object]:
        nothing = {"id": guild_id, "settings": {}, "updated_at": at}
        # As in `MemberStore.set_consent`.
        async with self._transactions.write(alone=key == CAP) as connection:
            # A server locks rows, so there must be one; SQLite has locked the file already.
            await connection.execute(insert_if_new(connection, guilds, nothing, key=["id"]))
            settings = await _get(connection, guild_id, lock=True)
            before = settings.pop(key, None)
            if value is not None:
                settings[key] = value
            if before != value:
                changed = guilds.update().where(guilds.c.id == guild_id)
                await connection.execute(changed.values(settings=settings, updated_at=at))
                change = {"guild_id": guild_id, "member_id": by, "setting": key, "at": at}
                values = {**change, "before": before, "after": value}
                await connection.execute(setting_changes.insert().values(values))
                if key == CAP and value in _BELOW:
                    await mark_stale(connection, await _learnt_in(connection, guild_id), at=at)
        return settings

    async def changes(self, guild_id: int, *, most: int) -> tuple[SettingChange, ...]:
        """Who changed what, the latest first."""
        statement = (
            select(setting_changes)
            .where(setting_changes.c.guild_id == guild_id)
            .order_by(setting_changes.c.id.desc())
            .limit(most)
        )
        async with self._transactions.read() as connection:
            rows = await connection.execute(statement)
        return tuple(
            SettingChange(
                member_id=row.member_id,
                setting=row.setting,
                before=row.before,
                after=row.after,
                at=row.at,
            )
            for row in rows
        )


async def _get(
    connection: AsyncConnection, guild_id: int, *, lock: bool = False
) -> dict[str, object]:
    statement = select(guilds.c.settings).where(guilds.c.id == guild_id)
    return await connection.scalar(statement.with_for_update() if lock else statement) or {}


async def _learnt_in(connection: AsyncConnection, guild_id: int) -> set[int]:
    """The battles of a guild that exports or tuned contenders have."""
    numbers = (select(table.c.battle_id) for table in (exported, trained_on))
    known = or_(*(battles.c.id.in_(of) for of in numbers))
    statement = select(battles.c.id).where(battles.c.guild_id == guild_id, known)
    return set(await connection.scalars(statement))


async def settings_by_guild(
    connection: AsyncConnection, *, simulated: bool = False
) -> dict[int | None, Mapping[str, object]]:
    """What the admins of each guild set. It binds no `simulated` members, who agree to all."""
    if simulated:
        there = select(battles.c.guild_id).where(battles.c.simulated).distinct()
        uncapped = {CAP: Consent.PUBLISH.value}
        return dict.fromkeys(await connection.scalars(there), uncapped)
    rows = await connection.execute(select(guilds.c.id, guilds.c.settings))
    return {row.id: row.settings for row in rows}
