"""Win rates with honest intervals. Pure: numbers in, numbers out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Interval:
    """A share between 0 and 1 with the interval that goes with it."""

    share: float
    low: float
    high: float


def wilson(successes: float, trials: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a share; a trial may succeed in part.

    Source: Wilson (1927), J. Am. Stat. Assoc. 22, 209-212. It keeps its coverage
    for few trials and never leaves 0 to 1. Raises ValueError without trials.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError("successes must lie between 0 and a positive number of trials")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))
