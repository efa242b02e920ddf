"""How the scores went over time, by Elo: a moving picture, which ranks nobody.

Elo depends on the order of the votes and never comes to rest; see `leaderboard.py` for what
the votes say all together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bot.insight.arena import A, B
from bot.insight.choosing import chosen, ranked
from bot.insight.results import Course

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from numpy.typing import NDArray

    from bot.insight.arena import Arena
    from bot.insight.counting import Counting

BEGIN = 1000.0
STEP = 4.0
"""What a vote can move at most, as in the first LMSYS arena: a vote between equals moves 2."""

POINTS = 120
"""Days that are told at most, evenly thinned out; the last one is always there."""


def course(arena: Arena, counting: Counting) -> Course:
    """Scores of all who were in counted votes, after the last vote of each day that had any.

    Votes come by day, those of a day by battle; ties count half, and so do both bad unless
    they are left out. Votes are not weighed. Source: Elo (1978), The Rating of Chessplayers,
    with the logistic curve.
    """
    live = ranked(chosen(arena, counting), counting)
    of_vote = live.day[live.of]
    order = np.argsort(of_vote, kind="stable")
    days, ends = _ends(of_vote[order])
    first, second = live.first[order], live.second[order]
    got = np.select([live.outcome == A, live.outcome == B], [1.0, 0.0], 0.5)[order]
    scores = [BEGIN] * len(live.entrants)
    came = np.full(len(live.entrants), len(order))
    for side in (first, second):
        entrants, at = np.unique(side, return_index=True)
        came[entrants] = np.minimum(came[entrants], at)
    told = []
    start = 0
    for end in ends:
        part = slice(start, end)
        columns = (column[part].tolist() for column in (first, second, got))
        _play(scores, zip(*columns, strict=True))
        told.append(np.where(came < end, scores, math.nan))
        start = end
    there = np.flatnonzero(came < len(order))
    return Course(
        days=tuple(days),
        scores={live.entrants[at].slug: tuple(float(row[at]) for row in told) for at in there},
    )


def _ends(of_vote: NDArray[np.int32]) -> tuple[list[date], list[int]]:
    """The days that are told, and how many votes came up to the end of each."""
    days, counts = np.unique(of_vote, return_counts=True)
    kept = np.unique(np.linspace(0, len(days) - 1, min(len(days), POINTS)).round().astype(int))
    return days[kept].astype("datetime64[D]").tolist(), np.cumsum(counts)[kept].tolist()


def _play(scores: list[float], votes: Iterable[tuple[int, int, float]]) -> None:
    for first, second, got in votes:
        expected = 1 / (1 + 10 ** ((scores[second] - scores[first]) / 400))
        moved = STEP * (got - expected)
        scores[first] += moved
        scores[second] -= moved
