"""Figures in a reader's words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bot.insight.meanings import MEANINGS
from bot.wording import TOO_FEW

if TYPE_CHECKING:
    from bot.insight.results import Estimate, Line

NARROW = 0.15
"""Where an interval is no wider, tenths would make it look like certainty."""


def ahead(estimate: Estimate) -> str:
    """`ahead in 3 of 10 votes, between 2 and 4 likely`; of 100 where that says more."""
    if not estimate.known:
        return TOO_FEW
    of = 10 if estimate.high - estimate.low > NARROW else 100
    value, low, high = (
        round(of * share) for share in (estimate.value, estimate.low, estimate.high)
    )
    return f"ahead in {value} of {of} votes, between {low} and {high} likely"


def percent(share: float) -> str:
    """`31 %`, which no line ends in the middle of; a dash for what is not known."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%" if math.isfinite(share) else "–"


def interval(estimate: Estimate) -> str:
    """`24 to 39 %`, or that there are too few votes."""
    if not estimate.known:
        return TOO_FEW
    return f"{100 * estimate.low:.0f} to {percent(estimate.high)}"


def points(estimate: Estimate) -> str:
    """`1,012`, in points of a score."""
    return f"{estimate.value:,.0f}" if math.isfinite(estimate.value) else "–"


def points_between(estimate: Estimate) -> str:
    """`988 to 1,036`."""
    return f"{estimate.low:,.0f} to {estimate.high:,.0f}" if estimate.known else TOO_FEW


def place(line: Line) -> str:
    """`1`, or `1 to 3` where the intervals allow more than one rank."""
    if not line.told:
        return "–"
    return f"{line.best}" if line.best == line.worst else f"{line.best} to {line.worst}"


def spoken(name: str) -> str:
    """`control_side` as people say it."""
    return name.replace("_", " ")


def moved_by(effect: str) -> str:
    """What votes are for that have this effect, as pictures call it too."""
    return MEANINGS[effect].label
