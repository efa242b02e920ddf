"""How often 95 % intervals cover the truth where voters are unequal and have opinions.

    python -m benchmarks.coverage --runs 500

Each run draws a society (`benchmarks/society.py`), has it vote, and asks for the leaderboard as
the bot does. Counted are the score of each contender, against the mean of all, and for each two
of them the share of decided votes that one won. The truth is what both tend to with endless
voters: fitted to what two million of them would say how often, each asked once. Beside it stands
what comes of the same votes taken as independent, each of another voter.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.society import Society
from bot.insight import davidson
from bot.insight.arena import NOBODY
from bot.insight.counting import Counting, Weights
from bot.insight.leaderboard import leaderboard
from bot.insight.ranks import MEAN, POINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bot.insight.arena import Arena
    from bot.insight.results import Estimate

SOCIETIES = (
    Society(strengths=np.array([-0.2, 0.2]), voters=15, votes=150),
    Society(strengths=np.linspace(-0.5, 0.5, 3), voters=40, votes=800),
    Society(strengths=np.linspace(-0.5, 0.5, 6), voters=200, votes=6000),
)
ENDLESS = 2_000_000
SEED = 1970


class Truth(NamedTuple):
    """What endless voters say: scores by contender, and shares by first and second."""

    scores: NDArray[np.float64]
    shares: NDArray[np.float64]


class Covered(NamedTuple):
    """The part of intervals that held the truth."""

    scores: float
    shares: float


def truth(society: Society, voters: int = ENDLESS) -> Truth:
    """What scores and shares tend to; every two contenders meet as often, on either side."""
    count = len(society.strengths)
    met = np.array(list(permutations(range(count), 2)))
    each = voters // len(met)
    chances = society.chances(np.random.default_rng(SEED), np.repeat(met, each, axis=0))
    said = chances.reshape(len(met), each, 3).sum(axis=1)
    fitted = davidson.fit(
        *np.repeat(met, 3, axis=0).T,
        np.tile(range(3), len(met)),
        count=count,
        voter=np.full(said.size, NOBODY, np.int32),
        weight=said.ravel(),
    )
    won = np.zeros((count, count))
    for (first, second), (wins, losses, _) in zip(met, said, strict=True):
        won[first, second] += wins
        won[second, first] += losses
    decided = won + won.T
    return Truth(MEAN + POINTS * fitted.strengths, won / np.where(decided, decided, 1))


def covered(known: Truth, arenas: Iterator[Arena], counting: Counting) -> Covered:
    """How often what is told of these votes holds the truth, where an interval is told."""
    scores: list[bool] = []
    shares: list[bool] = []
    for arena in arenas:
        board = leaderboard(arena, counting)
        for line in board.lines:
            scores += _held(line.score, known.scores[int(line.entrant.slug)])
        for met in board.meetings:
            shares += _held(met.ahead, known.shares[int(met.first), int(met.second)])
    return Covered(float(np.mean(scores)), float(np.mean(shares)))


def drawn(society: Society, runs: int) -> Iterator[Arena]:
    """The votes of each run, by its own seed."""
    for run in range(runs):
        yield society.arena(np.random.default_rng((SEED, society.voters, run)))


def study(society: Society, runs: int, *, voters: int = ENDLESS) -> tuple[Covered, Covered]:
    """What our intervals cover, and what those would that take votes as independent."""
    known = truth(society, voters)
    apart = (
        replace(arena, voter=np.arange(len(arena.voter), dtype=np.int32))
        for arena in drawn(society, runs)
    )
    return (
        covered(known, drawn(society, runs), Counting()),
        covered(known, apart, Counting(weights=Weights.EQUAL)),
    )


def _held(estimate: Estimate, value: float) -> list[bool]:
    return [] if np.isnan(estimate.low) else [estimate.low <= value <= estimate.high]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=500)
    runs = parser.parse_args().runs
    table = Table(
        "voters", "votes", "contenders", "scores", "as independent", "shares", "as independent"
    )
    for society in track(SOCIETIES, console=Console(stderr=True)):
        ours, naive = study(society, runs)
        table.add_row(
            f"{society.voters}",
            f"{society.votes:,}",
            f"{len(society.strengths)}",
            *(f"{value:.1%}" for pair in zip(ours, naive, strict=True) for value in pair),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
