"""Answers that a server does not want to see: found before they are shown, never lost.

Both answers are judged together and by all that they say. What was found stands in tags,
`moderated:…`, and the raw completion stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.answers import FENCE, SHOWN_LIMIT, TRUNCATED, closed, shorten
from bot.errors import ConfigError, EngineError
from bot.guilds import Moderation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from storage.records import Answer, VotedAnswer

log = structlog.get_logger(__name__)

HIDDEN = "This answer is hidden by the server's moderation."
MODERATED = "moderated:"
UNAVAILABLE = "unavailable"
"""Nobody could judge: then nothing is shown that the server did not want to see unjudged."""

SPOILER = "||"
JOINER = "\u2060"
"""Cannot be seen. Bars with it between them look the same and end no spoiler."""


class Moderator(Protocol):
    """Tells what is unfit to be shown."""

    async def judge(self, texts: Sequence[str]) -> Sequence[tuple[str, ...]]:
        """Why each of the texts is unfit, in a word or more; nothing where it is fit.

        Raises EngineError where it cannot tell.
        """

    async def close(self) -> None:
        """Close what is open."""


class WordModerator:
    """Finds words and phrases, whatever their capitals and however they are spaced.

    In scripts that put no spaces between words, an entry is found inside others too.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        entries = list(entries)
        self._unspaced = [entry for entry in map(_folded, entries) if _UNSPACED.search(entry)]
        self._phrases = {words for words in map(_words, entries) if words}
        self._lengths = {len(words) for words in self._phrases}

    async def judge(self, texts: Sequence[str]) -> Sequence[tuple[str, ...]]:
        """`words` for each text that has one; the word itself is not repeated."""
        return [("words",) if self._has(text) else () for text in texts]

    async def close(self) -> None:
        """Nothing is open."""

    def _has(self, text: str) -> bool:
        words, folded = _words(text), _folded(text)
        return any(entry in folded for entry in self._unspaced) or any(
            words[start : start + length] in self._phrases
            for length in self._lengths
            for start in range(len(words) - length + 1)
        )


_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
"""Thai and Lao, Burmese, Khmer, kana, ideographs."""


def _folded(text: str) -> str:
    """Without capitals, compatibility forms and what cannot be seen."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return "".join(c for c in plain if unicodedata.category(c) != "Cf")


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(_folded(text)))


def read_words(path: Path) -> list[str]:
    """The entries of a word list: a word or phrase a line, `#` begins a comment.

    Raises ConfigError where there are none to read.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"The word list {path}, which moderation_words names, cannot be read. Check the file."
        ) from None
    entries = [entry for line in lines if (entry := line.partition("#")[0].strip())]
    if not any(map(_words, entries)):
        raise ConfigError(f"The word list {path} is empty. Write a word or phrase on each line.")
    return entries


async def judged(moderator: Moderator | None, texts: Sequence[str]) -> Sequence[tuple[str, ...]]:
    """What the moderator says of `texts`; all are unfit where nobody can tell."""
    reason = "The setting moderator is none, and a server wants moderation. Choose one."
    try:
        if moderator is not None:
            return await moderator.judge(texts)
    except EngineError as error:
        reason = error.user_message
    log.warning("answers could not be moderated", reason=reason)
    return [(UNAVAILABLE,)] * len(texts)


def moderated(answer: Answer | VotedAnswer) -> bool:
    """Whether something was found in the answer, or nobody could look."""
    return bool(answer.tags) and any(tag.startswith(MODERATED) for tag in answer.tags)


def concealed(answer: Answer, reasons: Iterable[str], *, whole: str, how: Moderation) -> Answer:
    """The answer as it is shown where it is unfit for `reasons`; `whole` is all that it says."""
    tags = (*answer.tags, *(f"{MODERATED}{reason}" for reason in reasons))
    if how is Moderation.HIDE:
        return replace(answer, shown=HIDDEN, tags=tags)
    shown = spoiler(whole, limit=SHOWN_LIMIT)
    if shown != spoiler(whole) and TRUNCATED not in tags:
        tags = (*tags, TRUNCATED)
    return replace(answer, shown=shown, tags=tags)


def spoiler(text: str, *, limit: int | None = None) -> str:
    """The text behind spoiler bars, in at most `limit` UTF-16 units with them.

    Bars inside would end it early and are parted, in code too.
    """
    inside = re.sub(r"(?<=\|)(?=\|)", JOINER, text)
    if limit is not None:
        inside = closed(shorten(inside, limit - 2 * len(SPOILER + JOINER) - len(f"\n{FENCE}")))
    before, after = (JOINER if inside[end] == "|" else "" for end in (0, -1))
    return f"{SPOILER}{before}{inside}{after}{SPOILER}"


def plain(answer: Answer | VotedAnswer) -> str | None:
    """What is shown of an answer without the bars of a spoiler; None where it is hidden."""
    if not moderated(answer):
        return answer.shown
    if answer.shown == HIDDEN:
        return None
    inside = answer.shown.removeprefix(SPOILER).removesuffix(SPOILER).strip(JOINER)
    return re.sub(rf"(?<=\|){JOINER}(?=\|)", "", inside)
