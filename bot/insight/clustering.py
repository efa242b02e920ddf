"""Weights and intervals that take the votes of one voter together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from bot.insight.counting import Weights
from bot.insight.results import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST_VOTERS = 5
"""With fewer voters that can be told apart no interval is claimed."""

CONFIDENCE = 0.95

ALIKE = 0.2
"""The correlation of two votes of one voter, for degrees of freedom: about what a taste makes that
moves odds by a factor of two. The variance itself supposes nothing."""


def weigh(voter: NDArray[np.int32], weights: Weights) -> Floats:
    """What each vote counts: 1/√n for a voter of n votes, or 1 where all count the same.

    A vote of NOBODY counts what votes count on average, since nobody knows how many its voter
    gave.
    """
    return _each(np.bincount(voter + 1, minlength=1), weights)[voter + 1]


def _each(given: NDArray[np.intp], weights: Weights) -> Floats:
    """The weight of a vote by voter; NOBODY is the first of them."""
    if weights is Weights.EQUAL:
        return np.ones(len(given))
    found = 1 / np.sqrt(np.maximum(given, 1))
    known = given[1:].sum()
    found[0] = given[1:] @ found[1:] / known if known else 1.0
    return np.asarray(found)


def degrees(weight: Floats, given: Floats | None = None) -> Floats:
    """Degrees of freedom where voters gave so many votes of this weight in all; at least 1.

    By column where there are several. It is the effective number of clusters, less one, if what
    a voter adds to the variance is as ALIKE says, or where nothing is said of how many votes, if
    they all go together. Source: Carter, Schnepel and Steigerwald (2017), Rev. Econ. Stat. 99,
    698-709.
    """
    added = weight * weight
    if given is not None:
        added *= ALIKE + (1 - ALIKE) / np.maximum(given, 1)
    squares = (added * added).sum(axis=0)
    found: Floats = np.maximum(added.sum(axis=0) ** 2 / np.where(squares, squares, 1) - 1, 1)
    return found


def pooled(part: float, first: Floats, second: Floats) -> Floats:
    """Degrees of freedom of a variance of which `part` has the second ones, the rest the first.

    Source: Satterthwaite (1946), Biometrics Bull. 2, 110-114.
    """
    found: Floats = 1 / ((1 - part) ** 2 / first + part**2 / second)
    return found


def quantile(freedom: float, *, comparisons: int = 1) -> float:
    """How many standard errors a 95 % interval reaches; Bonferroni's for several at once."""
    return float(stdtrit(freedom, 1 - (1 - CONFIDENCE) / 2 / comparisons))


def share(
    hits: NDArray[np.generic],
    voter: NDArray[np.int32],
    *,
    weights: Weights = Weights.CAPPED,
) -> Estimate:
    """The mean of values from 0 to 1, of which each voter gave some, with its interval.

    It is Wilson's interval for as many independent votes as would be worth the same, with
    Student's quantile. All NaN without votes; no interval with fewer than FEWEST_VOTERS known
    voters. Source: Franco, Little, Louis and Slud (2019), J. Surv. Stat. Methodol. 7, 334-364.
    """
    if not len(hits):
        return Estimate(math.nan, math.nan, math.nan)
    votes = _ByVoter(hits.astype(np.float64), voter)
    each = _each(votes.given, weights)
    weight, hit = each * votes.given, each * votes.hit
    mean = float(hit.sum() / weight.sum())
    if len(votes.given) - 1 < FEWEST_VOTERS:
        return Estimate(mean, math.nan, math.nan)
    # one voter more, of two minds, so that unanimity is not taken for certainty
    more = weight[1:].mean()
    total = weight.sum() + more
    middle = mean + (0.5 - mean) * more / total
    off, spread = votes.off(middle)
    left_out = np.append(each[1:] * off[1:] / (1 - weight[1:] / total), more * (0.5 - middle))
    alone = each * each * spread
    voters = len(left_out)
    variance = max(left_out @ left_out * (voters - 1) / voters, alone[1:].sum())
    given = votes.given[1:].astype(np.float64)
    freedom = degrees(np.append(weight[1:], more), np.append(given, given.mean()))
    if alone[0]:
        nobody = alone[0] * max(1.0, off[1:] @ off[1:] / max(spread[1:].sum(), 1e-300))
        variance += nobody
        freedom = pooled(nobody / variance, freedom, degrees(given))
    # without variance all are of two minds, each of them
    worth = float(middle * (1 - middle) * total**2 / variance) if variance else len(votes.given)
    return _wilson(mean, worth, quantile(float(freedom)))


class _ByVoter:
    """How many values each voter gave, their sums and those of their squares; NOBODY's first."""

    def __init__(self, values: Floats, voter: NDArray[np.int32]) -> None:
        place = voter + 1
        given = np.bincount(place, minlength=1)
        there = given > 0
        there[0] = True
        self.given = given[there]
        self.hit = np.bincount(place, values, len(given))[there]
        self._squares = np.bincount(place, values * values, len(given))[there]

    def off(self, middle: float) -> tuple[Floats, Floats]:
        """By voter, the sum of how far values are off this, and that of the squares."""
        off = self.hit - middle * self.given
        return off, self._squares - middle * (off + self.hit)


def _wilson(mean: float, votes: float, reach: float) -> Estimate:
    square = reach * reach / votes
    centre = (mean + square / 2) / (1 + square)
    half = math.sqrt(square * (mean * (1 - mean) + square / 4)) / (1 + square)
    return Estimate(mean, max(0.0, centre - half), min(1.0, centre + half))
