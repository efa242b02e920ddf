"""How many tokens a text has: counted by a tokenizer, or estimated by its length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.dataset.lint import rules
from bot.dataset.lint.report import Hit
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.dataset.lint.shapes import Row

CHARACTERS_A_TOKEN = 4
"""Of English text; other languages and code have more tokens."""


def estimate(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def counter(tokenizer: Path) -> Callable[[str], int]:
    """Count by a `tokenizer.json`, given as itself or as its folder. Raises ConfigError."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - only who asks for it waits for it

    file = tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer
    try:
        model = Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 - the library raises nothing finer
        raise ConfigError(
            f"{file} cannot be read as a tokenizer ({str(error)[:80]}). "
            "Give --tokenizer a tokenizer.json or the folder that has one."
        ) from None
    model.no_truncation()

    def count(text: str) -> int:
        readable = text.encode("utf-8", "replace").decode()
        return len(model.encode(readable, add_special_tokens=False).ids)

    return count


class Room:
    """Checks that rows fit into the trainer's length, with a token for the beginning."""

    def __init__(self, limit: int, count: Callable[[str], int]) -> None:
        self._limit = limit
        self._count = count

    def check(self, row: Row) -> Iterator[Hit]:
        """Prompts that fill the limit alone; else rows that are over it."""
        prompt = row.prompt.text if row.prompt else ""
        longest = max((side.text for side in row.sides), key=len, default="")
        if (
            len(prompt.encode("utf-8", "replace")) + len(longest.encode("utf-8", "replace"))
            < self._limit
        ):
            return  # a token has a byte at least
        used = self._count(prompt) + 1
        if used >= self._limit:
            text = f"The prompt has {used} tokens of {self._limit}."
            yield Hit(rule=rules.PROMPT_LENGTH, row=row, text=text, excerpt=prompt)
            return
        for side in row.sides:
            total = used + self._count(side.text)
            if total > self._limit:
                text = f"The prompt and {side.column} have {total} tokens of {self._limit}."
                yield Hit(rule=rules.ROW_LENGTH, row=row, text=text, excerpt=side.text)
                return
