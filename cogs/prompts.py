"""What becomes of the messages that were read: deleted, edited, gone with their channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord.ext import commands

if TYPE_CHECKING:
    from collections.abc import Collection

    import discord

    from bot.battles import BattleService
    from bot.retention import RetentionService


class PromptsCog(commands.Cog):
    """Has battles forget what was deleted on Discord, and marks what was edited."""

    def __init__(
        self,
        client: discord.Client,
        *,
        battles: BattleService,
        retention: RetentionService,
    ) -> None:
        self._client = client
        self._battles = battles
        self._retention = retention

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
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Nothing is answered in a channel that is gone."""
        await self._battles.cancel_in(channel.id)

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, event: discord.RawThreadDeleteEvent) -> None:
        """Nor in a thread."""
        await self._battles.cancel_in(event.thread_id)

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Nor in a server that is gone, or that the bot was thrown out of."""
        await self._battles.cancel_in(guild.id)

    async def _gone(self, message_ids: Collection[int]) -> None:
        for message_id in message_ids:
            await self._battles.cancel(message_id)
        withdrawn = await self._retention.deleted(message_ids)
        self._client.dispatch("battles_withdrawn", withdrawn)
