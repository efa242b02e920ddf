"""What a community is like as a whole, in figures that its members are drawn by."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

TOPICS: Mapping[str, float] = MappingProxyType(
    {"creative": 0.7, "chat": 0.3, "question": -0.3, "code": -0.7}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """Preferences are in log odds; `…_spread` is the standard deviation between members.

    `votes` is how many a battle gets on average, `activity` the exponent of Pareto's law by
    which members are unequally busy. `tie` is the weight of ties in Davidson's model, `bad` the
    share of undecided votes for neither. `taste` is the spread of a member's likings for each
    contender, `raw` that for base models as such. `side` is what standing on A adds, `length`
    what it adds to be all of the text there is. `topics` is what a base model gains where a
    prompt is about that. `skill`
    and `guess` are from the least to the best member: how far preferences show in votes, and
    how often a guess at the base model is right. `guessing` is the share of votes that are
    followed by a guess, `unsure` that of guesses that name none. `spam` is the share of members
    who press without reading.
    """

    votes: float = 5.0
    activity: float = 1.3
    tie: float = 0.6
    bad: float = 0.3
    taste: float = 0.4
    raw: float = 0.4
    side: float = 0.05
    side_spread: float = 0.15
    length: float = 0.4
    length_spread: float = 0.4
    topics: Mapping[str, float] = field(default_factory=lambda: TOPICS)
    skill: tuple[float, float] = (0.7, 1.3)
    guess: tuple[float, float] = (0.45, 0.85)
    guessing: float = 0.4
    unsure: float = 0.15
    spam: float = 0.06


STRENGTHS: Mapping[Kind, float] = MappingProxyType(
    {Kind.BASE: -0.5, Kind.TUNED: 0.1, Kind.INSTRUCT: 0.5}
)
"""What contenders of a kind are around, where nothing is said of a single one."""

STRENGTH_SPREAD = 0.3
