"""Messages that nobody heard, for want of a session: found in enabled channels, and answered.

Whatever was said while a session was lost, or no program ran, Discord does not tell again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

import discord
import structlog
from discord.ext import commands, tasks

from bot.errors import StorageError
from cogs._edits import FAULTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import datetime

    from bot.catching_up import CatchingUpService, Gap
    from bot.governing import GuildService

    Place = discord.TextChannel | discord.VoiceChannel | discord.Thread

log = structlog.get_logger(__name__)

MOST_MESSAGES = 50
"""In one channel, the latest."""

AT_ONCE = 3
"""Channels that are read and answered at a time; in each, one message after the other."""

KEEP_SECONDS = 10


class CatchingUpCog(commands.Cog):
    """Has what was missed heard by `hear`, as if it were said now."""

    def __init__(
        self,
        client: discord.Client,
        *,
        catching_up: CatchingUpService,
        guilds: GuildService,
        hear: Callable[[discord.Message], Awaitable[None]],
        closing: Callable[[], bool],
    ) -> None:
        self._client = client
        self._catching_up = catching_up
        self._guilds = guilds
        self._hear = hear
        self._closing = closing
        self._room = asyncio.Semaphore(AT_ONCE)
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def cog_load(self) -> None:
        """Write down from now on how far was heard."""
        await self._catching_up.start()
        self._keeping.start()

    async def cog_unload(self) -> None:
        """What is not caught up yet is looked for at the next start."""
        self._keeping.cancel()
        await self._keep()

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Remember how far was heard."""
        shard_id = message.guild.shard_id if message.guild else 0
        self._catching_up.hears(shard_id, message.id, message.created_at)

    @commands.Cog.listener()
    async def on_shard_connect(self, shard_id: int) -> None:
        """A session begins, at the program's start or after one was lost."""
        self._catching_up.interrupted(shard_id)
        await self._keep()

    @commands.Cog.listener()
    async def on_shard_ready(self, shard_id: int) -> None:
        """The shard knows its servers and channels: look there."""
        async with self._turns[shard_id]:
            while (gap := self._catching_up.gap(shard_id)) and not self._closing():
                try:
                    await self._catch_up(shard_id, gap)
                except StorageError as error:
                    log.warning("catching up waits for the database", error=repr(error))
                    await asyncio.sleep(KEEP_SECONDS)

    async def _catch_up(self, shard_id: int, gap: Gap) -> None:
        places = await self._places(shard_id, gap.since)
        looks = (self._look(place, since) for place, since in places)
        for fault in await asyncio.gather(*looks, return_exceptions=True):
            if fault is not None:
                raise fault
        if not self._closing():
            self._catching_up.caught_up(shard_id, gap)
            await self._keep()

    @tasks.loop(seconds=KEEP_SECONDS)
    async def _keeping(self) -> None:
        await self._keep()

    async def _keep(self) -> None:
        try:
            await self._catching_up.keep()
        except StorageError as error:
            log.warning("could not note how far was heard", error=repr(error))

    async def _places(self, shard_id: int, since: datetime) -> list[tuple[Place, datetime]]:
        """Where the bot answers everything, and something was said since; from when on to look."""
        found = []
        for guild in tuple(self._client.guilds):
            spoken = [p for p in _places_of(guild) if _spoken(p, since)]
            if guild.shard_id != shard_id or not spoken:
                continue
            enabled = (await self._guilds.settings(guild.id)).channels
            for place in spoken:
                if ids := {place.id, getattr(place, "parent_id", 0)} & set(enabled):
                    at = [await self._catching_up.enabled_since(guild.id, each) for each in ids]
                    found.append((place, max(since, min(each or since for each in at))))
        return found

    async def _look(self, place: Place, since: datetime) -> None:
        """Answer what nobody did; a place that cannot be read does not keep the next.

        Raises StorageError.
        """
        async with self._room:
            try:
                await self._answer(place, since)
            except FAULTS as error:
                log.info("could not catch up", channel=place.id, error=repr(error))
            except StorageError:
                raise
            except Exception:  # one that is not answered must not keep the others
                log.exception("could not catch up", channel=place.id)

    async def _answer(self, place: Place, since: datetime) -> None:
        latest = place.history(limit=MOST_MESSAGES, after=since, oldest_first=False)
        said = [message async for message in latest]
        answered = {m.reference.message_id for m in said if m.reference and self._is_mine(m)}
        for message in reversed(said):
            if self._closing():
                return
            missed = await self._catching_up.missed(message.id, message.created_at)
            self._catching_up.hears(place.guild.shard_id, message.id, message.created_at)
            if missed and message.id not in answered:
                await self._hear(message)

    def _is_mine(self, message: discord.Message) -> bool:
        return message.author == self._client.user


def _places_of(guild: discord.Guild) -> Iterator[Place]:
    yield from guild.text_channels
    yield from guild.voice_channels
    yield from guild.threads


def _spoken(place: Place, since: datetime) -> bool:
    """Whether the last message there was sent later."""
    last = place.last_message_id
    return last is not None and discord.utils.snowflake_time(last) > since
