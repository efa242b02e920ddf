"""Open ballots: what is to be known of them to close them, and to pick one for a member."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, exists, func, or_, select

from storage.records import BattleState, Outcome, Purpose, Wiped
from storage.schema import battles, sightings, vote_events, votes
from storage.shards import EVERY

if TYPE_CHECKING:
    from datetime import datetime

    from storage.shards import Shards
    from storage.transactions import Transactions


AT_ONCE = 1000
"""Open battles that are read together: there may be many more than should be held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBallot:
    """An open battle, as far as it matters to when it closes.

    `voted_at` is when the last of its votes was given, `unguessed_at` when the last was whose
    voter has not guessed yet.
    """

    id: int
    guild_id: int | None
    purpose: Purpose
    opened_at: datetime
    votes: int
    voted_at: datetime | None
    unguessed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rateable:
    """A battle that one member could be shown alone.

    `dealt_at` is when they were last, `swapped` on which sides they see it. `counts` are
    the votes on it by outcome, each winner for itself, in no order.
    """

    id: int
    channel_id: int
    author_id: int
    swapped: bool = False
    dealt_at: datetime | None = None
    counts: tuple[int, ...] = ()


class BallotStore:
    """Reads only. Every method raises StorageError when the database cannot do it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def open(
        self, battle_id: int | None = None, *, shards: Shards = EVERY, after: int = 0
    ) -> tuple[OpenBallot, ...]:
        """The open battles on some shards, or only this one if it is, by id.

        Those behind `after`, at most AT_ONCE of them.
        """
        unguessed = case((votes.c.guessed_at.is_(None), votes.c.updated_at))
        statement = (
            select(
                battles.c.id,
                battles.c.guild_id,
                battles.c.purpose,
                battles.c.opened_at,
                func.count(votes.c.id).label("votes"),
                func.max(votes.c.updated_at).label("voted_at"),
                func.max(unguessed).label("unguessed_at"),
            )
            .outerjoin(votes, votes.c.battle_id == battles.c.id)
            .where(battles.c.state == BattleState.OPEN, shards.clause(battles.c.guild_id))
            .where(battles.c.id > after)
            .group_by(battles.c.id)
            .order_by(battles.c.id)
            .limit(AT_ONCE)
        )
        if battle_id is not None:
            statement = statement.where(battles.c.id == battle_id)
        async with self._transactions.read(brief=battle_id is not None) as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return tuple(OpenBallot(**{**row, "purpose": Purpose(row["purpose"])}) for row in rows)

    async def unrevealed(self, shards: Shards = EVERY) -> tuple[int, ...]:
        """The battles on some shards whose message does not tell yet that they ended, by id.

        Those have closed, or were withdrawn when they were on show already. Simulated ones have
        no message.
        """
        withdrawn = and_(
            battles.c.state == BattleState.CANCELLED,
            battles.c.shown_message_id.is_not(None),
            battles.c.wiped_because.in_((Wiped.DELETED, Wiped.ERASED)),
        )
        statement = (
            select(battles.c.id)
            .where(or_(battles.c.state == BattleState.CLOSED, withdrawn))
            .where(battles.c.revealed_at.is_(None), ~battles.c.simulated)
            .where(shards.clause(battles.c.guild_id))
            .order_by(battles.c.id)
        )
        async with self._transactions.read() as connection:
            return tuple(await connection.scalars(statement))

    async def rateable(self, guild_id: int, member_id: int) -> tuple[Rateable, ...]:
        """A guild's open battles on show that a member neither voted on nor was told of, by id.

        Those are left out too from which the member withdrew a vote.
        """
        mine = and_(sightings.c.battle_id == battles.c.id, sightings.c.member_id == member_id)
        acted = exists().where(
            vote_events.c.battle_id == battles.c.id, vote_events.c.voter_id == member_id
        )
        statement = (
            select(
                battles.c.id,
                battles.c.channel_id,
                battles.c.author_id,
                func.coalesce(sightings.c.swapped, False).label("swapped"),
                sightings.c.shown_at,
                func.count(votes.c.id).label("given"),
            )
            .outerjoin(sightings, mine)
            .outerjoin(votes, votes.c.battle_id == battles.c.id)
            .where(
                battles.c.state == BattleState.OPEN,
                battles.c.guild_id == guild_id,
                battles.c.purpose != Purpose.MIRROR,
                battles.c.shown_message_id.is_not(None),
                battles.c.wiped_because.is_(None),
                sightings.c.told_at.is_(None),
                ~acted,
            )
            .group_by(
                battles.c.id,
                sightings.c.swapped,
                sightings.c.shown_at,
                votes.c.outcome,
                votes.c.winner_answer_id,
            )
            .order_by(battles.c.id)
        )
        async with self._transactions.read() as connection:
            rows = (await connection.execute(statement)).all()
        found = []
        for _, group in groupby(rows, key=attrgetter("id")):
            first, *others = group
            found.append(
                Rateable(
                    id=first.id,
                    channel_id=first.channel_id,
                    author_id=first.author_id,
                    swapped=bool(first.swapped),
                    dealt_at=first.shown_at,
                    counts=tuple(row.given for row in (first, *others) if row.given),
                )
            )
        return tuple(found)

    async def mirrorable(
        self, guild_id: int, member_id: int, *, before: datetime
    ) -> tuple[Rateable, ...]:
        """A guild's live battles that a member preferred an answer of, last before a time, by id.

        With the sides as the member saw them then. Left out are those whose texts are gone,
        and those that the member was shown mirrored already.
        """
        mirrors = battles.alias()
        mirrored = (
            exists()
            .where(mirrors.c.mirror_of_id == battles.c.id)
            .where(sightings.c.battle_id == mirrors.c.id, sightings.c.member_id == member_id)
        )
        statement = (
            select(battles.c.id, battles.c.channel_id, battles.c.author_id, votes.c.swapped)
            .join(votes, votes.c.battle_id == battles.c.id)
            .where(
                votes.c.voter_id == member_id,
                votes.c.outcome == Outcome.WIN,
                votes.c.updated_at <= before,
                battles.c.guild_id == guild_id,
                battles.c.purpose == Purpose.LIVE,
                battles.c.state.in_((BattleState.OPEN, BattleState.CLOSED)),
                battles.c.wiped_because.is_(None),
                ~mirrored,
            )
            .order_by(battles.c.id)
        )
        async with self._transactions.read() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return tuple(Rateable(**row) for row in rows)
