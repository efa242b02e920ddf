"""What tells who people are in a text, found and masked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.leaks import MASK
from bot.redaction.patterns import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ID = "id"
NAME = "name"
SECRET = "SECRET"  # noqa: S105 - the name of a kind

_IDS = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9][.,])[0-9]{17,20}(?![0-9A-Za-z])"
    r"|<(?:@[!&]?|\#)[0-9]{1,20}>|<a?:\w{1,32}:[0-9]{1,20}>"
    r"|(?i:discord(?:app)?\.com/(?:channels|invite)/[\w/-]+|discord\.gg/[\w-]+)"
)
"""Bare ids, mentions, emoji of a server, links to messages, invites."""

_ID_CLUE = re.compile(r"[0-9]{17}|<[@#:a]|[Dd](?:iscord|ISCORD)")

_ISSUED = ("hf_", "npm_", "ghp_", "gho_", "ghs_", "ghu_", "ghr_")
_CALLED = ("pass", "pwd", "key", "token", "secret")
_CLUES = tuple(
    (words, re.compile(pattern))
    for words, pattern in (
        (("@",), r"@"),
        (("at)", "at]", "at )", "at ]"), r"[(\[]\s?at\s?[)\]]"),
        (("-----begin",), r"-----begin"),
        (("=",), r"[?&#][\w-]+="),
        ((":",), r"[23][0-9a-f]{3}:[0-9a-f]{0,4}:"),
        ((".",), r"\.\d{1,3}\.\d{1,3}\.\d"),
        (("",), r"\d(?:[^\w\n]{0,4}\d){6}"),
        (("bearer", "basic"), r"(?:bearer|basic)\s+\S{16}"),
        (_ISSUED, r"(?:hf|npm|gh[opsur])_[a-z0-9]{30}"),
        *(((word,), rf"{word}[a-z]*[\"']?\s*(?:[:=]|is\b)\s*[^\s]{{0,80}}\d") for word in _CALLED),
    )
)
_LONG_WORD = re.compile(r"\S{20,}")
"""Whatever redaction knows has one of these, or a long word with a digit in it: the pattern,
looked for in the lower-case text where one of the words is. Finding what it is takes longer."""

_RESERVED = re.compile(r"(?i:@(?:[\w-]+\.)*(?:example(?:\.(?:com|net|org))?|test|invalid))$")
"""Domains that nobody has. Source: RFC 2606."""

_SHORTEST = 2
_WORD = re.compile(r"[^\W_]+")
_DIGIT = re.compile(r"\d")

Leak = tuple[str, int, int]
"""Kind, start and end."""


class Names:
    """Names that must not occur, whole and whatever their capitals."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        told = {" ".join(name.split()) for name in names}
        self._names = sorted((n for n in told if len(n) >= _SHORTEST), key=lambda n: (-len(n), n))
        self._by_word: dict[str, list[str]] = {}
        self._odd: list[str] = []
        for name in map(str.casefold, self._names):
            word = _WORD.match(name)
            (self._by_word.setdefault(word[0], []) if word else self._odd).append(name)

    def __len__(self) -> int:
        return len(self._names)

    def find(self, text: str) -> Iterator[Leak]:
        """Where the names are, in the folded text: its positions are only nearly the text's."""
        if not self._names:
            return
        folded = text.casefold()
        for word in _WORD.finditer(folded):
            for name in self._by_word.get(word[0], ()):
                if folded.startswith(name, word.start()) and _ends(folded, word.start(), name):
                    yield NAME, word.start(), word.start() + len(name)
                    break
        for name in self._odd:
            if (start := folded.find(name)) >= 0:
                yield NAME, start, start + len(name)

    def masked(self, text: str) -> str:
        """The text without them."""
        for name in self._names:
            text = re.sub(re.escape(name), MASK, text, flags=re.IGNORECASE)
        return text


def leaks(text: str, names: Names) -> list[Leak]:
    """Everything in a text that tells who somebody is."""
    found: list[Leak] = []
    if _ID_CLUE.search(text):
        found += ((ID, *match.span()) for match in _IDS.finditer(text))
    found += _personal(text)
    found += names.find(text)
    return found


def masked(text: str, names: Names) -> str:
    """The text without anything of that."""
    spans = [(one.start, one.end) for one in find(text)]
    spans += [match.span() for match in _IDS.finditer(text)]
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]}{MASK}{text[end:]}"
    return names.masked(text)


def _ends(text: str, start: int, name: str) -> bool:
    """Whether no letter goes on after a name."""
    after = text[start + len(name) : start + len(name) + 1]
    return not _WORD.match(after)


def _personal(text: str) -> Iterator[Leak]:
    """What redaction knows, with its place; looked for only in lines that may hold some."""
    for start, passage in _passages(text):
        for one in find(passage):
            reserved = one.kind == "EMAIL" and _RESERVED.search(passage[one.start : one.end])
            if not reserved:
                yield one.kind, start + one.start, start + one.end


def _passages(text: str) -> Iterator[tuple[int, str]]:
    """Runs of lines that may hold something personal, each with the line before it."""
    begin = end = 0
    for clue in sorted(_clues(text)):
        if clue < end:
            continue
        start = _line(text, _line(text, clue) - 1)
        if start > end:
            if begin < end:
                yield begin, text[begin:end]
            begin = start
        end = text.find("\n", clue) % (len(text) + 1)
    if begin < end:
        yield begin, text[begin:end]


def _clues(text: str) -> Iterator[int]:
    """The ends of all clues."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(char.lower() if char.isascii() else char for char in text)
    for words, pattern in _CLUES:
        if any(word in lower for word in words):
            yield from (clue.end() - 1 for clue in pattern.finditer(lower))
    yield from (word.end() - 1 for word in _LONG_WORD.finditer(text) if _DIGIT.search(word[0]))


def _line(text: str, at: int) -> int:
    """Where the line begins that holds a place."""
    return text.rfind("\n", 0, max(at, 0)) + 1
