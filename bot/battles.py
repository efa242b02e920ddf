"""BattleService: a prompt becomes two answers and a stored battle."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from bot.errors import (
    BattleError,
    EngineBusy,
    EngineError,
    EngineTimeout,
    PromptTooLong,
    TwofoldError,
)
from storage.records import Answer, BattleState, Kind, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from bot.answering import Answering
    from bot.guilds import GuildService
    from bot.roster import Roster
    from storage.battles import BattleStore
    from storage.contenders import ContenderStore
    from storage.records import Battle, Conversation, Vote
    from storage.votes import VoteStore

log = structlog.get_logger(__name__)

DELETED_KEPT = 1000
"""Ids of deleted messages to remember: a deletion may be heard before its battle is stored."""

_DELETED = "The message was deleted while it was answered."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A prompt that somebody wants answered twice, with where it stands."""

    source_message_id: int
    guild_id: int | None
    channel_id: int
    author_id: int
    conversation: Conversation


class BattleCancelled(BattleError):
    """The prompt went away while it was answered; nobody needs to be told."""


class BattleService:
    """Opens, answers and cancels battles."""

    def __init__(
        self,
        *,
        battles: BattleStore,
        votes: VoteStore,
        contenders: ContenderStore,
        roster: Roster,
        answering: Answering,
        guilds: GuildService,
        default_template: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._battles = battles
        self._votes = votes
        self._contenders = contenders
        self._roster = roster
        self._answering = answering
        self._guilds = guilds
        self._default_template = default_template
        self._clock = clock
        self._deleted: deque[int] = deque(maxlen=DELETED_KEPT)
        self._running: dict[int, asyncio.Task[tuple[Answer, ...]]] = {}

    async def start(self) -> None:
        """Register the roster; give up battles that an earlier process left half-answered."""
        await self._contenders.register(self._roster.contenders, at=self._clock())
        expired = await self._battles.expire_unfinished(reason="interrupted", at=self._clock())
        if expired:
            log.warning("unfinished battles were given up", battles=[b.id for b in expired])

    async def open(self, ask: Ask) -> Battle | None:
        """Store the battle as `answering`.

        None where this message already has one, or was deleted while it was read.
        """
        battle = await self._battles.create(
            source_message_id=ask.source_message_id,
            guild_id=ask.guild_id,
            channel_id=ask.channel_id,
            author_id=ask.author_id,
            conversation=ask.conversation,
            purpose=Purpose.LIVE,
            at=self._clock(),
        )
        if battle is not None and ask.source_message_id in self._deleted:
            await self._battles.cancel(battle.id, at=self._clock())
            return None
        return battle

    async def answer(self, battle: Battle) -> Battle:
        """Have both sides answer, and open the battle for votes.

        Raises BattleCancelled if the prompt was deleted meanwhile, BattleError if
        a side could not answer; nothing is left to vote on then.
        """
        settings = await self._guilds.settings(battle.guild_id)
        task = asyncio.ensure_future(
            self._answering.answer(
                battle.conversation,
                self._roster.draw(),
                template=settings.template or self._default_template,
            )
        )
        self._running[battle.source_message_id] = task
        try:
            finished = await task
        except asyncio.CancelledError:
            if await self._is_cancelled(battle):
                raise BattleCancelled(_DELETED) from None
            await self.abandon(battle, reason="interrupted")
            raise
        except Exception as error:
            log.warning("battle failed", battle=battle.id, error=repr(error))
            await self.abandon(battle, reason=type(error).__name__)
            if isinstance(error, TwofoldError):
                raise BattleError(_failure(error)) from error
            raise
        finally:
            del self._running[battle.source_message_id]
        opened = await self._battles.open(battle.id, finished, at=self._clock())
        if opened is None:
            raise BattleCancelled(_DELETED)
        return opened

    async def abandon(self, battle: Battle, *, reason: str) -> None:
        """Give a battle up: it failed, or could not be shown. It will take no votes."""
        await self._battles.fail(battle.id, reason=reason, at=self._clock())

    async def shown(self, battle: Battle, message_id: int) -> None:
        """Note which message shows the battle."""
        await self._battles.shown(battle.id, message_id)

    async def cancel(self, source_message_id: int) -> None:
        """The prompt was deleted: stop answering it and keep nothing of its text.

        A battle that is on show already stays: its votes were given.
        """
        self._deleted.append(source_message_id)
        battle = await self._battles.by_source(source_message_id)
        if battle is None or battle.shown_message_id is not None:
            return
        await self._battles.cancel(battle.id, at=self._clock())
        if task := self._running.get(source_message_id):
            task.cancel()

    async def spoken(self, message_ids: Iterable[int]) -> Mapping[int, str]:
        """What the bot is taken to have said in those of its messages that show battles."""
        battles = await self._battles.by_shown_many(tuple(message_ids))
        return {
            message_id: continuing_answer(battle, await self._votes.for_battle(battle.id)).shown
            for message_id, battle in battles.items()
            if battle.answers
        }

    @property
    def running(self) -> int:
        """How many battles are being answered now."""
        return len(self._running)

    async def _is_cancelled(self, battle: Battle) -> bool:
        stored = await self._battles.get(battle.id)
        return stored is not None and stored.state is BattleState.CANCELLED


def continuing_answer(battle: Battle, votes: Iterable[Vote]) -> Answer:
    """Which answer a conversation goes on from: the winner so far, else the instruct one.

    A tie in wins, or no win at all, leaves it to the instruct side, which keeps a
    chat on its course; the first answer where there is no instruct side.
    """
    wins = Counter(vote.winner_answer_id for vote in votes if vote.winner_answer_id is not None)
    by_wins = sorted(
        battle.answers, key=lambda a: (wins[a.id], a.kind is Kind.INSTRUCT), reverse=True
    )
    return by_wins[0]


def _failure(error: TwofoldError) -> str:
    """What the member reads: never which of the two it was, always what to do."""
    if isinstance(error, PromptTooLong):
        return "That is more text than one of the two models can read. Send a shorter message."
    if isinstance(error, EngineBusy):
        what = "Both models are busy with other messages."
    elif isinstance(error, EngineTimeout):
        what = "One of the two models did not answer in time."
    elif isinstance(error, EngineError):
        what = "One of the two models could not answer."
    else:
        what = "The answers could not be stored."
    again = "Try again in a moment." if error.retryable else "The operator's log says why."
    return f"{what} Nothing was recorded. {again}"
