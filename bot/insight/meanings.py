"""What each effect is called, and what to make of it, wherever it is told."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """An effect in words.

    `label` is short, for a row of a picture or table. In sentences it is the `heading`, and
    there are what its `share` is of and what that would be without it, `neutral`, each with a
    place for votes. `advice` is what to make of an alarm.
    """

    label: str
    heading: str
    share: str
    neutral: str
    advice: str = ""


_OF_MODELS = "{} would be expected of these models"
_ASKERS = "They vote unlike the others: look at the ranking without their votes."

MEANINGS = {
    "side": Meaning(
        "the one seen first",
        "Side",
        "the answer seen first wins in {}",
        "half is fair",
        "A coin throws the sides, so the ranking stays fair, but it takes more votes to see who "
        "is ahead.",
    ),
    "length": Meaning(
        "the longer one",
        "Length",
        "the longer answer wins in {}",
        _OF_MODELS,
        "Votes go by length as well; a ranking with style taken out does not.",
    ),
    "markup": Meaning(
        "more markup",
        "Markup",
        "the answer with more lists and bold text wins in {}",
        _OF_MODELS,
        "Votes go by looks as well; a ranking with style taken out does not.",
    ),
    "speed": Meaning(
        "the faster one",
        "Speed",
        "the answer that was made faster wins in {}",
        _OF_MODELS,
        "Something may give it away: have both answers appear at once, or in lockstep.",
    ),
    "author": Meaning(
        "askers: base model",
        "Those who asked",
        "they prefer the base model in {}",
        "others in {}",
        _ASKERS,
    ),
    "author_agreement": Meaning(
        "askers: as others did",
        "Those who asked, and the others",
        "another voter chooses the same in {}",
        "among others in {}",
        _ASKERS,
    ),
    "mirror": Meaning(
        "same again, mirrored",
        "Shown again with the sides exchanged",
        "the same said in {}",
        "all would be perfect",
        "Many votes do not hold when a pair comes back, so single ones say little.",
    ),
    "control_ties": Meaning(
        "one model twice: tie",
        "One model on both sides",
        "called a tie in {}",
        "the rest is taste and noise",
    ),
    "control_side": Meaning(
        "one model twice: first",
        "One model on both sides",
        "the answer seen first wins in {}",
        "half is fair",
        "Votes lean to one side even where there is nothing to choose.",
    ),
}
"""By the name of the effect."""
