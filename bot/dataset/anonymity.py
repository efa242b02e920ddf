"""What tells who people are, taken out of texts that leave the database."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.context import NEUTRAL_NAME
from bot.moderation import plain
from bot.prompting import label, speaker_labels
from storage.records import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from storage.records import Answer, Battle, Conversation

MENTION = re.compile(r"<(@[!&]?|#)[0-9]{1,20}>")
EMOJI = re.compile(r"<a?(:\w{1,32}:)[0-9]{1,20}>")
SNOWFLAKE = re.compile(r"(?<![0-9])(?<![0-9][.,])[0-9]{17,20}(?![0-9])")
"""A bare number that may be an id, as in links to messages. Not a long fraction's digits."""

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

    def __init__(self, conversation: Conversation, *, redact: Callable[[str], str] = str) -> None:
        self._redact = redact
        people = [turn for turn in conversation.turns if not turn.is_bot]
        authors = dict.fromkeys(turn.author_id for turn in people)
        self._members = {who: f"Member {number}" for number, who in enumerate(authors, start=1)}
        labels = speaker_labels(conversation)
        own = conversation.bot_name
        stands_for: dict[str, tuple[str, str | None]] = {
            name.casefold(): (name, None) for name in (own, label(own), NEUTRAL_NAME)
        }
        for turn in people:
            if turn.author_id != NOBODY:
                for name in self._forms(turn.name.strip(), labels[turn.author_id]):
                    found = (name, self._members[turn.author_id])
                    stands_for.setdefault(name.casefold(), found)
        known = [found for found in stands_for.values() if len(found[0]) >= _SHORTEST]
        known.sort(key=lambda found: (-len(found[0]), found[0]))
        self._instead = [member for _, member in known]
        names = "|".join(f"({re.escape(name)})" for name, _ in known)
        # Not \b: a name may end in what is no letter, and _Alice_ is Alice in italics.
        self._names = re.compile(rf"(?<![^\W_])(?:{names})(?![^\W_])", re.IGNORECASE)

    def of(self, text: str) -> str:
        """A text as it may leave."""
        return self._names.sub(self._member, without_ids(self._redact(text)))

    def battle(self, battle: Battle) -> Battle:
        """The battle as it may leave: of its answers only what people saw, without spoiler bars."""
        return replace(
            battle,
            conversation=self.conversation(battle.conversation),
            answers=tuple(map(self._answer, battle.answers)),
        )

    def conversation(self, conversation: Conversation) -> Conversation:
        """The same turns, under nobody's name."""
        turns = (
            replace(
                turn,
                name=turn.name if turn.is_bot else self._members[turn.author_id],
                text=self.of(turn.text),
            )
            for turn in conversation.turns
        )
        return replace(conversation, turns=tuple(turns))

    def _answer(self, answer: Answer) -> Answer:
        return replace(answer, shown=self.of(plain(answer) or ""), raw="", rendered="")

    def _forms(self, *names: str) -> Iterator[str]:
        """The names, and what redaction leaves of them in a text, unless that is nobody's."""
        yield from names
        for name in map(self._redact, names):
            if not _PLACEHOLDERS.fullmatch(name):
                yield name

    def _member(self, found: re.Match[str]) -> str:
        member = self._instead[found.lastindex - 1] if found.lastindex else None
        return found[0] if member is None else member


def without_ids(text: str) -> str:
    """The text without Discord's ids.

    Mentions name `someone`, custom emoji only themselves, and any bare number of 17 to 20
    digits becomes `[id]`: that a few long numbers go too is the price of the promise.
    """
    text = MENTION.sub(r"\1someone", text)
    return SNOWFLAKE.sub("[id]", EMOJI.sub(r"\1", text))
