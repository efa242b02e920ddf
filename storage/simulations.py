"""What `twofold simulate` made: which communities, where, and all of it taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, update

from storage.learning import mark_stale
from storage.records import BattleState, Standing
from storage.schema import (
    answers,
    battles,
    contenders,
    exported,
    members,
    recounts,
    remarks,
    sightings,
    simulations,
    trained_on,
    tunings,
    turns,
    unranked,
    vote_events,
    votes,
)

if TYPE_CHECKING:
    from datetime import datetime

    from storage.transactions import Transactions

LAST_ID = 2**22 - 1
"""Discord's ids begin with a time and are larger, but for the first millisecond of 2015."""

MODEL = "simulated:"
"""What the model of a contender begins with that only writes for simulated battles."""

_OF_BATTLES = (
    *(exported, trained_on, unranked),
    *(remarks, sightings, vote_events, votes, answers, turns),
)
"""What refers to battles, so that nothing is taken away before what refers to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How much was taken away."""

    battles: int
    votes: int
    members: int


class SimulationStore:
    """Simulated communities by seed. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def begin(self, seed: int, *, guild_id: int, ids: int, at: datetime) -> int | None:
        """Note a community that is about to be made; the first of its `ids` for all in it.

        None where there was one of this seed, and 0 where there are not so many ids left.
        """
        last = select(func.coalesce(func.max(simulations.c.last_id), 0))
        known = select(simulations.c.seed).where(simulations.c.seed == seed)
        async with self._transactions.write() as connection:
            if await connection.scalar(known) is not None:
                return None
            first = int(await connection.scalar(last) or 0) + 1
            if first + ids > LAST_ID:
                return 0
            values = {"seed": seed, "guild_id": guild_id, "last_id": first + ids - 1, "at": at}
            await connection.execute(insert(simulations).values(values))
            return first

    async def seeds(self) -> tuple[int, ...]:
        """The seeds of the communities that are there."""
        async with self._transactions.read() as connection:
            rows = await connection.scalars(select(simulations.c.seed).order_by(simulations.c.seed))
            return tuple(rows)

    async def battles(self) -> int:
        """Count all battles in them."""
        statement = select(func.count()).where(battles.c.simulated)
        async with self._transactions.read() as connection:
            return int(await connection.scalar(statement) or 0)

    async def interrupted(self) -> int:
        """Count the battles of members that a bot left half-answered, which it has to tell of."""
        answering = battles.c.state == BattleState.ANSWERING
        statement = select(func.count()).where(answering, ~battles.c.simulated)
        async with self._transactions.read() as connection:
            return int(await connection.scalar(statement) or 0)

    async def remove(self, *, at: datetime) -> Removed:
        """Take every simulated row away, in one transaction.

        Tuned contenders that learnt from them rest and are stale, as nobody knows any more which
        prompts must not rank them; nothing else is touched.
        """
        made = select(battles.c.id).where(battles.c.simulated)
        counts = {}
        learnt = select(trained_on.c.contender_id).where(trained_on.c.battle_id.in_(made))
        rest = update(tunings).where(tunings.c.contender_id.in_(learnt))
        async with self._transactions.write(alone=True) as connection:
            await mark_stale(connection, set(await connection.scalars(made)), at=at)
            await connection.execute(rest.values(standing=Standing.RESTING))
            for table in _OF_BATTLES:
                done = await connection.execute(delete(table).where(table.c.battle_id.in_(made)))
                counts[table.name] = done.rowcount
            for table in (battles, members):
                done = await connection.execute(delete(table).where(table.c.simulated))
                counts[table.name] = done.rowcount
            answered = exists().where(answers.c.contender_id == contenders.c.id)
            await connection.execute(
                delete(contenders).where(contenders.c.model.startswith(MODEL), ~answered)
            )
            await connection.execute(delete(simulations))
            await connection.execute(insert(recounts).values(at=at))
        return Removed(battles=counts["battles"], votes=counts["votes"], members=counts["members"])
