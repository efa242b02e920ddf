"""Finishing an answer: what of a completion is shown, and which tags it gets.

The raw completion is kept beside the shown text; tags describe and never destroy.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from bot.leaks import mask
from storage.records import FinishReason

SHOWN_LIMIT = 1800
"""Per side, in UTF-16 units: a message holds 4,000 for both sides and all small print."""

ELLIPSIS = " …"
FENCE = "```"

RUN_ON = "run_on"
CUT_SHORT = "cut_short"
TRUNCATED = "truncated"
REFUSAL = "refusal"
LOOP = "loop"

SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]*_]*(?=\s)|\n")  # noqa: RUF001 - full-width ends
REFUSING = re.compile(
    r"\A\W*(?:(?:I'm|I am) (?:very )?sorry,?|(?:sorry|unfortunately),?)?\W*(?:but )?"
    r"(?:as [^,.]{3,40}, )?"
    r"I(?:'m| am)? (?:can(?:no|')t|cannot|won't|will not|not able to|unable to|not comfortable)\b"
    r"(?! wait| believe| help but)",
    re.IGNORECASE,
)

LOOP_WORDS = 4
LOOP_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Finished:
    """The text for people, and what is to be known about it."""

    shown: str
    tags: tuple[str, ...]


def finish(text: str, *, finish_reason: FinishReason, ran_on: bool, heard: str = "") -> Finished:
    """Tidy a parsed completion for showing.

    `run_on`: the model went on into another turn and was cut there. `cut_short`: its
    length ran out; a half sentence at the end is left away then. `truncated`: more
    was to show than fits. `refusal`, `loop`: what it says. `leak:…`: what would have
    told the model, and was masked; `heard` is what the conversation said already.
    `shown` is empty where nothing visible is left.
    """
    masked, leaks = mask(text, heard=heard)
    whole = masked.strip() if visible(masked) else ""
    cut_short = finish_reason is FinishReason.LENGTH and not ran_on
    tidy = closed(without_half_sentence(whole) if cut_short else whole)
    shown = closed(shorten(tidy, SHOWN_LIMIT - len(f"\n{FENCE}")))
    tags = {
        RUN_ON: ran_on,
        CUT_SHORT: cut_short,
        TRUNCATED: shown != tidy,
        REFUSAL: REFUSING.search(whole) is not None,
        LOOP: loops(whole),
    }
    return Finished(shown, (*(tag for tag, holds in tags.items() if holds), *leaks))


def loops(text: str) -> bool:
    """Whether half of a text or more repeats what it said, counted in runs of four words."""
    words = text.casefold().split()
    runs = [tuple(words[i : i + LOOP_WORDS]) for i in range(len(words) - LOOP_WORDS + 1)]
    repeated = sum(count - 1 for count in Counter(runs).values())
    return len(runs) >= 2 * LOOP_WORDS and repeated >= LOOP_SHARE * len(runs)


def without_half_sentence(text: str) -> str:
    """The text up to its last whole sentence, unless more than half would be lost by that."""
    ends = [found.end() for found in SENTENCE_END.finditer(text)]
    if text[-1:] in {".", "!", "?", "…"} or not ends or ends[-1] < len(text) / 2:
        return text
    return text[: ends[-1]].rstrip()


def closed(text: str) -> str:
    """The text with its code fence closed, where one is open."""
    return f"{text}\n{FENCE}" if text.count(FENCE) % 2 else text


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
