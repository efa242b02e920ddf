"""What people wrote and models answered, of those battles that everybody in them lets be shown."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bot.dataset.anonymity import anonymity_of
from bot.dataset.funnel import LeftOut
from bot.dataset.gate import Gate
from bot.insight.arena import UNKNOWN
from bot.insight.choosing import chosen, counted
from bot.insight.report.showing import Showing
from bot.moderation import moderated
from storage.records import Consent, Outcome
from storage.voted import AFTER_ALL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

    from bot.dataset.anonymity import Anonymity
    from bot.dataset.pseudonyms import Pseudonyms
    from bot.insight.arena import Arena
    from bot.insight.counting import Counting
    from storage.records import Cast, Kind, VotedAnswer, VotedBattle
    from storage.voted import VotedStore

ROOM = 8_000_000
"""Bytes that the texts of a page may have: with them it stays below ten million."""

LONGEST = 20_000
"""Characters of a text that are shown; no message is that long, what others collected may be."""

_VISIBLE = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"} | {
    0x7F: 0x2421,
    0x0D: None,
    **dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000)), 0xFFFD),
}
"""What steers a terminal or is no character is shown, and does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAnswer:
    """An answer with the votes for it, of those who agreed."""

    contender: str
    kind: Kind
    text: str
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownBattle:
    """A battle as it may be shown: `id` is a keyed hash, `turns` are names and texts.

    `ahead` is the contender that most votes were for, None where none was ahead.
    """

    id: str
    day: str
    topic: str | None
    language: str | None
    turns: tuple[tuple[str, str], ...]
    answers: tuple[ShownAnswer, ShownAnswer]
    undecided: int

    @property
    def ahead(self) -> str | None:
        first, second = self.answers
        if first.votes == second.votes:
            return None
        return max(first, second, key=lambda answer: answer.votes).contender

    @property
    def bytes(self) -> int:
        """About how many it takes on a page."""
        texts = [*(text for _, text in self.turns), *(answer.text for answer in self.answers)]
        return 400 + sum(len(text.encode("utf-8", "replace")) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The newest battles first; `more` is whether older ones had no room.

    `named` are the battles that were asked for one by one, by their id in the database.
    """

    battles: tuple[ShownBattle, ...] = ()
    more: bool = False
    named: Mapping[int, ShownBattle] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Finds the battles that may be shown. `free` are those of a collection, by its licence."""

    voted: VotedStore
    pseudonyms: Pseudonyms
    redact: Callable[[str], str]
    showing: Showing = Showing.PUBLISH
    free: bool = False

    async def read(
        self,
        arena: Arena,
        counting: Counting,
        *,
        limit: int,
        named: Iterable[int] = (),
        progress: Callable[[int], object] = lambda _: None,
    ) -> Texts:
        """At most `limit` of the counted battles, and those that are `named` besides.

        `progress` gets the number of battles that were looked at. Raises StorageError.
        """
        live = counted(chosen(arena, counting), counting)
        if self.showing is Showing.NONE or not len(live.battle):
            return Texts()
        show = _Show(self, live, counting)
        found: list[ShownBattle] = []
        room, looked, more = ROOM, 0, False
        async with aclosing(self._pages(counting, since=int(live.battle[0]))) as pages:
            async for page in pages:
                for battle in filter(None, map(show.battle, page)):
                    room -= battle.bytes
                    if more := len(found) >= limit or room < 0:
                        break
                    found.append(battle)
                looked += len(page)
                progress(looked)
                if more:
                    break
        apart = {}
        for number in named:
            alone = self._pages(counting, since=number, before=number + 1)
            async with aclosing(alone) as pages:
                async for page in pages:
                    if shown := show.battle(page[0]):
                        apart[number] = shown
        return Texts(battles=tuple(found), more=more, named=apart)

    def _pages(
        self, counting: Counting, *, since: int, before: int = AFTER_ALL
    ) -> AsyncGenerator[list[VotedBattle], None]:
        return self.voted.pages(
            guild_ids=counting.guilds,
            texts=(),
            simulated=counting.simulated,
            since=since,
            before=before,
        )


class _Show:
    """Judges battles: counted, agreed to, and with votes and texts to show."""

    def __init__(self, reader: Reader, live: Arena, counting: Counting) -> None:
        self._gate = None if reader.free else Gate(Consent(reader.showing))
        self._redact = reader.redact
        self._pseudonyms = reader.pseudonyms
        self._live = live
        self._author_votes = counting.author_votes

    def battle(self, voted: VotedBattle) -> ShownBattle | None:
        """What is shown of a battle; None where nothing is."""
        live = self._live
        at = int(np.searchsorted(live.battle, voted.id))
        if at == len(live.battle) or live.battle[at] != voted.id:
            return None
        admitted = voted if self._gate is None else self._gate.admit(voted)
        if isinstance(admitted, LeftOut) or admitted.wiped_because is not None:
            return None
        votes = [vote for vote in admitted.votes if self._counts(vote)]
        if not votes or any(map(moderated, voted.answers)):
            return None  # what was found unfit is not read by more people than it was
        redact = self._redact if voted.settings.get("redaction") else str
        anonymity = anonymity_of(voted.conversation, redact=redact)
        a, b = (_answer(answer, votes, anonymity) for answer in voted.answers)
        return ShownBattle(
            id=self._pseudonyms.of("battle", voted.id),
            day=voted.day,
            topic=_name(live.topics, int(live.topic[at])),
            language=_name(live.languages, int(live.language[at])),
            turns=tuple(
                (_visible(turn.name), _visible(turn.text))
                for turn in anonymity.conversation(voted.conversation).turns
            ),
            answers=(a, b),
            undecided=sum(vote.outcome != Outcome.WIN for vote in votes),
        )

    def _counts(self, vote: Cast) -> bool:
        return vote.blind and (self._author_votes or not vote.by_author)


def _answer(answer: VotedAnswer, votes: Iterable[Cast], anonymity: Anonymity) -> ShownAnswer:
    return ShownAnswer(
        contender=answer.contender,
        kind=answer.kind,
        text=_visible(anonymity.of(answer.shown)),
        votes=sum(vote.winner_answer_id == answer.id for vote in votes),
    )


def _name(names: tuple[str, ...], at: int) -> str | None:
    return None if at == UNKNOWN else names[at]


def _visible(text: str) -> str:
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    return text.translate(_VISIBLE)
