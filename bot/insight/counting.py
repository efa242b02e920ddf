"""Which votes a figure counts: every choice as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


class BothBad(StrEnum):
    """What a vote for neither answer is to a ranking."""

    TIE = "tie"
    LEAVE_OUT = "leave_out"


class Weights(StrEnum):
    """What a vote of somebody counts who voted n times."""

    CAPPED = "capped"
    EQUAL = "equal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Live battles and blind votes only, whatever else is chosen.

    Nothing named means all. `capped` weights are 1/√n: so that nobody decides alone, and still
    who votes more says more. `style` takes out what length and markup do.
    """

    guilds: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    templates: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    author_votes: bool = True
    both_bad: BothBad = BothBad.TIE
    weights: Weights = Weights.CAPPED
    style: bool = False
    simulated: bool = False
