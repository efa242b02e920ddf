"""Rows as token ids, just as the local engine would read and write them. Imports torch.

An answer ends with the model's end-of-text token, whichever way it ended in the arena: at that
token or at the beginning of another turn, both of which end an answer when it is served. What
only ran out of length gets no end, so that no half sentence teaches to stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.engines.local.loading import Loaded
    from bot.training.rows import Row, Text


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as token ids: those of its prompt, and those that each answer adds."""

    prompt: list[int]
    liked: list[int] | None
    disliked: list[int] | None

    @property
    def answers(self) -> tuple[list[int], ...]:
        """The answers that there are."""
        return tuple(ids for ids in (self.liked, self.disliked) if ids is not None)

    @property
    def length(self) -> int:
        """Tokens of the prompt with the longest answer."""
        return len(self.prompt) + max(map(len, self.answers))


class Encoder:
    """Encodes rows for one model."""

    def __init__(self, loaded: Loaded) -> None:
        own = loaded.tokenizer.eos_token_id
        self.end = own if own in loaded.eos or not loaded.eos else loaded.eos[0]
        self._encode = loaded.encode

    def rows(self, rows: Iterable[Row], *, max_length: int) -> tuple[list[Encoded], int]:
        """The rows that fit into `max_length` tokens, and how many do not."""
        encoded = [self._row(row) for row in rows]
        fitting = [row for row in encoded if row.length <= max_length]
        return fitting, len(encoded) - len(fitting)

    def _row(self, row: Row) -> Encoded:
        prompt = self._encode(row.prompt)
        whole = [self._encode(row.prompt + text.text) for text in row.texts]
        # A token may reach over the border; what is before it is the same in all.
        shared = min(_shared(prompt, ids) for ids in whole)
        answers: dict[Text | None, list[int]] = {
            text: [*ids[shared:], *([self.end] if text.ended else [])]
            for text, ids in zip(row.texts, whole, strict=True)
        }
        liked, disliked = (answers.get(text) for text in (row.liked, row.disliked))
        return Encoded(prompt[:shared], liked, disliked)


def _shared(one: list[int], other: list[int]) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
