"""The style of an answer in figures, which stay when its text goes."""

from __future__ import annotations

import re
from typing import NamedTuple

_MARKUP = re.compile(r"\*\*|```|^(?:[-*] |\d+\. |#+ )", re.MULTILINE)


class Style(NamedTuple):
    """How long a text is, and how many marks of headings, lists, bold and code it has."""

    characters: int
    markup: int


def style_of(shown: str) -> Style:
    """The style of a text as members saw it."""
    return Style(len(shown), len(_MARKUP.findall(shown)))
