"""Votes as integrity is measured by them: with no text, voter by voter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Select, func, select

from storage.guilds import settings_by_guild
from storage.members import ASKED, EVERYWHERE
from storage.records import Consent, Outcome, Purpose, SeenVote, Side
from storage.schema import answers, battles, members, votes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from sqlalchemy import ColumnElement, FromClause, Row

    from storage.transactions import Transactions

_OTHER_SIDE = {Side.A: Side.B, Side.B: Side.A}


class SeenStore:
    """Votes for figures. Raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def all(self, *, simulated: bool = False) -> AsyncGenerator[SeenVote, None]:
        """Yield every vote of a member, by voter and then in the order of the last choices.

        Only those on `simulated` battles, or only others. One unchanging view, streamed; leave
        it early through `contextlib.aclosing`.
        """
        async with self._transactions.read() as connection:
            settings = await settings_by_guild(connection, simulated=simulated)
            async for row in await connection.stream(_seen(simulated=simulated)):
                yield _seen_vote(row, settings.get(row.guild_id, {}))


def _seen(*, simulated: bool) -> Select[tuple[object, ...]]:
    """Every member's vote with its battle, how the others voted, and the vote it mirrors."""
    same = (votes.c.battle_id, votes.c.outcome, votes.c.winner_answer_id)
    counted = select(
        votes,
        func.count().over(partition_by=votes.c.battle_id).label("ballots"),
        func.count().over(partition_by=same).label("alike"),
    ).subquery("counted")
    a, b = answers.alias("a"), answers.alias("b")
    first, first_winner = votes.alias("first"), answers.alias("first_winner")
    here, everywhere = members.alias("here"), members.alias("everywhere")
    place = func.coalesce(battles.c.guild_id, EVERYWHERE)
    voter = counted.c.voter_id
    return (
        select(
            counted,
            battles.c.guild_id,
            battles.c.purpose,
            battles.c.parent_id,
            a.c.id.label("a_id"),
            a.c.completion_tokens.label("a_tokens"),
            b.c.completion_tokens.label("b_tokens"),
            first.c.outcome.label("first_outcome"),
            first_winner.c.side.label("first_side"),
            here.c.consent.label("here"),
            everywhere.c.consent.label("everywhere"),
        )
        .join(battles, battles.c.id == counted.c.battle_id)
        .join(a, (a.c.battle_id == battles.c.id) & (a.c.side == Side.A))
        .join(b, (b.c.battle_id == battles.c.id) & (b.c.side == Side.B))
        .outerjoin(first, _mirrored(first, voter))
        .outerjoin(first_winner, first_winner.c.id == first.c.winner_answer_id)
        .outerjoin(here, _word(here, voter) & (here.c.guild_id == place))
        .outerjoin(everywhere, _word(everywhere, voter) & (everywhere.c.guild_id == EVERYWHERE))
        .where(voter > 0, battles.c.simulated if simulated else ~battles.c.simulated)
        .order_by(voter, counted.c.updated_at, counted.c.id)
    )


def _mirrored(first: FromClause, voter: ColumnElement[int]) -> ColumnElement[bool]:
    """The voter's blind vote on the battle that is mirrored."""
    mine = (first.c.battle_id == battles.c.mirror_of_id) & (first.c.voter_id == voter)
    return mine & first.c.blind


def _word(said: FromClause, voter: ColumnElement[int]) -> ColumnElement[bool]:
    """What the voter said; having been asked only is no word."""
    return (said.c.member_id == voter) & (said.c.consent_version != ASKED)


def _seen_vote(row: Row[tuple[object, ...]], settings: Mapping[str, object]) -> SeenVote:
    winner = None
    if row.winner_answer_id is not None:
        winner = Side.A if row.winner_answer_id == row.a_id else Side.B
    # Answers that go on keep their sides, so there no coin was thrown, and half is known.
    side = None if row.parent_id else winner
    consistent = None
    if row.first_outcome is not None:
        # A mirror has the same answers on the other sides.
        first = row.first_side and _OTHER_SIDE[Side(row.first_side)]
        consistent = (row.first_outcome, first) == (row.outcome, winner)
    return SeenVote(
        voter_id=row.voter_id,
        purpose=Purpose(row.purpose),
        outcome=Outcome(row.outcome),
        side=_OTHER_SIDE[side] if side and row.swapped else side,
        seconds=None if row.parent_id else row.seconds,
        tokens=(row.a_tokens, row.b_tokens),
        others=row.ballots - 1,
        agreeing=row.alike - 1,
        consistent=consistent,
        said=(
            row.here and Consent(row.here),
            row.everywhere and Consent(row.everywhere),
        ),
        settings=settings,
    )
