"""Closed battles and their votes as rankings count them: with no text, as plain numbers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import bindparam, case, exists, func, select

from storage.lists import all_of, day, number, text
from storage.records import BattleState, Kind, Outcome
from storage.schema import answers, battles, contenders, recounts, unranked, votes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select

    from storage.transactions import Transactions

PAGE = 2_000
"""Battles that are read at once."""

BATTLE = (
    "id",
    "guild_id",
    "channel_id",
    "purpose",
    "day",
    "contender_a",
    "contender_b",
    "kind_a",
    "kind_b",
    "template_a",
    "template_b",
    "topic",
    "language",
    "characters_a",
    "characters_b",
    "markup_a",
    "markup_b",
    "seconds_a",
    "seconds_b",
    "mirror_of_id",
    "goes_on",
    "unranked",
)
"""The columns of battles.

`day` is that of the closing, as `2026-11-01`. `characters` and `markup` are -1 where the text
was gone before they were counted. `goes_on` is 1 where the answers went on from a battle's, on
the same sides, `unranked` 1 where a tuned contender had learnt from the prompt.
"""

VOTE = (
    "battle_id",
    "voter_id",
    "outcome",
    "blind",
    "by_author",
    "swapped",
    "guess",
    "seconds",
)
"""The columns of votes.

`outcome` is 0 for the answer on A, 1 for that on B, 2 for a tie, 3 for both bad. `swapped` is 1
where the voter saw the sides exchanged. `guess` is -1 where there was none, or not one base
model to find, 0 for "not sure", 1 for right and 2 for wrong. The ids of voters who did not agree
to be kept are below zero, another one for each vote.
"""

Columns = dict[str, list[Any]]


class Page(NamedTuple):
    """Some battles and the votes on them, as columns: see BATTLE and VOTE."""

    battles: Columns
    votes: Columns


class Extent(NamedTuple):
    """How much there is to read, which tells whether what was read before is still all.

    `recounts` is how often what may have been read already changed: somebody was erased, or a
    tuned contender turned out to have learnt from it. `closed` is how many battles are
    closed, `newest` when the last one was.
    """

    recounts: int
    closed: int
    newest: datetime | None


class Named(NamedTuple):
    """What a contender is called, and what it was trained from, if it was."""

    slug: str
    kind: Kind
    parent: str | None


class ArenaStore:
    """Reads what rankings are made of. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def extent(self, *, simulated: bool = False) -> Extent:
        """How much there is of simulated battles, or of others."""
        statement = select(
            select(func.coalesce(func.max(recounts.c.id), 0)).scalar_subquery(),
            func.count(),
            func.max(battles.c.closed_at),
        ).where(*_closed(simulated=simulated))
        async with self._transactions.read() as connection:
            return Extent(*(await connection.execute(statement)).one())

    async def contenders(self) -> dict[int, Named]:
        """Every contender's slug, kind and parent, by id."""
        statement = select(
            contenders.c.id, contenders.c.slug, contenders.c.kind, contenders.c.parent
        )
        async with self._transactions.read() as connection:
            rows = await connection.execute(statement)
            return {row.id: Named(row.slug, Kind(row.kind), row.parent) for row in rows}

    async def pages(
        self, *, simulated: bool = False, since: datetime | None = None
    ) -> AsyncGenerator[Page, None]:
        """Yield battles that were closed at `since` or later, by id, with their votes.

        Only simulated ones, or only others. One unchanging view, streamed; leave it early
        through `contextlib.aclosing`.
        """
        async with self._transactions.read() as connection:
            dialect = connection.dialect.name
            conditions = _closed(simulated=simulated)
            if since is not None:
                conditions = (*conditions, battles.c.closed_at >= since)
            some, given = _battles(dialect, conditions), _votes(dialect, conditions)
            last = 0
            while True:
                where = {"after": last}
                lists = (await connection.execute(some, where)).one()
                found = await asyncio.to_thread(_columns, BATTLE, lists)
                if not found["id"]:
                    return
                last = max(found["id"])
                lists = (await connection.execute(given, where | {"last": last})).one()
                yield Page(found, await asyncio.to_thread(_columns, VOTE, lists))


def _closed(*, simulated: bool) -> tuple[ColumnElement[bool], ...]:
    kind = battles.c.simulated if simulated else ~battles.c.simulated
    return kind, battles.c.state == BattleState.CLOSED


def _battles(dialect: str, conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
    a, b = answers.alias("a"), answers.alias("b")
    columns = (
        battles.c.id,
        func.coalesce(battles.c.guild_id, 0),
        battles.c.channel_id,
        text(battles.c.purpose),
        day(battles.c.closed_at),
        a.c.contender_id,
        b.c.contender_id,
        text(a.c.kind),
        text(b.c.kind),
        a.c.template,
        b.c.template,
        battles.c.topic,
        battles.c.language,
        func.coalesce(a.c.characters, -1),
        func.coalesce(b.c.characters, -1),
        func.coalesce(a.c.markup, -1),
        func.coalesce(b.c.markup, -1),
        a.c.seconds,
        b.c.seconds,
        func.coalesce(battles.c.mirror_of_id, 0),
        number(battles.c.parent_id.is_not(None)),
        number(exists().where(unranked.c.battle_id == battles.c.id)),
    )
    rows = (
        select(*_named(BATTLE, columns))
        .join(a, a.c.battle_id == battles.c.id)
        .join(b, (b.c.battle_id == battles.c.id) & (b.c.side > a.c.side))
        .where(battles.c.id > bindparam("after"), *conditions)
        .order_by(battles.c.id)
        .limit(PAGE)
    )
    return _listed(dialect, rows)


def _votes(dialect: str, conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
    a, b = answers.alias("a"), answers.alias("b")
    within = (battles.c.id > bindparam("after"), battles.c.id <= bindparam("last"))
    # By itself, so that it is read from an index, and not where the long texts are.
    page = select(battles.c.id).where(*within, *conditions).subquery("page")
    columns = (
        page.c.id,
        votes.c.voter_id,
        case(
            (votes.c.winner_answer_id == a.c.id, 0),
            (votes.c.winner_answer_id == b.c.id, 1),
            (votes.c.outcome == Outcome.TIE, 2),
            else_=3,
        ),
        number(votes.c.blind),
        number(votes.c.by_author),
        number(votes.c.swapped),
        case(
            (votes.c.guessed_at.is_(None), -1),
            ((a.c.kind == Kind.BASE) == (b.c.kind == Kind.BASE), -1),
            (votes.c.guessed_base_answer_id.is_(None), 0),
            ((votes.c.guessed_base_answer_id == a.c.id) == (a.c.kind == Kind.BASE), 1),
            else_=2,
        ),
        votes.c.seconds,
    )
    rows = (
        select(*_named(VOTE, columns))
        .select_from(page)
        .join(a, a.c.battle_id == page.c.id)
        .join(b, (b.c.battle_id == page.c.id) & (b.c.side > a.c.side))
        .join(votes, votes.c.battle_id == page.c.id)
    )
    return _listed(dialect, rows)


def _named(
    names: Sequence[str], columns: Iterable[ColumnElement[Any]]
) -> Iterable[ColumnElement[Any]]:
    return (column.label(name) for name, column in zip(names, columns, strict=True))


def _listed(dialect: str, rows: Select[Any]) -> Select[Any]:
    """Each column as one list: whole numbers in a row are read in no time."""
    columns = rows.subquery("listed").c
    lists: list[ColumnElement[Any]] = [all_of(dialect, column) for column in columns]
    return select(*lists)


def _columns(names: Sequence[str], lists: Iterable[str]) -> Columns:
    return {name: orjson.loads(values) for name, values in zip(names, lists, strict=True)}
