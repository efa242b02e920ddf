"""What tells who people are, taken out of texts that leave the database."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from bot.context import NEUTRAL_NAME
from bot.prompting import label, speaker_labels
from storage.records import NOBODY, Conversation, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MENTION = re.compile(r"<(@[!&]?|#)[0-9]{1,20}>")
EMOJI = re.compile(r"<a?(:\w{1,32}:)[0-9]{1,20}>")
SNOWFLAKE = re.compile(r"(?<![0-9])(?<![0-9][.,])[0-9]{17,20}(?![0-9])")
"""A bare number that may be an id, as in links to messages. Not a long fraction's digits."""

_DIGITS = "0123456789"
_LEAST_DIGITS = 17
_NO_DIGITS = bytes(sorted(set(range(256)) - set(_DIGITS.encode())))
_PLACEHOLDERS = re.compile(r"(?:[\W_]*<[A-Z]+>)+[\W_]*")
_SHORTEST = 2
"""A character alone is nearly always something else than a name."""


class Anonymity:
    """Texts of one conversation as `redact` leaves them, without ids, `Member n` for names.

    Members are counted in the order of their first words. Found are display names, as
    Discord has them and as the models were given them, whole and whatever their capitals.
    Not found are parts of names, nicknames, names that are inflected, misspelt or grown
    together with other letters, and people who say nothing in the conversation. A word
    that happens to be somebody's name is replaced as well. The bot keeps its name.
    """

    def __init__(
        self, own: str, people: tuple[tuple[int, str], ...], redact: Callable[[str], str]
    ) -> None:
        self._redact = redact
        self._members, self._names = _called(own, people, redact)

    def of(self, text: str) -> str:
        """A text as it may leave."""
        text = without_ids(self._redact(text))
        names = self._names
        if names.ascii and text.isascii():
            # Most texts have no name in them, and the search for one is most of the work.
            folded = text.lower()
            for name in names.ascii:
                if name in folded:
                    break
            else:
                return text
        return names.pattern.sub(self._member, text)

    def conversation(self, conversation: Conversation) -> Conversation:
        """The same turns, under nobody's name."""
        turns = [
            Turn(
                author_id=turn.author_id,
                name=turn.name if turn.is_bot else self._members[turn.author_id],
                text=self.of(turn.text),
                is_bot=turn.is_bot,
                message_id=turn.message_id,
            )
            for turn in conversation.turns
        ]
        return Conversation(
            turns=tuple(turns),
            bot_name=conversation.bot_name,
            continuing=conversation.continuing,
        )

    def _member(self, found: re.Match[str]) -> str:
        member = self._names.instead[found.lastindex - 1] if found.lastindex else None
        return found[0] if member is None else member


_made_once = lru_cache(maxsize=4096)(Anonymity)


class _Names:
    """What finds names, and what stands for each group of it; None for the bot's own.

    `ascii` are the names that are replaced, in small letters; empty where one has others.
    """

    def __init__(self, known: list[tuple[str, str | None]]) -> None:
        replaced = [name for name, member in known if member]
        self._known = known
        self.instead = tuple(member for _, member in known)
        self.ascii = tuple(map(str.lower, replaced)) if all(map(str.isascii, replaced)) else ()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Not made before a text needs it, which most do not."""
        listed = "|".join(f"({re.escape(name)})" for name, _ in self._known)
        # Not \b: a name may end in what is no letter, and _Alice_ is Alice in italics.
        return re.compile(rf"(?<![^\W_])(?:{listed})(?![^\W_])", re.IGNORECASE)


def anonymity_of(
    conversation: Conversation, *, redact: Callable[[str], str] = str, kept: bool = True
) -> Anonymity:
    """What makes the texts of a conversation fit to leave.

    Among many conversations there are the same people again and again, so it is made once for
    them, and `kept`.
    """
    people = tuple([(t.author_id, t.name) for t in conversation.turns if not t.is_bot])
    make = _made_once if kept else Anonymity
    return make(conversation.bot_name, people, redact)


def _called(
    own: str, people: tuple[tuple[int, str], ...], redact: Callable[[str], str]
) -> tuple[dict[int, str], _Names]:
    """What members are called, by id, and what finds their names."""
    members = {
        who: f"Member {number}"
        for number, who in enumerate(dict.fromkeys(who for who, _ in people), start=1)
    }
    turns = tuple(Turn(author_id=who, name=name, text="") for who, name in people)
    labels = speaker_labels(Conversation(turns=turns, bot_name=own))
    called = dict.fromkeys(
        (members[who], name.strip(), labels[who]) for who, name in people if who != NOBODY
    )
    return members, _names(own, called, redact)


def _names(
    own: str, called: Iterable[tuple[str, str, str]], redact: Callable[[str], str]
) -> _Names:
    stands_for: dict[str, tuple[str, str | None]] = {
        name.casefold(): (name, None) for name in (own, label(own), NEUTRAL_NAME)
    }
    for member, *names in called:
        for name in _forms(names, redact):
            stands_for.setdefault(name.casefold(), (name, member))
    known = [found for found in stands_for.values() if len(found[0]) >= _SHORTEST]
    known.sort(key=lambda found: (-len(found[0]), found[0]))
    return _Names(known)


@lru_cache(maxsize=4096)
def _redacted(redact: Callable[[str], str], name: str) -> str:
    return redact(name)


def _forms(names: list[str], redact: Callable[[str], str]) -> Iterator[str]:
    """The names, and what redaction leaves of them in a text, unless that is nobody's."""
    yield from names
    for name in (_redacted(redact, name) for name in names):
        if not _PLACEHOLDERS.fullmatch(name):
            yield name


def without_ids(text: str) -> str:
    """The text without Discord's ids.

    Mentions name `someone`, custom emoji only themselves, and any bare number of 17 to 20
    digits becomes `[id]`: that a few long numbers go too is the price of the promise.
    """
    if "<" in text:
        text = EMOJI.sub(r"\1", MENTION.sub(r"\1someone", text))
    for digit in _DIGITS:
        if digit in text:
            return SNOWFLAKE.sub("[id]", text) if _has_many_digits(text) else text
    return text


def _has_many_digits(text: str) -> bool:
    """Whether it can hold an id: to find that out first takes a tenth of the time."""
    return len(text.encode("utf-8", "replace").translate(None, _NO_DIGITS)) >= _LEAST_DIGITS
