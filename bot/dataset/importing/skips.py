"""Why a row of a file is not in its collection."""

from __future__ import annotations

from enum import StrEnum

from bot.dataset.packed import LONGEST

DEEPEST = 200
"""How deep one row may be nested; those that are understood have ten levels."""


class Skip(StrEnum):
    """A reason, as it is told."""

    BROKEN = "broken, so it cannot be read"
    BROKEN_OFF = "broken, and what follows in the file with it"
    TOO_LONG = f"longer than {LONGEST // 2**20} MB"
    SHAPE = "of no known shape"
    NO_MODEL = "a model without a name"
    ONE_MODEL = "one model on both sides"
    NO_WINNER = "no winner"
    NO_TEXT = "a question or an answer without text"
    ROLES = "not questions and answers in turns"
    FORKED = "earlier answers differ between the sides"
    ALONE = "rated alone, so compared with nothing"
    NO_PAIR = "a vote whose texts are in none of these files"
    AGAIN = "an earlier vote of the same voter on the same battle"


class Skipped(Exception):  # noqa: N818, RUF100 - it is no error: the row is counted
    """Raised while a row is understood, where it cannot be."""

    def __init__(self, reason: Skip) -> None:
        super().__init__(reason)
        self.reason = reason
