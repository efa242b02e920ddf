"""Finishing an answer: what of a completion is shown, and which tags it gets.

The raw completion is kept beside the shown text; tags describe and never destroy.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.leaks import mask
from bot.links import honest
from bot.speakers import own_words
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_LIMIT = 1800
"""Per side, in UTF-16 units: a message holds 4,000 for both sides and all small print."""

ELLIPSIS = " …"
FENCE = "```"

RUN_ON = "run_on"
CUT_SHORT = "cut_short"
TRUNCATED = "truncated"
REFUSAL = "refusal"
LOOP = "loop"
HEADED = "leak:prefix"

SENTENCE_END = re.compile(
    # "3." and "1. A 2." are numbers in a list and end nothing.
    r"(?<!\s\d)(?<!\s\d\d)[.!?…؟۔।][\"'”’)\]*_]*(?=\s|\Z)"  # noqa: RUF001
    r"|[。！？][\"'”’」』）]*|\n"  # noqa: RUF001 - full-width ends need no space behind them
)
DANGLING = re.compile(r"\s*^[ \t]*(?:\d{1,3}[.)]|[-*+•#>])[ \t]*\Z", re.MULTILINE)
"""The mark of a list entry that has no text."""

REFUSING = re.compile(  # possessive, as a page of exclamation marks would take seconds otherwise
    r"\A\W*+(?:(?:I['’]m|I am) (?:very )?sorry,?|(?:sorry|unfortunately),?)?\W*+(?:but )?"
    r"(?:as [^,.]{3,40}, )?"
    r"I(?:['’]m| am)? (?:not comfortable|(?:do not|don['’]t) have the (?:ability|capability)|"
    r"(?:can(?:no|['’])t|cannot|won['’]t|will not|not able to|unable to)(?: \w+ly)? (?:"
    r"help(?! but)|assist|support|provide|give|answer|do|fulfil|comply|discuss|create|write|"
    r"generate|share|offer|engage|continue|participate|recommend|respond))\b",
    re.IGNORECASE,
)

LOOP_RUN = 12
LOOP_LEAST = 24
LOOP_SHARE = 0.5

BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates (UAX #9). Right-to-left scripts read well without them."""

MARKS = 4
"""Marks that may stand on one character. Hebrew with points and accents, which has the
most of all scripts in use, needs three or four; more only climb over the lines above."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The text for people, and what is to be known about it."""

    shown: str
    tags: tuple[str, ...]


def finish(
    text: str,
    *,
    finish_reason: FinishReason,
    ran_on: bool,
    heard: str = "",
    speakers: Sequence[str] = (),
    limit: int = SHOWN_LIMIT,
) -> Finished:
    """Tidy a parsed completion for showing, in at most `limit` UTF-16 units.

    `run_on`: the model went on into another turn and was cut there, at a stop or where
    one of `speakers` speaks. `cut_short`: its length ran out; a half sentence at the
    end is left away then. `truncated`: more was to show than fits. `refusal`, `loop`:
    what it says. `leak:…`: what would have told the model, and was masked; `heard` is
    what the conversation said already. `invite`, `masked_link`: links as `bot.links` has them.
    `shown` is empty where nothing visible is left.
    """
    masked, leaks = mask(harmless(text), heard=" ".join((heard, *speakers)))
    masked, links = honest(masked)
    own = own_words(masked, speakers)
    whole = BLANK_LINES.sub("\n\n", own.text).strip() if visible(own.text) else ""
    ran_on = ran_on or own.ran_on
    cut_short = finish_reason is FinishReason.LENGTH and not ran_on
    tidy = closed(without_half_sentence(whole) if cut_short else whole)
    shown = closed(shorten(tidy, limit - len(f"\n{FENCE}")))
    tags = {
        RUN_ON: ran_on,
        CUT_SHORT: cut_short,
        TRUNCATED: shown != tidy,
        REFUSAL: REFUSING.search(whole) is not None,
        LOOP: loops(whole),
        HEADED: own.headed,
    }
    return Finished(shown, tuple(dict.fromkeys((*filter(tags.get, tags), *leaks, *links))))


def harmless(text: str) -> str:
    """The text without what reaches beyond its place when it is drawn.

    Direction controls, which turn round what follows them; combining marks in towers;
    control characters. Lines end in line feeds alone then.
    """
    kept: list[str] = []
    marks = 0
    for character in BIDI_CONTROLS.sub("", "\n".join(text.splitlines())):
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks <= MARKS and (category != "Cc" or character in "\n\t"):
            kept.append(character)
    return "".join(kept)


def loops(text: str) -> bool:
    """Whether half of a text or more repeats what it said, counted in runs of characters.

    Characters rather than words, because not every script parts its words, and some
    models go round inside a single one.
    """
    said = " ".join(text.casefold().split())
    runs = Counter(said[i : i + LOOP_RUN] for i in range(len(said) - LOOP_RUN + 1))
    repeated = runs.total() - len(runs)
    return runs.total() >= LOOP_LEAST and repeated >= LOOP_SHARE * runs.total()


def without_half_sentence(text: str) -> str:
    """The text up to its last whole sentence, unless more than half would be lost by that.

    A mark of a list entry that then has no text goes too.
    """
    ends = [found.end() for found in SENTENCE_END.finditer(text)]
    if ends and ends[-1] >= len(text) / 2:
        text = text[: ends[-1]]
    return DANGLING.sub("", text.rstrip())


def closed(text: str) -> str:
    """The text with its code fence closed, where one is open."""
    return f"{text}\n{FENCE}" if text.count(FENCE) % 2 else text


def visible(text: str) -> bool:
    """Whether a person would see anything: not only spaces, controls or zero-width marks."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def normalised(text: str) -> str:
    """What a text says, whatever its case and white space."""
    return " ".join(text.split()).casefold()


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
