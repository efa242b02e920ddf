"""What must hold before a tuned contender enters the arena.

A gate compares with the parent, so a base model that loops now and then is no reason to keep
its child out. Where a gate does not hold, nothing is lost: the contender waits, and the
operator may let it in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.ranking import Interval
    from bot.training.behaviour import Behaviour

CHANCE = 0.5

DISTINCT = 0.6
"""Of the parent's distinct-2, so much must be left."""

LENGTH = 4.0
"""So many times shorter or longer than the parent's answers may be on average."""

FEW = 10.0
"""Words that are not many, however few the parent says."""

MORE = 0.1
"""By so much of all answers may empty, looping, half or identical ones become more."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One thing that must hold, and how it is, in words."""

    name: str
    held: bool
    found: str


def gates(accuracy: Interval | None, *, tuned: Behaviour, parent: Behaviour) -> tuple[Gate, ...]:
    """All gates in the order in which they are told.

    `accuracy` is the share of held-out pairs whose chosen answer the training raised over the
    rejected one, with its interval; None where none was held out, which proves nothing.
    """
    return (*_learnt(accuracy), *_not_collapsed(tuned, parent))


def _learnt(accuracy: Interval | None) -> Iterator[Gate]:
    found = "no pair was held out"
    if accuracy is not None:
        found = f"{accuracy.low:.0%} to {accuracy.high:.0%} of the held-out pairs, chance is 50 %"
    held = accuracy is not None and accuracy.low > CHANCE
    yield Gate("learnt the preferences", held, found)


def _not_collapsed(tuned: Behaviour, parent: Behaviour) -> Iterator[Gate]:
    yield Gate(
        "varied",
        tuned.distinct >= DISTINCT * parent.distinct,
        f"{tuned.distinct:.0%} of its pairs of words are different, of its parent's "
        f"{parent.distinct:.0%}",
    )
    least, most = parent.words / LENGTH, max(parent.words, FEW) * LENGTH
    yield Gate(
        "as long as it should be",
        least <= tuned.words <= most,
        f"{tuned.words:.0f} words on average, its parent {parent.words:.0f}",
    )
    for name, what, mine, before in (
        ("says something", "empty", tuned.empty, parent.empty),
        ("does not loop", "going round in a loop", tuned.looping, parent.looping),
        ("comes to an end", "cut off by the limit", tuned.cut_short, parent.cut_short),
        (
            "does not say the same to everybody",
            "word for word the same",
            *(tuned.same, parent.same),
        ),
    ):
        found = f"{what}: {mine:.0%} of its answers, {before:.0%} of its parent's"
        yield Gate(name, mine <= before + MORE, found)
