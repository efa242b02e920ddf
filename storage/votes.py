"""Votes, the log of how they came about, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, bindparam, delete, func, insert, select, update

from storage.records import (
    BattleState,
    Outcome,
    Vote,
    VoteEvent,
    VoteEventKind,
)
from storage.rows import remark_of, vote_event_of, vote_of
from storage.schema import battles, remarks, sightings, vote_events, votes
from storage.sightings import note
from storage.telling import IS_TOLD, guesses, is_told
from storage.transactions import lock_battle, upsert

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import RowMapping, Select, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Remark
    from storage.transactions import Transactions


_OTHERS = select(func.count()).where(
    votes.c.battle_id == bindparam("battle_id"), votes.c.voter_id != bindparam("member_id")
)
_OPEN_SINCE = (
    select(battles.c.opened_at)
    .where(battles.c.id == bindparam("battle_id"), battles.c.state == BattleState.OPEN)
    # SQLite knows no such lock and needs none: there a writer has the whole file.
    .with_for_update()
)


def _before() -> Select[Any]:
    """What a press depends on, at once: a statement takes longer to send than to answer."""
    battle, member = (
        bindparam("battle_id", type_=BigInteger),
        bindparam("member_id", type_=BigInteger),
    )
    # By names of their own, or the counts and conditions inside would be about these rows.
    vote, seen = votes.alias("vote"), sightings.alias("seen")
    mine = and_(vote.c.battle_id == battle, vote.c.voter_id == member)
    shown = and_(seen.c.battle_id == battle, seen.c.member_id == member)
    return (
        select(
            _OTHERS.scalar_subquery().label("others"),
            IS_TOLD.label("told"),
            seen.c.shown_at,
            seen.c.full_text_at,
            seen.c.swapped,
            *(column.label(f"vote_{column.name}") for column in vote.c),
        )
        .select_from(battles.outerjoin(vote, mine).outerjoin(seen, shown))
        .where(battles.c.id == battle)
    )


_BEFORE = _before()


@dataclass(frozen=True, slots=True)
class CastVote:
    """A stored vote, whether it replaced another choice, and how many stand on its battle.

    `told` is whether its voter knows the sides, `unsaid` whether a reason went with the
    choice that was replaced.
    """

    vote: Vote
    changed: bool
    votes: int
    told: bool
    unsaid: bool = False


@dataclass(frozen=True, slots=True)
class OwnWord:
    """One member's word on one battle: the vote, what was added to it, what they know.

    `right` of `guesses` were so far, over all battles where there was one base model to find;
    both are counted once the member is told.
    """

    vote: Vote | None
    remark: Remark | None = None
    told: bool = False
    right: int = 0
    guesses: int = 0


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
        private: bool = False,
        telling: bool = False,
    ) -> CastVote | None:
        """Store a member's choice; None, and nothing stored, where the battle is not open.

        It is on the disk when this returns. It is blind where the member was not told the
        sides, of this battle or of one with the same answers. The same choice again changes
        nothing of the vote, not even `blind`, and leaves no event. Another choice takes the
        reason away that was given for the first. `private` is whether it was made on the ballot
        that the member got alone, `telling` whether they are told the sides with it.
        Raises StorageError for a winner of another battle, and one that does not go with the
        outcome.
        """
        whose = {"battle_id": battle_id, "voter_id": voter_id}
        async with self._transactions.write(brief=True) as connection:
            opened_at = await _open_since(connection, battle_id)
            if opened_at is None:
                return None
            known = {"battle_id": battle_id, "member_id": voter_id}
            before = (await connection.execute(_BEFORE, known)).mappings().one()
            others, told, earlier = before["others"], bool(before["told"]), _earlier(before)
            if telling and not told:
                await note(connection, known | {"told_at": at})
            if earlier is not None and _choice(earlier) == (outcome, winner_answer_id):
                return CastVote(earlier, changed=False, votes=others + 1, told=told or telling)
            since = (before["shown_at"] if private else None) or opened_at
            what = {"outcome": outcome, "winner_answer_id": winner_answer_id, "blind": not told}
            marks = {
                "by_author": by_author,
                "seconds": (at - since).total_seconds(),
                "full_text": before["full_text_at"] is not None,
                "swapped": private and bool(before["swapped"]),
                "votes_before": others,
                "created_at": at,
                "updated_at": at,
            }
            values = whose | what | marks
            statement = upsert(
                connection, votes, values, key=whose, keep=("created_at",), returning=True
            )
            row = (await connection.execute(statement, values)).mappings().one()
            kind = VoteEventKind.CAST if earlier is None else VoteEventKind.CHANGE
            await connection.execute(insert(vote_events), whose | what | {"event": kind, "at": at})
            return CastVote(
                vote_of(row),
                changed=earlier is not None,
                votes=others + 1,
                told=told or telling,
                unsaid=earlier is not None and await _unsay(connection, battle_id, voter_id),
            )

    async def withdraw(self, battle_id: int, voter_id: int, *, at: datetime) -> bool:
        """Take a vote back with all that was added to it; False where there is none to take.

        What stays is the event, and that the member was told the sides. A closed battle's
        votes cannot be taken back so.
        """
        async with self._transactions.write() as connection:
            if await _open_since(connection, battle_id) is None:
                return False
            for table in (remarks, votes):
                mine = (table.c.battle_id == battle_id, table.c.voter_id == voter_id)
                done = await connection.execute(delete(table).where(*mine))
            if done.rowcount == 0:
                return False
            told = await is_told(connection, battle_id, voter_id)
            event = {"event": VoteEventKind.WITHDRAW, "blind": not told, "at": at}
            whose = {"battle_id": battle_id, "voter_id": voter_id}
            await connection.execute(insert(vote_events).values(**whose, **event))
            return True

    async def guess(
        self, battle_id: int, voter_id: int, answer_id: int | None, *, at: datetime
    ) -> Vote | None:
        """Store which answer a voter takes for the base model's, and that they are told now.

        None as `answer_id` is "not sure". Only the first word counts, and only from who was
        not told before. Returns the vote as it stands; None where there is none.
        """
        async with self._transactions.write(brief=True) as connection:
            await lock_battle(connection, battle_id)
            vote = await _find(connection, battle_id, voter_id)
            if vote is None or await is_told(connection, battle_id, voter_id):
                return vote
            mine = (votes.c.battle_id == battle_id, votes.c.voter_id == voter_id)
            guessing = update(votes).where(*mine)
            await connection.execute(
                guessing.values(guessed_at=at, guessed_base_answer_id=answer_id)
            )
            await note(connection, {"battle_id": battle_id, "member_id": voter_id, "told_at": at})
            return replace(vote, guessed_at=at, guessed_base_answer_id=answer_id)

    async def told(self, battle_id: int, member_id: int) -> bool:
        """Whether a member knows which side is which."""
        async with self._transactions.read() as connection:
            return await is_told(connection, battle_id, member_id)

    async def word(self, battle_id: int, member_id: int) -> OwnWord:
        """All that concerns a member who looks at their vote, at one moment."""
        async with self._transactions.read(brief=True) as connection:
            told = await is_told(connection, battle_id, member_id)
            right, guessed = await guesses(connection, member_id) if told else (0, 0)
            return OwnWord(
                vote=await _find(connection, battle_id, member_id),
                remark=await _remark(connection, battle_id, member_id),
                told=told,
                right=right,
                guesses=guessed,
            )

    async def remark(
        self,
        battle_id: int,
        voter_id: int,
        *,
        at: datetime,
        of: Vote | None = None,
        **said: object,
    ) -> bool:
        """Add to a vote: `reason`, `comment`, or `edit` with its `edited_answer_id`.

        What is not named stays as it is. False where there is no vote to add to, where it is
        another choice than `of` by now, and where the battle's texts were wiped.
        """
        values = {"battle_id": battle_id, "voter_id": voter_id, "at": at, **said}
        wiped = select(battles.c.wiped_because).where(battles.c.id == battle_id)
        async with self._transactions.write() as connection:
            await lock_battle(connection, battle_id)
            if await connection.scalar(wiped) is not None:
                return False
            vote = await _find(connection, battle_id, voter_id)
            if vote is None or (of is not None and _choice(vote) != _choice(of)):
                return False
            statement = upsert(connection, remarks, values, key=("battle_id", "voter_id"))
            await connection.execute(statement, values)
            return True

    async def for_battle(self, battle_id: int) -> tuple[Vote, ...]:
        """List the votes on a battle as they stand now, in the order of their first cast."""
        statement = select(votes).where(votes.c.battle_id == battle_id).order_by(votes.c.id)
        async with self._transactions.read(brief=True) as connection:
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


async def _open_since(connection: AsyncConnection, battle_id: int) -> datetime | None:
    """When a battle was opened, if it still is; voters on it wait for each other from here on."""
    return await connection.scalar(_OPEN_SINCE, {"battle_id": battle_id})


def _earlier(before: RowMapping) -> Vote | None:
    if before["vote_id"] is None:
        return None
    return vote_of({column.name: before[f"vote_{column.name}"] for column in votes.c})


def _mine(table: Table) -> Select[Any]:
    return select(table).where(
        table.c.battle_id == bindparam("battle_id"), table.c.voter_id == bindparam("member_id")
    )


_VOTE, _REMARK = _mine(votes), _mine(remarks)


async def _find(connection: AsyncConnection, battle_id: int, voter_id: int) -> Vote | None:
    whose = {"battle_id": battle_id, "member_id": voter_id}
    row = (await connection.execute(_VOTE, whose)).mappings().one_or_none()
    return None if row is None else vote_of(row)


async def _remark(connection: AsyncConnection, battle_id: int, voter_id: int) -> Remark | None:
    whose = {"battle_id": battle_id, "member_id": voter_id}
    row = (await connection.execute(_REMARK, whose)).mappings().one_or_none()
    return None if row is None else remark_of(row)


async def _unsay(connection: AsyncConnection, battle_id: int, voter_id: int) -> bool:
    """Take away the reason of a choice; an answer that was written better stays."""
    mine = (remarks.c.battle_id == battle_id, remarks.c.voter_id == voter_id)
    reasoned = update(remarks).where(*mine, remarks.c.reason.is_not(None))
    return (await connection.execute(reasoned.values(reason=None, comment=None))).rowcount == 1


def _choice(vote: Vote) -> tuple[Outcome, int | None]:
    return vote.outcome, vote.winner_answer_id
