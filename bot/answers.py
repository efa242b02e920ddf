"""Finishing an answer: what of a completion is shown, and which tags it gets.

The raw completion is kept beside the shown text; tags describe and never destroy.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from storage.records import FinishReason

SHOWN_LIMIT = 1800
"""Per side, in UTF-16 units: a message holds 4,000 for both sides and all small print."""

ELLIPSIS = " …"

RUN_ON = "run_on"
CUT_SHORT = "cut_short"
TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Finished:
    """The text for people, and what is to be known about it."""

    shown: str
    tags: tuple[str, ...]


def finish(text: str, *, finish_reason: FinishReason, ran_on: bool) -> Finished:
    """Tidy a parsed completion for showing.

    `run_on` says that the model went on into another turn and was cut there,
    `cut_short` that its length ran out, `truncated` that the shown text ends
    earlier than the completion. `shown` is empty where nothing visible is left.
    """
    tags = []
    if ran_on:
        tags.append(RUN_ON)
    elif finish_reason is FinishReason.LENGTH:
        tags.append(CUT_SHORT)
    shown = text.strip() if visible(text) else ""
    fitting = shorten(shown, SHOWN_LIMIT)
    if fitting != shown:
        tags.append(TRUNCATED)
    return Finished(fitting, tuple(tags))


def visible(text: str) -> bool:
    """Whether a person would see anything: not only spaces, controls or zero-width marks."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def utf16_length(text: str) -> int:
    """Length as Discord's clients count it, in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def shorten(text: str, limit: int) -> str:
    """`text`, cut to at most `limit` UTF-16 units with an ellipsis, never inside a character."""
    if utf16_length(text) <= limit:
        return text
    room = (limit - len(ELLIPSIS)) * 2
    cut = text.encode("utf-16-le", "surrogatepass")[:room].decode("utf-16-le", "ignore")
    return cut.rstrip() + ELLIPSIS
