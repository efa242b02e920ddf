"""The weekly digest, in the channels where it is turned on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
import structlog
from discord.ext import commands, tasks

from cogs._edits import FAULTS, NO_PINGS
from cogs._permissions import POSTING, lacking
from cogs._render import digest as views

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from datetime import date

    from bot.client import TwofoldClient
    from bot.digest import DigestService
    from bot.governing import GuildService
    from bot.insight.pictures import Pictures

    Place = discord.TextChannel | discord.VoiceChannel

log = structlog.get_logger(__name__)


class DigestCog(commands.Cog):
    """Posts each channel's week once."""

    def __init__(
        self,
        client: discord.Client,
        *,
        digests: DigestService,
        guilds: GuildService,
        pictures: Pictures,
    ) -> None:
        self._client = client
        self._digests = digests
        self._guilds = guilds
        self._pictures = pictures

    async def cog_load(self) -> None:
        """Look at once, then every hour."""
        self._round.start()

    async def cog_unload(self) -> None:
        """What was not posted is at the next start."""
        self._round.cancel()

    @tasks.loop(hours=1)
    async def _round(self) -> None:
        """Go through the servers; one that fails does not keep the next, nor does a channel."""
        monday = self._digests.monday()
        if monday is None:
            return
        for guild in tuple(self._client.guilds):
            await _logged(self._tell(guild, monday), guild=guild.id)

    @_round.before_loop
    async def _wait(self) -> None:
        await self._client.wait_until_ready()

    async def _tell(self, guild: discord.Guild, monday: date) -> None:
        settings = await self._guilds.settings(guild.id)
        for channel_id in await self._digests.due(settings.digests, monday):
            channel = guild.get_channel(channel_id)
            if not isinstance(channel, discord.TextChannel | discord.VoiceChannel):
                continue
            if missing := lacking(channel, POSTING):
                await self._digests.take(channel_id, monday)
                log.warning("no digest: I lack permissions", channel=channel_id, missing=missing)
            else:
                await _logged(self._post(channel, monday), channel=channel_id)

    async def _post(self, channel: Place, monday: date) -> None:
        digest = await self._digests.make(channel.id, channel.guild.id, monday)
        if digest is None:
            await self._digests.take(channel.id, monday)
            return
        board, course = digest.board, digest.course
        moving = await self._pictures.course(course, board) if len(course.days) > 1 else None
        view, files = views.digest(digest, await self._pictures.leaderboard(board), moving)
        if not await self._digests.take(channel.id, monday):
            return
        # Discord takes a second message with the same nonce for the first one.
        nonce = f"{monday:%j}-{channel.id}"
        try:
            message = await channel.send(
                view=view, files=files, nonce=nonce, silent=True, allowed_mentions=NO_PINGS
            )
        except FAULTS as fault:
            log.warning("could not post a digest", channel=channel.id, fault=repr(fault))
            if not isinstance(fault, discord.Forbidden | discord.NotFound):
                await self._digests.give_back(channel.id, monday)
            return
        await self._digests.sent(channel.id, monday, message_id=message.id)


async def _logged(doing: Awaitable[None], **where: int) -> None:
    try:
        await doing
    except Exception:  # a loop that raises would not run again
        log.exception("a digest failed", **where)


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    services = client.services
    await client.add_cog(
        DigestCog(
            client,
            digests=services.digests,
            guilds=services.guilds,
            pictures=services.pictures,
        )
    )
