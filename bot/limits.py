"""How many battles a member and a server may begin in a minute."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from bot.errors import LimitReached

if TYPE_CHECKING:
    from bot.guilds import GuildSettings


class BattleLimits:
    """Moving windows of a minute, in memory: a restart forgives.

    A battle that fails counts like any other: it took the models' time.
    """

    def __init__(self, *, member: int, guild: int) -> None:
        self._member = member
        self._guild = guild
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def admit(self, *, member_id: int, guild_id: int | None, settings: GuildSettings) -> None:
        """Count a battle, or raise LimitReached and count nothing."""
        here = f"{guild_id}"
        windows = [(self._member, "member", f"{member_id}", "You have")]
        if settings.member_limit is not None:
            windows.append((settings.member_limit, "member", f"{here}:{member_id}", "You have"))
        if guild_id is not None:
            guild = min(self._guild, settings.guild_limit or self._guild)
            windows.append((guild, "guild", here, "This server has"))
        for number, kind, key, who in windows:
            limit = RateLimitItemPerMinute(number)
            if not self._windows.test(limit, kind, key):
                raise self._reached(limit, kind, key, who)
        for number, kind, key, _ in windows:
            self._windows.hit(RateLimitItemPerMinute(number), kind, key)

    def _reached(
        self, limit: RateLimitItemPerMinute, kind: str, key: str, who: str
    ) -> LimitReached:
        free_at = self._windows.get_window_stats(limit, kind, key).reset_time
        wait = _count(max(1, math.ceil(free_at - time.time())), "second")
        times = _count(limit.amount, "time")
        return LimitReached(
            f"{who} asked {times} within a minute. Try again in {wait}.",
            news=self._windows.hit(RateLimitItemPerMinute(1), f"{kind} told", key),
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
