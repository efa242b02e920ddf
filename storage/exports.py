"""Which datasets were written, and of which battles."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, func, insert, or_, select, update

from storage.guilds import CAP
from storage.members import ASKED, EVERYWHERE
from storage.records import Consent, Export
from storage.schema import (
    battles,
    exported,
    exports,
    members,
    recounts,
    setting_changes,
    turns,
    votes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, RowMapping

    from storage.transactions import Transactions

_AT_ONCE = 20_000
"""Battles that are written in one transaction: others write in between."""


class ExportStore:
    """The record of exports. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def record(
        self,
        *,
        format: str,  # noqa: A002  # the word of the table and of the command line
        purpose: Consent,
        manifest: Mapping[str, object],
        sha256: str,
        dataset: str,
        rows: Iterable[tuple[int, int]],
        at: datetime,
    ) -> int:
        """Remember an export and the battles it has rows of; return its id.

        `sha256` is that of its data, `dataset` the identity of the state that it has, in
        hex. `rows` are battles, each once, with a number of up to 63 bits that changes with
        what the export has of it. They are stored a part at a time and `dataset` with the
        last: what is broken off before is not found as an export to go on from, but what it
        has of people is known to an erasure.
        """
        values = {"format": format, "purpose": purpose, "sha256": sha256, "created_at": at}
        statement = insert(exports).values(**values, manifest=dict(manifest))
        async with self._transactions.write() as connection:
            number = (await connection.execute(statement.returning(exports.c.id))).scalar_one()
        given = ((number, battle_id, digest) for battle_id, digest in rows)
        while part := list(islice(given, _AT_ONCE)):
            async with self._transactions.write() as connection:
                # As the driver takes it: there may be hundreds of thousands.
                added = insert(exported).compile(dialect=connection.dialect)
                await connection.exec_driver_sql(str(added), part)
        whole = update(exports).where(exports.c.id == number).values(dataset=dataset)
        stale = update(exports).where(
            exports.c.id == number, exports.c.stale_since.is_(None), _left_since(number, at)
        )
        async with self._transactions.write(alone=True) as connection:
            await connection.execute(whole)
            await connection.execute(stale.values(stale_since=at))
        return int(number)

    async def all(self) -> tuple[Export, ...]:
        """Every export, oldest first, those that were not recorded to their end too."""
        async with self._transactions.read() as connection:
            rows = (await connection.execute(select(exports).order_by(exports.c.id))).mappings()
            return tuple(map(_export_of, rows))

    async def left(self) -> dict[str, bool]:
        """Whether somebody has left since, by the identity of each state.

        The newest export of a state tells: who took consent back and gave it again has left an
        earlier one of the same rows.
        """
        statement = select(exports.c.dataset, exports.c.stale_since).order_by(exports.c.id)
        async with self._transactions.read() as connection:
            rows = await connection.execute(statement.where(exports.c.dataset.is_not(None)))
            return {dataset: since is not None for dataset, since in rows}

    async def find(self, dataset: str, *, format: str, purpose: Consent) -> Export | None:  # noqa: A002
        """Find the newest export of a state in this format and for this purpose."""
        statement = (
            select(exports)
            .where(
                exports.c.dataset == dataset,
                exports.c.format == format,
                exports.c.purpose == purpose,
            )
            .order_by(exports.c.id.desc())
            .limit(1)
        )
        async with self._transactions.read() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return None if row is None else _export_of(row)

    async def newest_of(self, guild_id: int) -> tuple[Export, int] | None:
        """Find the newest export with rows of a guild, and count the guild's battles in it."""
        theirs = exported.join(battles, battles.c.id == exported.c.battle_id)
        mine = and_(battles.c.guild_id == guild_id, ~battles.c.simulated)
        some = select(1).select_from(theirs).where(mine, exported.c.export_id == exports.c.id)
        newest = select(exports).where(some.correlate(exports).exists())
        async with self._transactions.read() as connection:
            found = await connection.execute(newest.order_by(exports.c.id.desc()).limit(1))
            row = found.mappings().one_or_none()
            if row is None:
                return None
            number = select(func.count()).select_from(theirs)
            count = await connection.scalar(number.where(mine, exported.c.export_id == row["id"]))
        return _export_of(row), int(count or 0)

    async def rows(self, export_id: int) -> dict[int, int | None]:
        """Return the battles that an export has rows of, by id, with the number given for each.

        Exports that were written before there were such numbers have None.
        """
        statement = select(exported.c.battle_id, exported.c.digest).where(
            exported.c.export_id == export_id
        )
        found: dict[int, int | None] = {}
        async with self._transactions.read() as connection:
            rows = await connection.stream(statement)
            async for part in rows.partitions(_AT_ONCE):
                found.update((battle_id, digest) for battle_id, digest in part)
        return found


def _left_since(number: int, at: datetime) -> ColumnElement[bool]:
    """Whether words or votes of an export were taken back since.

    Whose votes went with an erasure is not known any more, so after any it is taken to be so.
    """
    rows = exported.join(battles, battles.c.id == exported.c.battle_id)
    of_it = select(battles.c.id).select_from(rows).where(exported.c.export_id == number)
    said, voted = (
        exists()
        .where(whose.table.c.battle_id == battles.c.id, whose == members.c.member_id)
        .correlate(battles, members)
        for whose in (turns.c.author_id, votes.c.voter_id)
    )
    there = members.c.guild_id.in_((EVERYWHERE, battles.c.guild_id))
    enough = [word for word in Consent if word.includes(Consent.TRAIN)]
    return or_(
        exists().where(
            members.c.updated_at >= at,
            members.c.consent.not_in(enough),
            members.c.consent_version != ASKED,
            of_it.where(there, or_(said, voted)).correlate(members).exists(),
        ),
        exists().where(
            setting_changes.c.at >= at,
            setting_changes.c.setting == CAP,
            of_it.where(battles.c.guild_id == setting_changes.c.guild_id)
            .correlate(setting_changes)
            .exists(),
        ),
        exists().where(recounts.c.at >= at),
        of_it.where(battles.c.wiped_because.is_not(None)).exists(),
    )


def _export_of(row: RowMapping) -> Export:
    return Export(**{**row, "purpose": row["purpose"] and Consent(row["purpose"])})
