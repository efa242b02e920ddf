"""Erasing a person: every row, id and text of theirs, in one transaction.

What becomes of a row is said where its column is declared: `info={"erasing": …}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import JSON, Text, cast, delete, func, insert, or_, select, update

from storage.learning import battles_of, mark_stale
from storage.members import allowing
from storage.people import personal_columns
from storage.records import NOBODY, BattleState, Consent, Wiped
from storage.retention import cancel
from storage.schema import (
    CleanText,
    answers,
    battles,
    exported,
    exports,
    recounts,
    remarks,
    turns,
    votes,
)
from storage.transactions import in_parts
from storage.wiping import wipe

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.retention import Withdrawn
    from storage.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleExport:
    """A dataset that was written earlier and has rows of an erased person."""

    id: int
    created_at: datetime
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure did.

    `rows` counts by table the rows that were taken away or freed of the person's id,
    `wiped` the battles whose texts were wiped. `withdrawn` are battles that were still at
    work, `exports` the datasets to be written again, `tuned` the slugs of the contenders that
    learnt from what was erased. `overwritten` is whether nothing is left in the file: where
    somebody was reading, it is in SQLite's log until the next round of retention.
    """

    rows: dict[str, int]
    wiped: int
    withdrawn: tuple[Withdrawn, ...]
    exports: tuple[StaleExport, ...]
    tuned: tuple[str, ...] = ()
    overwritten: bool = True


class ErasureStore:
    """Erases. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def erase(self, member_id: int, *, at: datetime) -> Erasure:
        """Erase a person from every table, and each battle's texts that have words or id of theirs.

        Open battles of theirs, and those being answered that have their words, are
        cancelled, other open ones closed. Votes of others stay.
        """
        async with self._transactions.read() as connection:
            last = await connection.scalar(select(func.max(battles.c.id))) or 0
            named = await _named(connection, member_id)
        async with self._transactions.write(alone=True) as connection:
            # The texts of before were searched without the lock; what came since is little.
            named |= await _named(connection, member_id, after=last)
            held = await _ids(connection, turns.c.battle_id, turns.c.author_id == member_id)
            own = await _ids(connection, battles.c.id, battles.c.author_id == member_id)
            voted = await _ids(connection, votes.c.battle_id, votes.c.voter_id == member_id)
            wiped = named | held | own
            ending = own & await _in_state(connection, BattleState.OPEN)
            ending |= wiped & await _in_state(connection, BattleState.ANSWERING)
            stale = await _stale(connection, wiped | voted)
            agreed = await allowing(connection, member_id, Consent.TRAIN)
            learnable = wiped | await battles_of(connection, member_id, agreed)
            tuned = await mark_stale(connection, learnable, at=at)
            rows = await _rows(connection, member_id)
            withdrawn = await cancel(connection, ending, at=at)
            await wipe(connection, wiped, Wiped.ERASED, at=at)
            if voted or wiped:
                await connection.execute(insert(recounts).values(at=at))
        return Erasure(
            rows=rows,
            wiped=len(wiped),
            withdrawn=withdrawn,
            exports=stale,
            tuned=tuned,
            overwritten=await self._transactions.checkpoint(),
        )

    async def rewrite_file(self) -> bool:
        """Have SQLite write its file anew, without what was freed; other databases do not need it.

        Nothing else can be written meanwhile. False where somebody was reading, so that some
        of it is in SQLite's log.
        """
        return await self._transactions.vacuum()


async def _rows(connection: AsyncConnection, member_id: int) -> dict[str, int]:
    """Take the person's rows away, or the id out of them; children go before parents."""
    rows: dict[str, int] = {}
    for column in personal_columns():
        table: Table = column.table
        theirs = column == member_id
        if column.info["erasing"] == "delete":
            done = await connection.execute(delete(table).where(theirs))
        else:
            done = await connection.execute(
                update(table).where(theirs).values({column.name: NOBODY})
            )
        rows[table.name] = done.rowcount
    return rows


async def _named(connection: AsyncConnection, member_id: int, *, after: int = 0) -> set[int]:
    """The battles in whose texts the id stands, as in a mention; those after a battle.

    A remark may be new on an old battle, and remarks are few: all of them are searched.
    """
    whole = re.compile(rf"(?<![0-9]){member_id}(?![0-9])")
    found: set[int] = set()
    for table, battle_id, since in (
        (battles, battles.c.id, after),
        (answers, answers.c.battle_id, after),
        (remarks, remarks.c.battle_id, 0),
    ):
        texts = [cast(column, Text) for column in table.columns if _is_text(column)]
        somewhere = or_(*(text.contains(str(member_id)) for text in texts))
        statement = select(battle_id, *texts).where(battle_id > since, somewhere)
        async for number, *said in await connection.stream(statement):
            if any(whole.search(text or "") for text in said):
                found.add(number)
    return found


def _is_text(column: Column[object]) -> bool:
    return isinstance(column.type, CleanText | JSON)


async def _ids(
    connection: AsyncConnection, column: Column[int], condition: ColumnElement[bool]
) -> set[int]:
    return set(await connection.scalars(select(column).where(condition)))


async def _in_state(connection: AsyncConnection, state: BattleState) -> set[int]:
    return await _ids(connection, battles.c.id, battles.c.state == state)


async def _stale(connection: AsyncConnection, battle_ids: set[int]) -> tuple[StaleExport, ...]:
    join = select(exports.c.id, exports.c.created_at, exports.c.format).join(
        exported, exported.c.export_id == exports.c.id
    )
    found = {
        StaleExport(id=number, created_at=at, format=name)
        for ids in in_parts(battle_ids)
        for number, at, name in await connection.execute(
            join.where(exported.c.battle_id.in_(ids)).distinct()
        )
    }
    return tuple(sorted(found, key=lambda export: export.id))
