"""Scores and ranks, as far as votes tell them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.csgraph import connected_components

from bot.insight.clustering import FEWEST_VOTERS, quantile
from bot.insight.results import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bot.insight.davidson import Fit

    Floats = NDArray[np.float64]

POINTS = 400 / math.log(10)
"""Points for one unit of log odds."""

MEAN = 1000
"""What the scores are on average."""

FEWEST_VOTES = 10
"""With fewer votes on a contender nothing is claimed of it."""


class Ranks:
    """Where contenders stand by a fit to so many votes on each two of them.

    `told` are those with FEWEST_VOTERS known voters and FEWEST_VOTES votes at least that battles
    connect with another such one, however indirectly; of several such groups the one with the
    most votes. `order` has them first, and goes by score otherwise. Ranks are among them: one is
    surely ahead of another by more than the interval of their difference, at Bonferroni's level
    for all differences of one, so that 95 % of the ranges from best to worst hold the true rank.
    """

    def __init__(self, fit: Fit, votes: NDArray[np.int64]) -> None:
        self._fit = fit
        self.told = _told(fit.voters, votes)
        told = self.told if self.told.any() else np.ones(len(votes), bool)
        self._centre = np.zeros(len(fit.covariance))
        self._centre[: len(votes)] = told / told.sum()
        centred = fit.strengths - self._centre[: len(votes)] @ fit.strengths
        self._scores = MEAN + POINTS * centred
        self.order: list[int] = np.lexsort([-self._scores, ~self.told]).tolist()
        self._ahead = self._surely_ahead()

    def score(self, one: int) -> Estimate:
        """Points, against the mean of those that are told of."""
        value = float(self._scores[one])
        if not self.told[one]:
            return Estimate(value, math.nan, math.nan)
        error = self._fit.error(self._only(one) - self._centre)
        reach = POINTS * error * quantile(self._fit.degrees[one])
        return Estimate(value, value - reach, value + reach)

    def best(self, one: int) -> int:
        """The best rank that votes allow: behind all that are surely ahead."""
        return 1 + int(self._ahead[:, one].sum())

    def worst(self, one: int) -> int:
        """The worst rank that votes allow: before all that are surely behind."""
        of = int(self.told.sum()) if self.told[one] else len(self.told)
        return of - int(self._ahead[one].sum())

    def _only(self, one: int) -> Floats:
        return np.asarray(np.eye(1, len(self._centre), one)[0])

    def _surely_ahead(self) -> NDArray[np.bool_]:
        """Whether the one, by row, is ahead of the other by more than the interval."""
        found = np.zeros((len(self.told),) * 2, bool)
        told = [one for one in self.order if self.told[one]]
        for at, one in enumerate(told):
            for other in told[at + 1 :]:
                error = self._fit.error(self._only(one) - self._only(other))
                freedom = min(self._fit.degrees[one], self._fit.degrees[other])
                reach = POINTS * error * quantile(freedom, comparisons=len(told) - 1)
                found[one, other] = self._scores[one] - self._scores[other] > reach
        return found


def _told(voters: NDArray[np.int64], votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    enough: NDArray[np.bool_] = voters >= FEWEST_VOTERS
    enough &= votes.sum(axis=1) >= FEWEST_VOTES
    if not enough.any():
        return enough
    _, group = connected_components(votes, directed=False)
    weight = np.bincount(group, votes.sum(axis=1) * enough)
    told: NDArray[np.bool_] = enough & (group == weight.argmax())
    return told if told.sum() > 1 else np.zeros(len(told), bool)
