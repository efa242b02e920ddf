"""Voters who differ in how much they vote, in taste, and in habit, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.insight.arena import NO_GUESS, PURPOSES, UNKNOWN, Arena, Entrant
from storage.records import Kind, Purpose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ACTIVITY = 1.2
"""The exponent of Pareto's law that says how unequally often people vote."""

TASTE = 0.7
"""How far a voter's own opinion of a contender is off what all think, in log odds."""

HABIT = (0.2, 0.3)
"""How far voters lean to the first side: all of them, and each more or less so."""

TIES = 0.5
"""Davidson's nu."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Society:
    """People who vote on battles between contenders of these strengths, in log odds."""

    strengths: Floats
    voters: int
    votes: int

    def arena(self, rng: np.random.Generator) -> Arena:
        """Everybody votes at least once, the others by Pareto's law, each on a battle anew."""
        keen = rng.pareto(ACTIVITY, self.voters) + 1
        given = 1 + rng.multinomial(self.votes - self.voters, keen / keen.sum())
        voter = np.repeat(np.arange(self.voters, dtype=np.int32), given)
        count = len(self.strengths)
        first = rng.integers(0, count, self.votes)
        second = (first + rng.integers(1, count, self.votes)) % count
        pairs = np.column_stack([first, second])
        reached = self.chances(rng, pairs, voter).cumsum(axis=1)[:, :2]
        return arena_of(pairs, (rng.random((self.votes, 1)) > reached).sum(axis=1), voter)

    def chances(
        self,
        rng: np.random.Generator,
        pairs: NDArray[np.integer],
        voter: NDArray[np.integer] | None = None,
    ) -> Floats:
        """How likely it is that the first wins, loses and ties, to these voters or ever others."""
        people = len(pairs) if voter is None else int(voter.max()) + 1
        who = np.arange(people) if voter is None else voter
        liked = self.strengths + rng.normal(0, TASTE, (people, len(self.strengths)))
        first, second = pairs.T
        odds = liked[who, first] - liked[who, second] + rng.normal(*HABIT, people)[who]
        scores = np.column_stack([np.exp(odds / 2), np.exp(-odds / 2), np.full(len(odds), TIES)])
        found: Floats = scores / scores.sum(axis=1, keepdims=True)
        return found


def arena_of(
    pairs: NDArray[np.integer], outcome: NDArray[np.integer], voter: NDArray[np.int32]
) -> Arena:
    """Live battles with one blind vote each."""
    battles, count = len(pairs), int(pairs.max()) + 1

    def same(value: int, kind: type[np.generic], *wide: int) -> NDArray[Any]:
        return np.full((battles, *wide), value, kind)

    return Arena(
        entrants=tuple(Entrant(slug=f"{at:02}", kind=Kind.BASE) for at in range(count)),
        templates=("transcript",),
        topics=("chat",),
        languages=("en",),
        ids=np.arange(1, int(voter.max()) + 2),
        battle=np.arange(1, battles + 1),
        guild=same(1, np.int64),
        channel=same(1, np.int64),
        purpose=same(PURPOSES.index(Purpose.LIVE), np.int8),
        day=same(20_000, np.int32),
        contender=pairs.astype(np.int16),
        template=same(0, np.int16),
        topic=same(0, np.int16),
        language=same(0, np.int16),
        characters=same(100, np.int32, 2),
        markup=same(0, np.int32, 2),
        seconds=same(1, np.float32, 2),
        mirrors=same(UNKNOWN, np.int32),
        goes_on=same(0, np.bool_),
        unranked=same(0, np.bool_),
        of=np.arange(battles, dtype=np.int32),
        voter=voter,
        outcome=outcome.astype(np.int8),
        blind=same(1, np.bool_),
        by_author=same(0, np.bool_),
        swapped=same(0, np.bool_),
        guess=same(NO_GUESS, np.int8),
        took=same(20, np.float32),
    )
