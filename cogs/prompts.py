"""What becomes of the messages that were read: deleted, edited, or their author erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from discord.ext import commands

from cogs._edits import FAULTS
from cogs._render import layout
from cogs._render import privacy as privacy_views

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import discord

    from bot.battles import BattleService
    from bot.retention import RetentionService
    from cogs._edits import Edits
    from storage.retention import Withdrawn

log = structlog.get_logger(__name__)


class PromptsCog(commands.Cog):
    """Has battles forget what was deleted on Discord, and marks what was edited."""

    def __init__(
        self,
        client: discord.Client,
        *,
        battles: BattleService,
        retention: RetentionService,
        edits: Edits,
    ) -> None:
        self._client = client
        self._battles = battles
        self._retention = retention
        self._edits = edits

    @commands.Cog.listener()
    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """A deleted prompt is not answered any more, and nothing that held it is kept."""
        await self._gone({event.message_id})

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """The same for many at once."""
        await self._gone(event.message_ids)

    @commands.Cog.listener()
    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """An edited prompt is not what was answered. Previews and pins are updates too.

        The bot edits its own messages all the time; none of them is a prompt.
        """
        if event.message.edited_at is None or event.message.author == self._client.user:
            return
        before = event.cached_message
        if before is None or before.content != event.message.content:
            await self._retention.edited(event.message_id)

    @commands.Cog.listener()
    async def on_battles_withdrawn(self, withdrawn: Sequence[Withdrawn]) -> None:
        """Have the messages of battles whose prompt is gone say so."""
        for battle in withdrawn:
            if battle.message_id is not None:
                await self._say_so(battle.channel_id, battle.message_id)

    async def _gone(self, message_ids: Collection[int]) -> None:
        for message_id in message_ids:
            await self._battles.cancel(message_id)
        await self.on_battles_withdrawn(await self._retention.deleted(message_ids))

    async def _say_so(self, channel_id: int, message_id: int) -> None:
        channel = self._client.get_partial_messageable(channel_id)
        lane = self._edits.lane(channel_id)
        stream = lane.add(channel.get_partial_message(message_id), just_sent=False)
        try:
            await stream.finish(layout.message(privacy_views.PROMPT_DELETED))
        except FAULTS as error:
            log.warning("could not withdraw", message=message_id, error=repr(error))
        finally:
            lane.remove(stream)
