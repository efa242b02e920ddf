"""What sentences have in common, wherever they stand."""

from __future__ import annotations

from storage.records import Kind

TOO_FEW = "too few votes to tell"
KIND_NAMES = {Kind.BASE: "base model", Kind.INSTRUCT: "instruct model", Kind.TUNED: "tuned model"}


def count(number: int, one: str, many: str = "") -> str:
    """`1 vote`, `1,204 votes`; `many` is for what takes more than an `s`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def span(seconds: float) -> str:
    """`12 s`, `3 minutes`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"  # noqa: PLR2004


def printable(text: str) -> str:
    """A text that no terminal takes for a command, and every file can hold."""
    return "".join(character if character.isprintable() else " " for character in text)
