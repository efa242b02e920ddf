"""Markdown whose words come from others: each piece stays what it is, text in one line."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A character reference never is markup, in text, in a cell or at the beginning of a line.
# Source: CommonMark 0.31, "Entity and numeric character references".
_MARKUP = {ord(mark): f"&#{ord(mark)};" for mark in "\\`*_{}[]<>#|&~!$"}


def line(text: str) -> str:
    """The text in one line, without control characters and marks of direction."""
    kept = ("".join(" " if unicodedata.category(c).startswith("C") else c for c in text)).split()
    return " ".join(kept)


def plain(text: str) -> str:
    """The text in one line in which nothing is Markdown or HTML."""
    return line(text).translate(_MARKUP)


def fence(text: str, language: str = "") -> str:
    """A block of code; it ends where its text ends, whatever fences that holds."""
    longest = max((len(run) for run in _runs(text)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{language}\n{text}\n{mark}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """A table; cells are Markdown already, the last `numbers` columns keep to the right."""
    texts = len(head) - numbers
    rule = ["---"] * texts + ["--:"] * numbers
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def quote(text: str) -> str:
    """A block quote of Markdown, each line a paragraph of its own."""
    return "\n>\n".join(f"> {row}" for row in text.splitlines() if row.strip())


def _runs(text: str) -> Iterable[str]:
    return "".join(c if c == "`" else " " for c in text).split()
