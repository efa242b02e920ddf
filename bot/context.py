"""The context of a battle: what of a conversation its two models get, frozen for both.

Both sides get the same turns, which are the turns that are stored. So what a member
has not agreed to is taken out first, and what one of the two cannot read is left away
for both, oldest first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.errors import BattleError, EngineError
from bot.moderation import plain
from bot.roster import template_of
from storage.records import NOBODY, Continuing, Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

    from bot.engines import Engine
    from bot.prompting import PromptTemplate
    from bot.redaction import Redactor
    from bot.roster import Roster
    from storage.records import Answer, Battle, Contender, Conversation, Vote

NEUTRAL_NAME = "someone"
PLACEHOLDER = "<message omitted>"
"""In the form that chat logs have for what is not in them, so that models know it."""

CHARACTERS_PER_TOKEN = 8
"""A text with more than these for each token of the budget is not even counted: languages
have 2 to 5, and counting the longest possible conversation would hold the event loop."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """One side: how it is prompted, and how many tokens its prompt may have."""

    template: PromptTemplate
    engine: Engine
    tokens: int


class ContextService:
    """Freezes conversations.

    `tokens` bounds the prompt of either side, its template's own text included.
    `agreed` tells which of some members, in a guild, allowed anything to be kept, `behind`
    whose words the bot had answered in some of its messages.
    """

    def __init__(
        self,
        *,
        roster: Roster,
        templates: Mapping[str, PromptTemplate],
        agreed: Callable[[Collection[int], int], Awaitable[Collection[int]]],
        behind: Callable[[Collection[int]], Awaitable[Mapping[int, Collection[int]]]],
        redactor: Redactor,
        tokens: int,
    ) -> None:
        self._roster = roster
        self._templates = templates
        self._agreed = agreed
        self._behind = behind
        self._redactor = redactor
        self._tokens = tokens

    async def freeze(
        self,
        conversation: Conversation,
        contenders: Iterable[Contender],
        *,
        template: str,
    ) -> Conversation:
        """What of `conversation` all of `contenders` are given; the prompt always is.

        `template` is for contenders that have none of their own.
        """
        return await _fitting(conversation, [self._reader(c, template) for c in contenders])

    async def without_others(
        self, conversation: Conversation, *, guild_id: int, asked_by: int
    ) -> Conversation:
        """The same rhythm, with nothing left of those who did not agree: not even their ids.

        What the bot answered them goes as well, for it may quote them. Who asks agrees by
        that. Raises BattleError where the prompt is somebody else's who did not: there is
        nothing to answer without it.
        """
        spoken = {t.message_id for t in conversation.turns if t.is_bot and t.message_id}
        behind = await self._behind(spoken) if spoken else {}
        others = {t.author_id for t in conversation.turns if not t.is_bot}.union(*behind.values())
        others -= {asked_by, NOBODY}
        if not others:
            return conversation
        kept = {asked_by, NOBODY, *await self._agreed(others, guild_id)}
        if conversation.prompt.author_id not in kept:
            raise BattleError(
                "Only whoever wrote that message can have it answered here: they have not agreed "
                "to be kept."
            )
        omitted = Turn(author_id=NOBODY, name=NEUTRAL_NAME, text=PLACEHOLDER)

        def left(turn: Turn) -> Turn:
            if not turn.is_bot:
                return turn if turn.author_id in kept else omitted
            if kept.issuperset(behind.get(turn.message_id or 0, ())):
                return turn
            return replace(turn, text=PLACEHOLDER, message_id=None)

        return replace(conversation, turns=tuple(map(left, conversation.turns)))

    async def redacted(self, conversation: Conversation) -> Conversation:
        """The same turns without what is personal in those of people."""
        return await self._redactor.conversation(conversation)

    def _reader(self, contender: Contender, default: str) -> _Reader:
        engine = self._roster.engine(contender)
        room = engine.room
        spare = self._tokens if room is None else room - contender.sampling.max_tokens
        template = self._templates[template_of(contender, default=default)]
        return _Reader(template, engine, min(self._tokens, spare))


async def _fitting(conversation: Conversation, readers: Iterable[_Reader]) -> Conversation:
    """The most turns, from the last, that every reader can read; at least the prompt.

    All of them are tried first, as they fit most often; then it is a binary search.
    """
    turns = conversation.turns
    fits, over = 1, len(turns) + 1
    tried = len(turns)
    while over - fits > 1:
        if await _all_can_read(readers, replace(conversation, turns=turns[-tried:])):
            fits = tried
        else:
            over = tried
        tried = (fits + over) // 2
    return replace(conversation, turns=turns[-fits:])


async def _all_can_read(readers: Iterable[_Reader], conversation: Conversation) -> bool:
    for reader in readers:
        await asyncio.sleep(0)  # each count holds the event loop for some milliseconds
        if not _can_read(reader, conversation):
            return False
    return True


def _can_read(reader: _Reader, conversation: Conversation) -> bool:
    length = sum(len(turn.text) for turn in conversation.turns)
    if length > reader.tokens * CHARACTERS_PER_TOKEN:
        return False
    try:
        return reader.engine.count(reader.template.render(conversation).prompt) <= reader.tokens
    except EngineError:
        return True  # it is not the length: the engine will say what it is when it is asked


def continuing_answer(
    battle: Battle, votes: Iterable[Vote], policy: Continuing = Continuing.WINNER
) -> Answer:
    """Which answer a conversation goes on from.

    The winner so far; without one, or where two answers won as often, the one of the model that
    is less raw, which keeps a chat on its course. Or always the rawer one, or the other, as
    `policy` says: base models are rawer than tuned ones, and these than instruct models.
    """
    wins = Counter(vote.winner_answer_id for vote in votes if vote.winner_answer_id is not None)

    def claim(answer: Answer) -> tuple[int, int]:
        if policy is Continuing.WINNER:
            return wins[answer.id], -answer.kind.rawness
        return 0, answer.kind.rawness * (1 if policy is Continuing.BASE else -1)

    return max(battle.answers, key=claim)


def words_of(answer: Answer) -> str:
    """What the bot is taken to have said with it: nobody read what moderation hid."""
    text = plain(answer)
    return PLACEHOLDER if text is None else text
