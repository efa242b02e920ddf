"""How many battles a member, a channel and a server may begin in a minute."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from bot.errors import LimitReached
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.guilds import GuildSettings

MINUTE = 60.0

Key = tuple[str, int | None, int | None]
"""What is counted, of which server or channel, of which member."""


class BattleLimits:
    """Moving windows of a minute, in memory: a restart forgives.

    A battle that fails counts like any other: it took the models' time. Everything is
    counted whether it is limited or not, so that a limit holds from when it is set.
    """

    def __init__(
        self,
        *,
        member: int,
        channel: int,
        guild: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._member = member
        self._channel = channel
        self._guild = guild
        self._clock = clock
        self._times: defaultdict[Key, deque[float]] = defaultdict(deque)
        self._swept = clock()

    def admit(
        self, *, member_id: int, channel_id: int, guild_id: int | None, settings: GuildSettings
    ) -> None:
        """Count a battle, or raise LimitReached and count nothing."""
        member = self._member
        windows: list[tuple[int, Key, str]] = [(member, ("asked", None, member_id), "You have")]
        if guild_id is not None:
            here = min(member, settings.member_limit or member)
            channel = min(self._channel, settings.channel_limit or self._channel)
            guild = min(self._guild, settings.guild_limit or self._guild)
            windows.append((here, ("asked", guild_id, member_id), "You have"))
            windows.append((channel, ("asked in", channel_id, None), "This channel has"))
            windows.append((guild, ("asked", guild_id, None), "This server has"))
        now = self._clock()
        self._sweep(now)
        for number, key, who in windows:
            if len(self._last_minute(key, now)) >= number:
                raise self._reached(number, key, who, now)
        for _, key, _ in windows:
            self._times[key].append(now)

    def _last_minute(self, key: Key, now: float) -> deque[float]:
        times = self._times[key]
        while times and times[0] <= now - MINUTE:
            times.popleft()
        return times

    def _sweep(self, now: float) -> None:
        """Forget, once a minute, those who did not ask within it."""
        if now - self._swept < MINUTE:
            return
        self._swept = now
        for key in list(self._times):
            if not self._last_minute(key, now):
                del self._times[key]

    def _reached(self, number: int, key: Key, who: str, now: float) -> LimitReached:
        # The limit may have been lowered since: as many as are too many have to grow old.
        free_at = self._times[key][-number] + MINUTE
        wait = count(max(1, math.ceil(free_at - now)), "second")
        told = self._last_minute(("told", *key[1:]), now)
        news = not told
        if news:
            told.append(now)
        return LimitReached(
            f"{who} asked {count(number, 'time')} within a minute. Try again in {wait}.",
            news=news,
        )
