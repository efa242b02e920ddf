"""Other speakers' turns in what a model wrote, in whatever form people write chats down.

Templates cut at the form that they use themselves. Models have seen other logs too,
and instruct models, which are given a chat, imitate them all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TIME = r"(?:\[?\d{1,2}:\d\d(?::\d\d)?\]?[ \t]+)?"
_STARS = r"[*_]{0,3}"
_COLON = "[:\N{FULLWIDTH COLON}]"

_CHAT = re.compile(
    rf"<[@+%&~]?[^<>\s/]{{1,32}}>[ \t]+\S|(?P<name>[^\W\d_]{{2,32}}){_COLON}[ \t]+\w"
)
_HEADINGS = frozenset({"answer", "example", "hint", "note", "output", "result", "tip", "warning"})
"""Words that stand before a colon in a text of one's own far more often than a name does."""


@dataclass(frozen=True, slots=True)
class OwnWords:
    """What is left, whether a name stood before it, and whether others' turns came behind it."""

    text: str
    headed: bool = False
    ran_on: bool = False


def own_words(text: str, speakers: Iterable[str]) -> OwnWords:
    """The text up to where one of `speakers` begins a turn at the beginning of a line.

    A name that the text itself is headed with only labels it, or calls somebody: it is
    taken off. Lines end in line feeds alone.
    """
    head = _head(tuple(speakers))
    if head is None:
        return OwnWords(text)
    start = len(text) - len(text.lstrip())
    headed = False
    while found := head.match(text, start):
        headed = True
        start = len(text) - len(text[found.end() :].lstrip())
    turn = next((t for t in head.finditer(text, start) if _begins_a_line(text, t.start())), None)
    return OwnWords(text[start : turn.start() if turn else None], headed, turn is not None)


def is_chat(text: str, at: int) -> bool:
    """Whether the line that begins at `at` reads like somebody's words in a chat.

    That is `<name> word`, or one capitalised word, a colon and a word. Code does not:
    `KeyError: 'b'`, `key: value`, nor anything within a fence; neither do common headings.
    """
    found = _CHAT.match(text, at)
    if found is None or text.count("```", 0, at) % 2:
        return False
    name = found["name"]
    # Scripts without capitals have no other name than themselves.
    return name is None or (name == name.capitalize() and name.casefold() not in _HEADINGS)


def _begins_a_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


@lru_cache(maxsize=256)
def _head(speakers: tuple[str, ...]) -> re.Pattern[str] | None:
    """How a turn begins: `Name:`, `**Name:**`, `<Name>`, `[Name]`, a time of day before it or not.

    A colon with `//` behind it is an address. None where nobody is known.
    """
    names = "|".join(sorted(map(re.escape, set(filter(None, speakers))), key=len, reverse=True))
    if not names:
        return None
    forms = (
        rf"(?:{names}){_STARS}[ \t]?{_COLON}(?!//){_STARS}",
        rf"<[@+%&~]?(?:{names})>{_STARS}(?=\s|$)",
        rf"\[(?:{names})\]{_STARS}:?(?=\s|$)",
    )
    return re.compile(rf"{_TIME}{_STARS}(?:{'|'.join(forms)})", re.IGNORECASE | re.MULTILINE)
