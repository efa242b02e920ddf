"""What an earlier process left: battles that go on, ballots to show, and people to tell.

A process may end at any moment, this one while it does so too. So each battle stays as it is
in the database until its message says how things stand, and a message is looked for before it
is posted: it may be up without anybody having noted it.
"""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import discord
import structlog
from discord import ui

from bot.battles import BattleCancelled
from bot.closing import result_of
from bot.errors import StorageError
from cogs._edits import FAULTS, NO_PINGS
from cogs._render import battles as battle_views
from cogs._render import layout
from cogs._running import reply
from cogs._views import meant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from discord.ui import LayoutView

    from bot.battles import BattleService
    from cogs._edits import Editable
    from cogs._running import Runner
    from storage.records import Battle

    Send = Callable[[LayoutView], Awaitable[Editable]]

log = structlog.get_logger(__name__)

RESUMED = timedelta(minutes=5)
"""For how long somebody may have waited whose battle is answered all the same."""

TOLD = timedelta(hours=1)
"""And who is told, in a message of its own, that it is not."""

SEARCHED = 300
"""Messages after a prompt among which the one is looked for that shows its battle."""

SERVER_ERROR = 500

PAUSE = 0.25
"""Seconds between two messages: who presses a button just now comes first."""


class Resuming:
    """Takes up, shows or tells of what an earlier process left."""

    def __init__(self, client: discord.Client, *, battles: BattleService, runner: Runner) -> None:
        self._client = client
        self._battles = battles
        self._runner = runner

    async def mend(self) -> None:
        """Have what is fresh answered, without waiting for it; put the other messages right."""
        late = []
        for battle in self._battles.unfinished:
            if self._battles.age(battle) < RESUMED:
                self._runner.begin(self._resume(battle))
            else:
                late.append(battle)
        for battle in late:
            await self._logged(battle, self._give_up(battle))
            await asyncio.sleep(PAUSE)
        for battle in self._battles.unshown:
            await self._logged(battle, self._show(battle))
            await asyncio.sleep(PAUSE)

    async def _resume(self, battle: Battle) -> None:
        message_id = await self._shown_by(battle)
        stage = self._runner.resuming(
            battle,
            channel=self._channel(battle),
            send=self._sending(battle, message_id),
            doubtful=message_id is None,
        )
        try:
            with closing(stage):
                await self._runner.resume(battle, stage)
        except BattleCancelled:
            if message_id is not None:
                await self._take_away(battle, message_id)

    async def _give_up(self, battle: Battle) -> None:
        """Tell so first: what is given up in the database is not looked at again."""
        message_id = await self._shown_by(battle)
        if message_id is not None or self._battles.age(battle) < TOLD:
            with suppress(*FAULTS):
                await self._sending(battle, message_id)(layout.message(battle_views.RESTARTED))
        await self._battles.abandon(battle, reason="interrupted")

    async def _show(self, battle: Battle) -> None:
        """Show the ballot, or who was who, of what was answered just before the end."""
        message_id = await self._shown_by(battle)
        if message_id is None and self._battles.age(battle) > TOLD:
            return
        prompt = battle.conversation.prompt
        asked = None if prompt.message_id else prompt
        view = battle_views.shown(result_of(battle), asked=asked)
        try:
            message = await self._sending(battle, message_id)(view)
            if message_id is None:  # Discord may have had another one of this nonce
                await message.edit(view=view, allowed_mentions=NO_PINGS)
        except FAULTS as error:
            if isinstance(error, discord.HTTPException) and error.status < SERVER_ERROR:
                await self._battles.abandon(battle, reason="not shown")
        else:
            if not await self._battles.shown(battle, message.id):
                await self._take_away(battle, message.id)

    async def _take_away(self, battle: Battle, message_id: int) -> None:
        """Nothing of it may stay: the prompt was deleted."""
        with suppress(*FAULTS):
            await self._channel(battle).get_partial_message(message_id).delete()

    async def _shown_by(self, battle: Battle) -> int | None:
        """The message that shows a battle, or says something else in answer to it."""
        if battle.shown_message_id is not None:
            return battle.shown_message_id
        after = discord.Object(battle.source_message_id)
        history = self._channel(battle).history(after=after, limit=SEARCHED)
        with suppress(*FAULTS):
            async for message in history:
                if message.author == self._client.user and _answers(message, battle):
                    return message.id
        return None

    def _sending(self, battle: Battle, message_id: int | None) -> Send:
        """Where a battle is shown: where it is, below its prompt, or just in the channel."""
        channel = self._channel(battle)
        if message_id is not None:
            shown = channel.get_partial_message(message_id)
            return lambda view: shown.edit(view=view, allowed_mentions=NO_PINGS)
        nonce, prompt = battle.source_message_id, battle.conversation.prompt.message_id
        if prompt is not None:
            return reply(channel.get_partial_message(prompt), nonce=nonce)
        return lambda view: channel.send(view=view, nonce=nonce)

    def _channel(self, battle: Battle) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(battle.channel_id, guild_id=battle.guild_id)

    async def _logged(self, battle: Battle, work: Awaitable[None]) -> None:
        try:
            await work
        except StorageError as error:
            log.warning("not mended", battle=battle.id, why=error.user_message)
        except Exception:  # one that cannot be mended must not keep the others
            log.exception("not mended", battle=battle.id)


def _answers(message: discord.Message, battle: Battle) -> bool:
    """Whether a message of the bot's is what it said to a battle's prompt."""
    items = ui.LayoutView.from_message(message).walk_children()
    ids = (getattr(item, "custom_id", None) for item in items)
    named = {known.battle_id for each in ids if each and (known := meant(each))}
    if named:
        return battle.id in named
    if message.interaction_metadata is not None:
        return message.interaction_metadata.id == battle.source_message_id
    below = {battle.source_message_id, battle.conversation.prompt.message_id}
    return message.reference is not None and message.reference.message_id in below
