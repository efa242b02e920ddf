"""InsightService: what the votes say, for everything that tells of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import structlog

from bot.errors import StorageError
from bot.insight.counting import Counting
from bot.insight.course import course
from bot.insight.kept import KeptArena
from bot.insight.leaderboard import leaderboard
from bot.insight.own import own
from bot.insight.stats import stats
from bot.insight.week import week

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from bot.insight.arena import Arena
    from bot.insight.results import Course, Leaderboard, Own, Stats, Week
    from storage.arena import ArenaStore

    _T = TypeVar("_T")

log = structlog.get_logger(__name__)


class InsightService:
    """Finds what there is in the votes, and keeps it until there are new ones.

    Where a server has no closed battle of its own, what is found of rankings is that of
    simulated ones there, unless it is to be `strict`; `counting.simulated` of what is returned
    says so.
    """

    def __init__(
        self, *, store: ArenaStore, clock: Callable[[], datetime], strict: bool = False
    ) -> None:
        self._strict = strict
        self._real = KeptArena(store, clock=clock)
        self._simulated = KeptArena(store, clock=clock, simulated=True)
        self._reading: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to read the votes in the background, so that whoever asks first need not wait."""
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def arena(self, *, simulated: bool = False) -> Arena:
        """The votes on all closed battles, real or simulated ones. Raises StorageError."""
        return await (self._simulated if simulated else self._real).get()

    async def leaderboard(self, counting: Counting) -> Leaderboard:
        """Who is ahead. Raises StorageError."""
        return await self._found("leaderboard", leaderboard, counting)

    async def course(self, counting: Counting) -> Course:
        """How the scores went over time. Raises StorageError."""
        return await self._found("course", course, counting)

    async def stats(self, counting: Counting) -> Stats:
        """All that is found of some votes. Raises StorageError."""
        return await self._found("stats", stats, counting)

    async def own(self, member_id: int, guild_id: int | None) -> Own:
        """What a member's own votes say in a server, or everywhere. Raises StorageError."""
        counting = Counting(guilds=() if guild_id is None else (guild_id,))
        arena = await self._real.get()
        return await asyncio.to_thread(own, arena, member_id, counting)

    async def week(self, channel_id: int, *, since: date, until: date) -> Week:
        """What a channel's days from `since` to `until` were like. Raises StorageError."""
        return await self._real.result(
            ("week", channel_id, since, until),
            partial(week, channel_id=channel_id, since=since, until=until),
        )

    async def _found(
        self, what: str, find: Callable[[Arena, Counting], _T], counting: Counting
    ) -> _T:
        lenient = not counting.simulated and not self._strict
        if lenient and not await _has(self._real, counting.guilds):
            imagined = replace(counting, simulated=True)
            if await _has(self._simulated, counting.guilds):
                counting = imagined
        kept = self._simulated if counting.simulated else self._real
        return await kept.result((what, counting), lambda arena: find(arena, counting))

    async def _read(self) -> None:
        try:
            await self._real.get()
        except StorageError as error:
            # Whoever asks is told; until then nobody needs to be.
            log.warning("votes could not be read yet", error=str(error))


async def _has(kept: KeptArena, guilds: tuple[int, ...]) -> bool:
    arena = await kept.get()
    if not guilds:
        return bool(len(arena.battle))
    return bool((await asyncio.to_thread(np.isin, arena.guild, guilds)).any())
