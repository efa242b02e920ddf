"""Personal data leaves a text before anything reads or keeps it.

A placeholder such as `<EMAIL>` stands in its place, so that a sentence still reads as
one. What is looked for has a form that can be told from other text, most of it with a
checksum; names and addresses have none, and stay.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bot.redaction.patterns import Found, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from storage.records import Conversation

log = structlog.get_logger(__name__)


class Redactor:
    """Replaces what the built-in patterns find, and what `more` finds besides them."""

    def __init__(self, *, more: Callable[[str], Iterable[Found]] | None = None) -> None:
        self._more = more

    def redact(self, text: str) -> str:
        """The text with placeholders; the same text again where they are in it already.

        It takes milliseconds, so whoever answers people calls `text`, which uses a thread.
        """
        return _replaced(text, self._find(text))

    async def text(self, text: str) -> str:
        """What `redact` returns, found in a thread."""
        (redacted,) = await self._texts([text])
        return redacted

    async def conversation(self, conversation: Conversation) -> Conversation:
        """The same turns, those of people redacted. Names stay, and what the bot said."""
        people = [turn for turn in conversation.turns if not turn.is_bot]
        texts = iter(await self._texts([turn.text for turn in people]))
        turns = (t if t.is_bot else replace(t, text=next(texts)) for t in conversation.turns)
        return replace(conversation, turns=tuple(turns))

    async def _texts(self, texts: Sequence[str]) -> list[str]:
        redacted, kinds = await asyncio.to_thread(self._redact, texts)
        if kinds:
            log.info("personal data was left out", places=kinds.total(), kinds=dict(kinds))
        return redacted

    def _redact(self, texts: Sequence[str]) -> tuple[list[str], Counter[str]]:
        kinds: Counter[str] = Counter()
        redacted = []
        for text in texts:
            found = self._find(text)
            kinds.update(one.kind for one in found)
            redacted.append(_replaced(text, found))
        return redacted, kinds

    def _find(self, text: str) -> list[Found]:
        """What there is, from left to right; where two overlap, what the patterns found."""
        found = find(text)
        for one in sorted(self._more(text) if self._more else (), key=lambda one: one.start):
            if not any(one.overlaps(other) for other in found):
                found.append(one)
        return sorted(found, key=lambda one: one.start)


def _replaced(text: str, found: Iterable[Found]) -> str:
    parts, end = [], 0
    for one in found:
        parts += [text[end : one.start], f"<{one.kind}>"]
        end = one.end
    return "".join((*parts, text[end:]))
