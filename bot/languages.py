"""Which language a text is in, and whether an answer is in another one than its conversation.

Said only where it is sure: of texts that are long enough, without code, links,
mentions and emoji, by a naive Bayes model over byte n-grams (py3langid; Lui and
Baldwin 2012). Its probabilities are calibrated for the length of the text.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.records import Conversation

LEAST = 20
"""Bytes of UTF-8 that a text's letters need to have: three or four words, seven ideographs."""

SURE = 0.8
IMPLAUSIBLE = 0.05

_NO_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|<[^<>\s]*>", re.DOTALL)


class Languages:
    """Tells languages apart. Its model is read, in a thread, when a text first wants it."""

    def __init__(self) -> None:
        self._model: Any = None
        self._reading = asyncio.Lock()

    async def of(self, text: str) -> str | None:
        """The ISO 639 code of a text's language; None where it is not sure."""
        async with self._reading:
            return await asyncio.to_thread(self.sure, text)

    def sure(self, text: str) -> str | None:
        """The same, for where nothing waits meanwhile."""
        prose = _prose(text)
        if not _long_enough(prose):
            return None
        self._model = self._model or _read()
        language, probability = self._model.classify(prose)
        return str(language) if probability >= SURE else None

    async def unlike(self, answer: str, conversation: Conversation) -> str | None:
        """The ISO 639 code of the answer's language, where no turn can be in it; else None."""
        prose = _prose(answer)
        if not _long_enough(prose) or not _long_enough(_prose(conversation.prompt.text)):
            return None
        async with self._reading:
            self._model = self._model or await asyncio.to_thread(_read)
        language, probability = self._model.classify(prose)
        spoken = (_prose(turn.text) for turn in conversation.turns)
        if probability < SURE or any(self._may_be(language, text) for text in spoken):
            return None
        return str(language)

    def _may_be(self, language: str, text: str) -> bool:
        return _long_enough(text) and dict(self._model.rank(text))[language] >= IMPLAUSIBLE


def _read() -> Any:  # noqa: ANN401 - the library has no types
    from py3langid import langid  # type: ignore[import-untyped]  # noqa: PLC0415 - late: numpy

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


def _prose(text: str) -> str:
    return _NO_PROSE.sub(" ", text)


def _long_enough(text: str) -> bool:
    return sum(len(c.encode("utf-8", "replace")) for c in text if c.isalpha()) >= LEAST
