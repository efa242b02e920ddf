"""BattleService: a prompt becomes two answers and a stored battle."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.answering import heard_in
from bot.answers import normalised
from bot.context import continuing_answer, words_of
from bot.errors import (
    BattleError,
    EngineAstray,
    EngineBusy,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    LineFull,
    PromptTooLong,
    StorageError,
    TwofoldError,
)
from bot.growth import Growth, Showing
from bot.guilds import Moderation, Others
from bot.insight.topics import topic_of
from bot.moderation import plain
from storage.records import BattleState, Closing, Purpose, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime, timedelta

    from bot.admission import Admission, Place
    from bot.answering import Answering
    from bot.budgets import BudgetService
    from bot.context import ContextService
    from bot.governing import GuildService
    from bot.guilds import GuildSettings
    from bot.languages import Languages
    from bot.limits import BattleLimits
    from bot.roster import Roster
    from bot.telemetry.instruments import Instruments
    from storage.battles import BattleStore
    from storage.contenders import ContenderStore
    from storage.records import Answer, Battle, Contender, Continuing, Conversation
    from storage.shards import Shards
    from storage.votes import VoteStore

log = structlog.get_logger(__name__)

DELETED_KEPT = 1000
"""Ids of deleted messages to remember: a deletion may be heard before its battle is stored."""

_DELETED = "The message was deleted while it was answered."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A prompt that somebody wants answered twice, with where it stands.

    `asked_by` is who wants that, where it is not the author. The conversation may be that
    of a stored battle, `copy_of`. With a `parent`, its two contenders go on with its
    answers, on the same sides. `simulated` is what `twofold simulate` asks.
    """

    source_message_id: int
    guild_id: int | None
    channel_id: int
    author_id: int
    conversation: Conversation
    asked_by: int | None = None
    copy_of: Battle | None = None
    parent: Battle | None = None
    simulated: bool = False


class Audience(Protocol):
    """Those who watch a battle being answered. What they are told, they must take quickly."""

    def waits(self, place: Place | None) -> None:
        """Where the battle is in the line, whenever that changes; None when its turn has come."""

    def grows(self, growth: Growth) -> None:
        """There is more text; called only where answers are shown in lockstep."""


class BattleCancelled(BattleError):
    """The prompt went away while it was answered; nobody needs to be told."""


@dataclass(slots=True, kw_only=True)
class _Afoot:
    """A battle from its opening until its ballot is on show."""

    battle: Battle
    sides: Mapping[Side, Contender]
    asked_by: int
    template: str
    showing: Showing
    moderation: Moderation
    earlier: Mapping[Side, Answer] = field(default_factory=dict)
    counted: bool = False
    task: asyncio.Task[tuple[Answer, ...]] | None = None


class BattleService:
    """Opens, answers and cancels battles; of earlier ones it knows those on its `shards`.

    `prompt_key` is the same for prompts that say the same; it may take milliseconds.
    """

    def __init__(  # noqa: PLR0913 - collaborators, all by keyword
        self,
        *,
        battles: BattleStore,
        votes: VoteStore,
        contenders: ContenderStore,
        roster: Roster,
        answering: Answering,
        context: ContextService,
        guilds: GuildService,
        admission: Admission,
        limits: BattleLimits,
        budgets: BudgetService,
        default_template: str,
        default_showing: Showing,
        prompt_key: Callable[[Conversation], int],
        languages: Languages,
        clock: Callable[[], datetime],
        shards: Shards,
        instruments: Instruments,
    ) -> None:
        self._battles = battles
        self._votes = votes
        self._contenders = contenders
        self._roster = roster
        self._answering = answering
        self._context = context
        self._guilds = guilds
        self._admission = admission
        self._limits = limits
        self._budgets = budgets
        self._default_template = default_template
        self._default_showing = default_showing
        self._prompt_key = prompt_key
        self._languages = languages
        self._clock = clock
        self._shards = shards
        self._instruments = instruments
        self._deleted: deque[int] = deque(maxlen=DELETED_KEPT)
        self._afoot: dict[int, _Afoot] = {}
        self.unfinished: tuple[Battle, ...] = ()
        """What an earlier process was answering when it ended."""
        self.unshown: tuple[Battle, ...] = ()
        """What it had answered, and may not have shown, the latest first."""

    async def start(self) -> None:
        """Register the roster; find what an earlier process left unfinished."""
        await self._contenders.register(self._roster.contenders, at=self._clock())
        self.unfinished = await self._battles.left_answering(at=self._clock(), shards=self._shards)
        self.unshown = await self._battles.unshown(shards=self._shards)
        if self.unfinished:
            log.warning("battles were left unfinished", battles=[b.id for b in self.unfinished])

    def is_at_work(self, slug: str) -> bool:
        """Whether a contender is in a battle that is being answered."""
        return any(
            contender.slug == slug
            for afoot in self._afoot.values()
            for contender in afoot.sides.values()
        )

    def age(self, battle: Battle) -> timedelta:
        """For how long somebody waits for it."""
        return self._clock() - battle.created_at

    async def resume(self, battle: Battle) -> None:
        """Take up a battle of an earlier process, to be answered from its beginning.

        The conversation stays as it was frozen; the two contenders are drawn anew, as nobody
        has noted which they were. Raises BattleError where it cannot go on, BattleCancelled
        where the prompt was deleted since the start.
        """
        if not _prompts(battle).isdisjoint(self._deleted):
            await self._battles.cancel(battle.id, at=self._clock())
            raise BattleCancelled(_DELETED)
        settings = await self._guilds.settings(battle.guild_id)
        parent = await self._battles.get(battle.parent_id) if battle.parent_id else None
        without = await self._budgets.used_up()
        if parent is None:
            both = battle.purpose is Purpose.CONTROL
            sides = self._roster.draw(
                settings.contenders, without=without, control_share=100 * both
            )
        elif parent.wiped_because is None:
            sides = self._answering.contenders_of(parent)
            self._roster.check_permitted(sides.values(), settings.contenders, without=without)
        else:
            raise BattleError("The texts of this battle are not kept any more.")
        self._instruments.begun(battle.purpose)
        self._begin(battle, sides, settings, parent)

    async def admit(self, *, guild_id: int | None, channel_id: int, member_id: int) -> None:
        """Count a battle for a member before any work is done for it. Raises LimitReached."""
        settings = await self._guilds.settings(guild_id)
        self._limits.admit(
            member_id=member_id, channel_id=channel_id, guild_id=guild_id, settings=settings
        )

    async def open(self, ask: Ask) -> Battle | None:
        """Draw two contenders, freeze the context for both and store the battle as `answering`.

        None where this message already has one, or was deleted while it was read, or where
        the battle that it copies was wiped. Raises BattleError.
        """
        settings = await self._guilds.settings(ask.guild_id)
        template = settings.template or self._default_template
        conversation = ask.conversation
        if settings.others is Others.PLACEHOLDER and ask.guild_id is not None:
            conversation = await self._context.without_others(
                conversation, guild_id=ask.guild_id, asked_by=ask.asked_by or ask.author_id
            )
        if settings.redaction:
            conversation = await self._context.redacted(conversation)
        without = await self._budgets.used_up()
        if ask.parent is None:
            sides = self._roster.draw(
                settings.contenders, without=without, control_share=settings.control_share
            )
            conversation = await self._context.freeze(
                conversation, sides.values(), template=template
            )
        elif conversation == ask.conversation:
            sides = self._answering.contenders_of(ask.parent)
            self._roster.check_permitted(sides.values(), settings.contenders, without=without)
        else:
            raise BattleError(
                "These answers read messages that may not be kept here any more, so they cannot "
                "go on. Ask again."
            )
        prompt = conversation.prompt.text
        key, topic, language = await asyncio.gather(
            asyncio.to_thread(self._prompt_key, conversation),
            asyncio.to_thread(topic_of, prompt),
            self._languages.of(prompt),
        )
        battle = await self._battles.create(
            source_message_id=ask.source_message_id,
            guild_id=ask.guild_id,
            channel_id=ask.channel_id,
            author_id=ask.author_id,
            conversation=conversation,
            prompt_key=key,
            topic=topic,
            language=language,
            purpose=Purpose.CONTROL if sides[Side.A] == sides[Side.B] else Purpose.LIVE,
            parent_id=ask.parent.id if ask.parent else None,
            copy_of_id=ask.copy_of.id if ask.copy_of else None,
            simulated=ask.simulated,
            at=self._clock(),
        )
        if battle is None:
            return None
        self._instruments.begun(battle.purpose)
        if not _prompts(battle).isdisjoint(self._deleted):
            await self._battles.cancel(battle.id, at=self._clock())
            return None
        self._begin(battle, sides, settings, ask.parent, asked_by=ask.asked_by)
        return battle

    def _begin(
        self,
        battle: Battle,
        sides: Mapping[Side, Contender],
        settings: GuildSettings,
        parent: Battle | None,
        *,
        asked_by: int | None = None,
    ) -> None:
        self._afoot[battle.source_message_id] = _Afoot(
            battle=battle,
            sides=sides,
            asked_by=asked_by or battle.author_id,
            template=settings.template or self._default_template,
            showing=settings.showing or self._default_showing,
            moderation=settings.moderation,
            earlier={a.side: a for a in parent.answers} if parent else {},
        )

    async def answer(self, battle: Battle, audience: Audience | None = None) -> Battle:
        """Have both sides answer, and open the battle for votes.

        It is closed at once where both say the same. Raises BattleCancelled if the prompt
        was deleted meanwhile, BattleError if a side could not answer; nothing is left to
        vote on then.
        """
        afoot = self._afoot.get(battle.source_message_id)
        if afoot is None:
            raise BattleCancelled(_DELETED)
        afoot.task = asyncio.ensure_future(self._answers(afoot, audience))
        try:
            finished = await afoot.task
            same = _say_the_same(finished)
            with self._instruments.stage("store"):
                opened = await self._battles.open(
                    battle.id,
                    finished,
                    closing=Closing.SAME_TEXT if same else None,
                    at=self._clock(),
                )
        except asyncio.CancelledError:
            if battle.source_message_id not in self._afoot:
                raise BattleCancelled(_DELETED) from None
            raise  # the row stays: the next start tells of it where this process cannot
        except Exception as error:
            log.warning("battle failed", battle=battle.id, error=repr(error))
            self._instruments.failed("battle", error)
            with suppress(StorageError):
                await self.abandon(battle, reason=type(error).__name__)
            if isinstance(error, TwofoldError):
                raise BattleError(_failure(error, goes_on=bool(afoot.earlier))) from error
            raise
        if opened is None:
            raise BattleCancelled(_DELETED)
        self._ended(afoot, "same_text" if same else "open")
        return opened

    async def _answers(self, afoot: _Afoot, audience: Audience | None) -> tuple[Answer, ...]:
        # What grows on show has not been moderated.
        lockstep = afoot.showing is Showing.LOCKSTEP and afoot.moderation is Moderation.OFF
        conversation = afoot.battle.conversation
        growth = Growth(
            heard=heard_in(conversation),
            changed=audience.grows if audience and lockstep else _unheard,
        )
        turn = self._admission.turn(
            audience.waits if audience else _unheard,
            group=afoot.battle.guild_id or afoot.battle.channel_id,
            member=afoot.asked_by,
        )
        async with AsyncExitStack() as held:
            with self._instruments.stage("queue"):
                await held.enter_async_context(turn)
            with self._instruments.stage("answer"):
                return await self._answering.answer(
                    conversation,
                    afoot.sides,
                    template=afoot.template,
                    growth=growth,
                    earlier=afoot.earlier,
                    moderation=afoot.moderation,
                )

    async def abandon(self, battle: Battle, *, reason: str) -> None:
        """Give a battle up: it failed, or could not be shown. It will take no votes."""
        if afoot := self._afoot.pop(battle.source_message_id, None):
            self._ended(afoot, "interrupted" if reason == "interrupted" else "failed")
        await self._battles.fail(battle.id, reason=reason, at=self._clock())

    def _ended(self, afoot: _Afoot, outcome: str) -> None:
        """Count how a battle ended, once."""
        if not afoot.counted:
            afoot.counted = True
            self._instruments.ended(outcome)

    async def placed(self, source_message_id: int, message_id: int) -> None:
        """Note which message will show a battle that is still being answered."""
        if afoot := self._afoot.get(source_message_id):
            await self._battles.placed(afoot.battle.id, message_id)

    async def shown(self, battle: Battle, message_id: int) -> bool:
        """Note which message shows the battle; False where the prompt was deleted meanwhile."""
        self._afoot.pop(battle.source_message_id, None)
        on_show = await self._battles.shown(battle.id, message_id)
        if battle.state is BattleState.CLOSED:
            await self._battles.revealed(battle.id, at=self._clock())
        return on_show

    async def cancel(self, message_id: int) -> None:
        """A message was deleted: stop answering it and keep nothing of its text.

        A battle that is on show already stays: its votes were given.
        """
        self._deleted.append(message_id)
        await self._withdraw(a for a in self._afoot.values() if message_id in _prompts(a.battle))

    async def cancel_in(self, place_id: int) -> None:
        """A channel, thread or server is gone: stop answering there, and keep no text of it."""
        await self._withdraw(
            a for a in self._afoot.values() if place_id in (a.battle.channel_id, a.battle.guild_id)
        )

    async def _withdraw(self, battles: Iterable[_Afoot]) -> None:
        gone = list(battles)
        for afoot in gone:  # all at once: while one is stored as cancelled, another may end
            del self._afoot[afoot.battle.source_message_id]
            self._ended(afoot, "cancelled")
            if afoot.task is not None:
                afoot.task.cancel()
        for afoot in gone:
            await self._battles.cancel(afoot.battle.id, at=self._clock())

    async def on_show(self, battle_id: int, *, guild_id: int | None, channel_id: int) -> Battle:
        """The battle that a ballot there shows; raises BattleError where there is none."""
        battle = await self._battles.get(battle_id)
        if battle is None or (battle.guild_id, battle.channel_id) != (guild_id, channel_id):
            raise BattleError("This ballot is not known here. Look at a newer one.")
        if battle.state is BattleState.CANCELLED:
            raise BattleError("The message was deleted, so nothing is left of this battle.")
        if battle.state not in {BattleState.OPEN, BattleState.CLOSED}:
            raise BattleError("This battle was given up; nothing is left of it.")
        if battle.wiped_because is not None:
            raise BattleError("The texts of this battle are not kept any more.")
        return battle

    async def answered(self, message_id: int) -> Battle | None:
        """The battle that was opened for a message, however it ended."""
        return await self._battles.by_source(message_id)

    def full_text(self, battle: Battle, side: Side) -> str:
        """All that the answer on a side says, tidied and masked as what is shown of it."""
        return self._answering.full_text(battle.conversation, battle.answer(side))

    async def spoken(self, message_ids: Iterable[int], continuing: Continuing) -> Mapping[int, str]:
        """What the bot is taken to have said in those of its messages that show battles."""
        battles = await self._battles.by_shown_many(tuple(message_ids))
        return {
            message_id: words_of(
                continuing_answer(battle, await self._votes.for_battle(battle.id), continuing)
            )
            for message_id, battle in battles.items()
            if battle.answers
        }


def _prompts(battle: Battle) -> set[int | None]:
    """The messages that a battle answers: what opened it, and where its prompt stands."""
    return {battle.source_message_id, battle.conversation.prompt.message_id}


def _say_the_same(answers: Iterable[Answer]) -> bool:
    """What is hidden may be anything."""
    said = {None if (text := plain(answer)) is None else normalised(text) for answer in answers}
    return len(said) == 1 and None not in said


def _unheard(_: object) -> None:
    """Nobody watches."""


def _failure(error: TwofoldError, *, goes_on: bool) -> str:
    """What the member reads: never which of the two it was, always what to do."""
    if isinstance(error, PromptTooLong):
        if goes_on:
            return "There is no room left to go on. Write what you want to hear as a new message."
        return "That is more text than one of the two models can read. Send a shorter message."
    if isinstance(error, LineFull):
        what = error.user_message
    elif isinstance(error, EngineBusy):
        what = "Both models are busy with other messages."
    elif isinstance(error, EngineTimeout):
        what = "One of the two models did not answer in time."
    elif isinstance(error, EngineAstray):
        what = "One of the two models did not answer as it should."
    elif isinstance(error, EngineUnreachable):
        what = "One of the two models could not be reached."
    elif isinstance(error, EngineError):
        what = "One of the two models could not answer."
    else:
        what = "The answers could not be stored."
    again = "Try again in a moment." if error.retryable else "The operator's log says why."
    return f"{what} Nothing was recorded. {again}"
