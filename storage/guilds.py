"""What admins set for their guild. Which settings there are, `bot/guilds.py` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.schema import guilds
from storage.transactions import insert_if_new, upsert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.transactions import Transactions


class GuildStore:
    """Settings by guild, as JSON. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def get(self, guild_id: int) -> dict[str, object]:
        """Read what was set for the guild; empty for an unknown one."""
        async with self._transactions.read() as connection:
            return await _get(connection, guild_id)

    async def update(
        self, guild_id: int, key: str, value: object, *, at: datetime
    ) -> dict[str, object]:
        """Change one setting and return them all; two changes at once both last."""
        nothing = {"id": guild_id, "settings": {}, "updated_at": at}
        async with self._transactions.write() as connection:
            # A server locks rows, so there must be one; SQLite has locked the file already.
            await connection.execute(insert_if_new(connection, guilds, nothing, key=["id"]))
            settings = await _get(connection, guild_id, lock=True) | {key: value}
            await _set(connection, guild_id, settings, at)
        return settings


async def _get(
    connection: AsyncConnection, guild_id: int, *, lock: bool = False
) -> dict[str, object]:
    statement = select(guilds.c.settings).where(guilds.c.id == guild_id)
    return await connection.scalar(statement.with_for_update() if lock else statement) or {}


async def _set(
    connection: AsyncConnection, guild_id: int, settings: Mapping[str, object], at: datetime
) -> None:
    values = {"id": guild_id, "settings": dict(settings), "updated_at": at}
    await connection.execute(upsert(connection, guilds, values, key=["id"]))
