"""Strengths from votes, ties included: Bradley and Terry's model as Davidson extends it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bot.insight.design import TIE, rows_of
from bot.insight.sandwich import Votes, clustered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bot.insight.design import Design, Floats

RIDGE = 0.1
"""How much every parameter is drawn to 0, as if it were known to within 1/√0.1 beforehand."""

_STEPS = 100
_FARTHEST = 2.0
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Strengths of contenders on the scale of log odds, and how sure they are.

    `strengths` have the mean 0. Two equal ones tie in `tie` of votes. `effects` are what a unit
    of each feature adds to the first one's strength. `covariance` is of strengths and then
    effects; `alone` what it would be if every vote were of another voter. `degrees` of freedom
    are by contender, the last ones for effects; `voters` are the known ones by contender.
    """

    strengths: Floats
    tie: float
    effects: Floats
    covariance: Floats
    alone: Floats
    degrees: Floats
    voters: NDArray[np.int64]

    def error(self, contrast: Floats) -> float:
        """The standard error of the sum of strengths and effects with these factors.

        Never below that of independent votes.
        """
        found = max(contrast @ self.covariance @ contrast, contrast @ self.alone @ contrast)
        return math.sqrt(found)


def fit(
    first: NDArray[np.integer],
    second: NDArray[np.integer],
    outcome: NDArray[np.integer],
    *,
    count: int,
    voter: NDArray[np.int32],
    weight: Floats,
    features: Floats | None = None,
    ridge: float = RIDGE,
) -> Fit:
    """Fit the model to votes, each between two of `count` contenders.

    `outcome` is WIN, LOSS or TIE of `design`, by the first one; `features` have a row for each
    vote. The likelihood is weighted, and ridge/2 times the square of each parameter is taken off,
    so that who never lost gets a finite strength. Without ties it is Bradley and Terry's model.
    """
    design, row = rows_of(first, second, count, features)
    votes = Votes(design, row, outcome, weight, voter)
    parameters, information = _newton(design, votes.table(weight), ridge)
    found = clustered(votes, design.chances(parameters), information)
    alone = np.linalg.inv(information) * (weight @ weight / max(weight.sum(), _CLOSE))
    strengths, nu = parameters[:count], math.exp(parameters[-1])
    return Fit(
        strengths=strengths - strengths.sum() / max(count, 1),
        tie=nu / (2 + nu),
        effects=parameters[count:-1],
        covariance=found.covariance[:-1, :-1],
        alone=alone[:-1, :-1],
        degrees=found.degrees,
        voters=found.voters,
    )


def _newton(design: Design, counts: Floats, ridge: float) -> tuple[Floats, Floats]:
    """The parameters, and the information at them. Without ties nu is 0 and stays so."""
    parameters, weight = np.zeros(design.size), counts.sum(axis=1)
    pull = np.full(design.size, ridge)
    if not counts[:, TIE].any():
        parameters[-1], pull[-1] = -math.inf, 1.0
    for _ in range(_STEPS):
        chances = design.chances(parameters)
        slope = design.slope(chances, counts) - pull * np.nan_to_num(parameters, neginf=0.0)
        information = design.information(chances, weight) + np.diag(pull)
        step = np.linalg.solve(information, slope)
        farthest = np.abs(step).max(initial=0.0)
        parameters += step * min(1.0, _FARTHEST / max(farthest, _CLOSE))
        if farthest < _CLOSE:
            break
    return parameters, information
