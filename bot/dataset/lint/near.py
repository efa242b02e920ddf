"""Texts that are nearly the same, found by MinHash and locality-sensitive hashing.

Source: Broder (1997), "On the resemblance and containment of documents"; bands as in
Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4. The library is rensa.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from rensa import RMinHash, RMinHashDeduplicator

if TYPE_CHECKING:
    from collections.abc import Iterable

ALIKE = 0.8
"""Jaccard similarity of the shingles from which on two texts are nearly the same."""

_PERMUTATIONS = 60
_BANDS = 10
"""Of 200 pairs each, 99 % were found at a similarity of 0.9, half at 0.8, 4 % at 0.7; with 128
permutations as many, in twice the memory."""

_SEED = 42
_WORDS_A_SHINGLE = 3
_FEWEST = 8
"""Shingles. In shorter texts one word more or less says too much."""

_COMMON = 0.2
_TOKEN = re.compile(r"[\u0e00-\u0eff\u2e80-\u9fff\uac00-\ud7af]|[^\W\u0e00-\u0eff\u2e80-\ud7af]+")
"""A word, or a character of a script that does not part words."""


class Twins:
    """What was seen so far, to ask whether a text is nearly the same as one of it."""

    def __init__(self) -> None:
        self._seen = RMinHashDeduplicator(ALIKE, _PERMUTATIONS, True, _BANDS, _SEED)  # noqa: FBT003

    def of(self, key: str, grams: set[str]) -> str | None:
        """The key of an earlier text that is nearly the same; else this one is kept."""
        if len(grams) < _FEWEST:
            return None
        sketch = RMinHash(_PERMUTATIONS, _SEED)
        sketch.update(grams)
        if self._seen.add(key, sketch):
            return None
        return min(self._seen.get_duplicates(sketch), default=None)


def shingles(text: str, *, last: int | None = None) -> set[str]:
    """All runs of three words in a text, or in its last so many words."""
    words = _TOKEN.findall(text.casefold())
    if last is not None:
        words = words[max(0, len(words) - last) :]
    return {
        " ".join(run) for run in zip(*(words[i:] for i in range(_WORDS_A_SHINGLE)), strict=False)
    }


def words(text: str) -> int:
    """How many words a text has, as shingles count them."""
    return len(_TOKEN.findall(text))


def frame(prompts: Iterable[str]) -> frozenset[str]:
    """The shingles of a prompt template: those that over a fifth of the prompts have."""
    texts = set(prompts)
    counts = Counter(gram for text in texts for gram in shingles(text))
    return frozenset(gram for gram, n in counts.items() if n > max(2, _COMMON * len(texts)))
