"""Votes, the log of how they came about, and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, exists, func, insert, or_, select

from storage.records import (
    BattleState,
    Kind,
    Outcome,
    Purpose,
    Standing,
    Vote,
    VoteEvent,
    VoteEventKind,
)
from storage.rows import vote_event_of, vote_of
from storage.schema import answers, battles, contenders, vote_events, votes
from storage.transactions import upsert

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.transactions import Transactions


class VoteStore:
    """One vote a member and battle, changeable; every change leaves an event.

    Every method raises StorageError when the database cannot do it.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def cast(  # a vote's facts, all by keyword
        self,
        *,
        battle_id: int,
        voter_id: int,
        outcome: Outcome,
        winner_answer_id: int | None,
        by_author: bool,
        at: datetime,
    ) -> tuple[Vote, bool]:
        """Store a member's choice; the vote as it stands now, and whether that was a change.

        It is on the disk when this returns. It is blind where the member was not told the
        sides, as a vote on this battle or on one that it is continued from or in does. The
        same choice again changes nothing, not even `blind`, and leaves no event. Raises
        StorageError for an unknown battle, a winner of another battle, and a winner that
        does not go with the outcome.
        """
        whose = {"battle_id": battle_id, "voter_id": voter_id}
        async with self._transactions.write() as connection:
            await _hold(connection, battle_id)
            earlier = await _find(connection, battle_id, voter_id)
            if earlier is not None and _choice(earlier) == (outcome, winner_answer_id):
                return earlier, False
            told = await connection.scalar(select(_told(battle_id, voter_id)))
            what = {"outcome": outcome, "winner_answer_id": winner_answer_id, "blind": not told}
            statement = upsert(
                connection,
                votes,
                whose | what | {"by_author": by_author, "created_at": at, "updated_at": at},
                key=("battle_id", "voter_id"),
                keep=("created_at",),
            )
            row = (await connection.execute(statement.returning(votes))).mappings().one()
            kind = VoteEventKind.CAST if earlier is None else VoteEventKind.CHANGE
            await connection.execute(insert(vote_events).values(**whose, **what, event=kind, at=at))
            return vote_of(row), earlier is not None

    async def for_battle(self, battle_id: int) -> tuple[Vote, ...]:
        """List the votes on a battle as they stand now, in the order of their first cast."""
        statement = select(votes).where(votes.c.battle_id == battle_id).order_by(votes.c.id)
        async with self._transactions.read() as connection:
            return tuple(map(vote_of, (await connection.execute(statement)).mappings()))

    async def events(self, battle_id: int) -> tuple[VoteEvent, ...]:
        """List all that happened to the votes of a battle, oldest first."""
        statement = (
            select(vote_events)
            .where(vote_events.c.battle_id == battle_id)
            .order_by(vote_events.c.id)
        )
        async with self._transactions.read() as connection:
            return tuple(map(vote_event_of, (await connection.execute(statement)).mappings()))

    async def standings(self, guild_id: int | None) -> tuple[Standing, ...]:
        """Add up each contender's votes as they stand, by slug; one without votes is left out.

        Counted are live battles that are open or closed, of one guild, or of all for None.
        """
        won = votes.c.winner_answer_id == answers.c.id
        lost = votes.c.winner_answer_id != answers.c.id
        statement = (
            select(
                contenders.c.slug,
                contenders.c.kind,
                _times(won),
                _times(lost),
                _times(votes.c.outcome == Outcome.TIE),
                _times(votes.c.outcome == Outcome.BOTH_BAD),
            )
            .select_from(votes)
            .join(battles, battles.c.id == votes.c.battle_id)
            .join(answers, answers.c.battle_id == battles.c.id)
            .join(contenders, contenders.c.id == answers.c.contender_id)
            .where(*_counted(guild_id))
            .group_by(contenders.c.slug, contenders.c.kind)
            .order_by(contenders.c.slug)
        )
        async with self._transactions.read() as connection:
            rows = (await connection.execute(statement)).all()
        return tuple(
            Standing(
                contender=slug, kind=Kind(kind), wins=wins, losses=losses, ties=ties, both_bad=bad
            )
            for slug, kind, wins, losses, ties, bad in rows
        )

    async def count_not_blind(self, guild_id: int | None) -> int:
        """Count the counted votes that were cast or changed after the reveal."""
        join = (
            select(func.count())
            .select_from(votes)
            .join(battles, battles.c.id == votes.c.battle_id)
            .where(*_counted(guild_id), ~votes.c.blind)
        )
        async with self._transactions.read() as connection:
            return int(await connection.scalar(join) or 0)


async def _hold(connection: AsyncConnection, battle_id: int) -> None:
    """Let voters on a battle wait for each other where the database serves several at once."""
    # SQLite knows no such lock and needs none: there a writer has the whole file.
    statement = select(battles.c.id).where(battles.c.id == battle_id)
    await connection.execute(statement.with_for_update())


async def _find(connection: AsyncConnection, battle_id: int, voter_id: int) -> Vote | None:
    statement = select(votes).where(votes.c.battle_id == battle_id, votes.c.voter_id == voter_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else vote_of(row)


def _told(battle_id: int, voter_id: int) -> ColumnElement[bool]:
    """Whether a member ever voted on the battle, or on one that it is continued from or in."""
    family = (
        select(battles.c.id, battles.c.parent_id)
        .where(battles.c.id == battle_id)
        .cte(recursive=True)
    )
    family = family.union(
        select(battles.c.id, battles.c.parent_id).join(
            family, or_(battles.c.parent_id == family.c.id, battles.c.id == family.c.parent_id)
        )
    )
    return exists().where(
        vote_events.c.voter_id == voter_id, vote_events.c.battle_id.in_(select(family.c.id))
    )


def _choice(vote: Vote) -> tuple[Outcome, int | None]:
    return vote.outcome, vote.winner_answer_id


def _times(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _counted(guild_id: int | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        battles.c.purpose == Purpose.LIVE,
        battles.c.state.in_((BattleState.OPEN, BattleState.CLOSED)),
    ]
    if guild_id is not None:
        conditions.append(battles.c.guild_id == guild_id)
    return conditions
