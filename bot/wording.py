"""What sentences have in common, wherever they stand."""

from __future__ import annotations


def count(number: int, one: str, many: str = "") -> str:
    """`1 vote`, `1,204 votes`; `many` is for what takes more than an `s`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
