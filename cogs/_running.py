"""Running a battle: from a prompt to its message, whatever happens in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import discord
import structlog

from bot.battles import BattleCancelled
from bot.errors import BattleError, StorageError
from cogs._edits import FAULTS
from cogs._persisting import persistently
from cogs._render import battles as battle_views
from cogs._stage import PrivateStage, Stage
from cogs._typing import Sign, Typing
from cogs.errors import sentence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from discord.ui import LayoutView

    from bot.battles import Ask, BattleService
    from bot.telemetry.instruments import Instruments
    from cogs._edits import Editable, Edits
    from storage.records import Battle, Turn

log = structlog.get_logger(__name__)

T = TypeVar("T")

DRAIN_SECONDS = 7.0
LAST_WORDS_SECONDS = 1.0
"""How long a closing client waits for battles, and then for sentences that say that it gave
them up; supervisors kill after ten seconds."""

UNKNOWN_MESSAGE, BAD_FORM = 10008, 50035
"""Discord's codes for a message that no longer exists, and for anything wrong in a body."""

TOKEN_GONE = {10015, 50027}
"""Its codes for an interaction whose quarter of an hour is over."""


class Runner:
    """Has battles answered on stages, and waits for them when the client closes."""

    def __init__(self, battles: BattleService, *, edits: Edits, instruments: Instruments) -> None:
        self._battles = battles
        self._instruments = instruments
        self._edits = edits
        self._typing = Typing()
        self._at_work: set[asyncio.Task[Any]] = set()
        self.closing = False
        """Whether no battle begins any more, as the client closes."""

    def replying(self, to: discord.Message) -> Stage:
        """A stage below a message, for the battle that is opened for it."""
        return Stage(
            send=reply(to, nonce=to.id),
            placed=partial(self._battles.placed, to.id),
            sign=Sign(self._typing, to.channel),
            edits=self._edits,
            bucket=to.channel.id,
        )

    def responding(
        self,
        interaction: discord.Interaction,
        *,
        to: discord.Message | discord.PartialMessage | None = None,
        source_message_id: int | None = None,
        asked: Turn | None = None,
        meanwhile: str | None = None,
    ) -> Stage:
        """A stage for one who pressed or commanded something, which was deferred.

        It stands below the message `to` where there is one, else below the response, and
        says then what was `asked`. The battle is opened for `source_message_id`, or for
        the interaction. `meanwhile` takes the place of what was pressed.
        """
        source = source_message_id or interaction.id

        async def follow_up(view: LayoutView) -> Editable:
            return await _follow_up(interaction, view)

        return PrivateStage(
            interaction,
            send=reply(to, nonce=source) if to else follow_up,
            placed=partial(self._battles.placed, source),
            sign=Sign(self._typing, to.channel) if to else None,
            edits=self._edits,
            bucket=to.channel.id if to else interaction.id,
            asked=asked,
            meanwhile=meanwhile,
        )

    def resuming(
        self,
        battle: Battle,
        *,
        channel: discord.PartialMessageable,
        send: Callable[[LayoutView], Awaitable[Editable]],
        doubtful: bool,
    ) -> Stage:
        """A stage for a battle of an earlier process; `doubtful` as for the stage."""
        prompt = battle.conversation.prompt
        return Stage(
            send=send,
            placed=partial(self._battles.placed, battle.source_message_id),
            sign=Sign(self._typing, channel),
            edits=self._edits,
            bucket=battle.channel_id,
            asked=None if prompt.message_id else prompt,
            doubtful=doubtful,
        )

    async def hold(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something that a closing client waits for. Raises BattleError where it closes."""
        if self.closing:
            work.close()
            raise BattleError(battle_views.RESTARTING)
        return await self.begin(work)

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """The same, for who waits for nothing."""
        task = asyncio.ensure_future(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return task

    async def drain(self) -> None:
        """Let running battles end before the client closes; give the rest up.

        What cannot be said of it in time is said at the next start.
        """
        self.closing = True
        if not self._at_work:
            return
        log.info("waiting for battles to end", battles=len(self._at_work))
        ended, left = await asyncio.wait(self._at_work, timeout=DRAIN_SECONDS)
        given_up = len(left)
        for _ in range(2):  # the first time each may still say that it ends
            for task in left:
                task.cancel()
            if left:
                _, left = await asyncio.wait(left, timeout=LAST_WORDS_SECONDS)
        tell = log.warning if given_up else log.info
        tell("battles ended, or were given up", ended=len(ended), given_up=given_up)

    async def run(self, ask: Ask, stage: Stage) -> bool:
        """Open, answer and show a battle, or explain why not; False if there is none to open.

        Raises LimitReached and BattleError where it may not be opened.
        """
        with self._instruments.work("battle", guild=ask.guild_id, channel=ask.channel_id) as work:
            with self._instruments.stage("open"):
                battle = await self._battles.open(ask)
            if battle is None:
                return False
            work.about(battle=battle.id)
            stage.begins()
            await self._answer(battle, stage)
            return True

    async def resume(self, battle: Battle, stage: Stage) -> None:
        """Answer and show a battle that an earlier process was answering, or explain why not.

        Raises BattleCancelled where its prompt is gone.
        """
        where = {"guild": battle.guild_id, "channel": battle.channel_id}
        with self._instruments.work("battle", battle=battle.id, **where):
            try:
                await self._battles.resume(battle)
            except BattleCancelled:
                raise
            except Exception as error:  # noqa: BLE001 - nobody else would tell of it
                await self._post(battle, stage, stage.explains(sentence(error)))
                with suppress(StorageError):
                    await self._battles.abandon(battle, reason="interrupted")
            else:
                await self._answer(battle, stage)

    async def _answer(self, battle: Battle, stage: Stage) -> None:
        try:
            battle = await self._battles.answer(battle, stage)
        except BattleCancelled:
            log.info("the prompt was deleted", battle=battle.id)
            await stage.withdraws()
        except asyncio.CancelledError:
            log.warning("gave a battle up, as the program ends", battle=battle.id)
            with suppress(*FAULTS, StorageError):
                await stage.explains(battle_views.RESTARTING)
                await self._battles.abandon(battle, reason="interrupted")
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told in one sentence
            await self._post(battle, stage, stage.explains(sentence(error)))
        else:
            shown = await self._post(battle, stage, stage.opens(battle))
            if shown is not None:
                await self._shown(battle, stage, shown)

    async def _shown(self, battle: Battle, stage: Stage, message_id: int) -> None:
        try:
            if not await self._battles.shown(battle, message_id):
                await stage.withdraws()
        except StorageError as error:  # the ballot is up and takes votes all the same
            log.warning("could not note the ballot", battle=battle.id, error=repr(error))

    async def _post(self, battle: Battle, stage: Stage, posting: Awaitable[T]) -> T | None:
        """Send to Discord; None where that fails, and the battle is given up then."""
        try:
            with self._instruments.stage("post"):
                return await posting
        except Exception as error:  # noqa: BLE001 - aiohttp has others than its own
            log.warning("could not post", battle=battle.id, error=repr(error))
            self._instruments.failed("post", error)
            if _gone(error):
                await self._battles.cancel(battle.source_message_id)
                await stage.withdraws()
            else:
                await self._battles.abandon(battle, reason="not shown")
                await stage.fails()
        return None


def _gone(error: Exception) -> bool:
    """Whether the message is gone that was to be edited or replied to."""
    if not isinstance(error, discord.HTTPException):
        return False
    # discord.py tells the flaws of a body in its text alone, a line each.
    return error.code == UNKNOWN_MESSAGE or (
        error.code == BAD_FORM and "In message_reference" in error.text
    )


async def _follow_up(interaction: discord.Interaction, view: LayoutView) -> Editable:
    """A message below a response, or just in its channel where the response is too old.

    A nonce does not count there. So what the bot hears itself say tells which messages Discord
    took, and all but one of them go.
    """
    channel = interaction.client.get_partial_messageable(interaction.channel_id or 0)

    async def send() -> Editable:
        for known in _heard(interaction):
            return known
        return await _while_it_lasts(
            interaction.followup.send(view=view, wait=True),
            lambda: channel.send(view=view, nonce=interaction.id),
        )

    sent = await persistently(send)
    for copy in _heard(interaction):
        if copy.id != sent.id:
            with suppress(*FAULTS):
                await copy.delete()
    return _FollowUp(sent, channel.get_partial_message(sent.id))


def _heard(interaction: discord.Interaction) -> list[discord.Message]:
    """What the bot was heard to post for all to see in answer to this."""
    return [
        message
        for message in interaction.client.cached_messages
        if message.interaction_metadata is not None
        and message.interaction_metadata.id == interaction.id
        and not message.flags.ephemeral
    ]


class _FollowUp:
    """A message that is edited through its interaction, later through its channel."""

    def __init__(self, sent: Editable, posted: Editable) -> None:
        self.id = posted.id
        self._sent = sent
        self._posted = posted

    async def edit(self, *, view: LayoutView, allowed_mentions: discord.AllowedMentions) -> None:
        def edited(message: Editable) -> Awaitable[object]:
            return message.edit(view=view, allowed_mentions=allowed_mentions)

        await _while_it_lasts(edited(self._sent), lambda: edited(self._posted))

    async def delete(self) -> None:
        await _while_it_lasts(self._sent.delete(), self._posted.delete)


async def _while_it_lasts(through: Awaitable[T], instead: Callable[[], Awaitable[T]]) -> T:
    """Act through an interaction, or as the bot itself once its quarter of an hour is over."""
    try:
        return await through
    except discord.HTTPException as error:
        if error.code not in TOKEN_GONE:
            raise
    return await instead()


def reply(
    to: discord.Message | discord.PartialMessage, *, nonce: int
) -> Callable[[LayoutView], Awaitable[Editable]]:
    """Post below a message; `nonce` makes it one message however often it is sent."""

    async def send(view: LayoutView) -> Editable:
        return await persistently(lambda: to.reply(view=view, nonce=nonce))

    return send
