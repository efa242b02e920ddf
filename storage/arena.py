"""Closed battles and their votes as rankings count them: with no text, as plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, case, func, select

from storage.lists import all_of, array, day, number, text
from storage.records import BattleState, Kind, Outcome, Side
from storage.schema import answers, battles, contenders, recounts, votes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
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
    "votes",
)
"""What a row of a page holds, in this order; `votes` is a list of lists as VOTE says.

`day` is that of the closing, as `2026-11-01`. `characters` and `markup` are -1 where the text
was gone before they were counted. `goes_on` is 1 where the answers went on from a battle's, on
the same sides.
"""

VOTE = ("voter_id", "outcome", "blind", "by_author", "swapped", "guess", "seconds")
"""What a vote holds.

`outcome` is 0 for the answer on A, 1 for that on B, 2 for a tie, 3 for both bad. `swapped` is 1
where the voter saw the sides exchanged. `guess` is -1 where there was none, or not one base
model to find, 0 for "not sure", 1 for right and 2 for wrong. The ids of voters who did not agree
to be kept are below zero, another one for each vote.
"""


class ArenaStore:
    """Reads what rankings are made of. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def recounts(self) -> int:
        """Count how often votes were taken away that may have been counted already."""
        async with self._transactions.read() as connection:
            return int(await connection.scalar(select(func.max(recounts.c.id))) or 0)

    async def newest(self) -> datetime | None:
        """When the last battle was closed."""
        statement = select(func.max(battles.c.closed_at)).where(
            battles.c.state == BattleState.CLOSED
        )
        async with self._transactions.read() as connection:
            found: datetime | None = await connection.scalar(statement)
        return found

    async def contenders(self) -> dict[int, tuple[str, Kind]]:
        """Every contender's slug and kind, by id."""
        statement = select(contenders.c.id, contenders.c.slug, contenders.c.kind)
        async with self._transactions.read() as connection:
            rows = await connection.execute(statement)
            return {row.id: (row.slug, Kind(row.kind)) for row in rows}

    async def pages(
        self, *, simulated: bool = False, since: datetime | None = None
    ) -> AsyncGenerator[list[list[Any]], None]:
        """Yield rows as BATTLE says, by id, of battles that were closed at `since` or later.

        Only simulated ones, or only others. One unchanging view, streamed; leave it early
        through `contextlib.aclosing`.
        """
        async with self._transactions.read() as connection:
            dialect = connection.dialect.name
            page = _page(dialect, simulated=simulated, since=since)
            last = 0
            while True:
                listed = await connection.scalar(page, {"after": last})
                rows = orjson.loads(listed)
                if not rows:
                    return
                for row in rows:
                    row[-1] = orjson.loads(row[-1])
                rows.sort(key=lambda row: row[0])
                last = rows[-1][0]
                yield rows


def _page(dialect: str, *, simulated: bool, since: datetime | None) -> Select[Any]:
    a, b = answers.alias("a"), answers.alias("b")
    vote = array(
        dialect,
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
    given = select(all_of(dialect, vote)).where(votes.c.battle_id == battles.c.id)
    columns: tuple[ColumnElement[Any], ...] = (
        battles.c.id,
        battles.c.guild_id,
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
        battles.c.mirror_of_id,
        number(battles.c.parent_id.is_not(None)),
        given.scalar_subquery(),
    )
    rows = (
        select(*(column.label(f"c{index}") for index, column in enumerate(columns)))
        .join(a, (a.c.battle_id == battles.c.id) & (a.c.side == Side.A))
        .join(b, (b.c.battle_id == battles.c.id) & (b.c.side == Side.B))
        .where(battles.c.id > bindparam("after"), battles.c.state == BattleState.CLOSED)
        .where(battles.c.simulated if simulated else ~battles.c.simulated)
        .order_by(battles.c.id)
        .limit(PAGE)
    )
    if since is not None:
        rows = rows.where(battles.c.closed_at >= since)
    page = rows.subquery("page")
    return select(all_of(dialect, array(dialect, *page.c)))
