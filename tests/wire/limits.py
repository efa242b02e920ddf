"""Rate limits as Discord keeps them: fixed windows per route and resource, and one for the bot."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from .clock import Clock

Rate = tuple[int, float]


@dataclass(frozen=True)
class RateLimits:
    """How many requests in how many seconds. Message rates are observed, never documented."""

    messages: Rate = (5, 5.0)
    webhooks: Rate = (5, 2.0)
    others: Rate = (50, 1.0)
    overall: Rate = (50, 1.0)

    @classmethod
    def off(cls) -> RateLimits:
        """Headers are still sent (without them discord.py sends one request at a time)."""
        plenty = (100_000, 1.0)
        return cls(plenty, plenty, plenty, plenty)


@dataclass
class Window:
    """A window that opens with its first request and closes at a fixed time."""

    limit: int
    seconds: float
    closes: float = 0.0
    used: int = 0

    def take(self, now: float) -> bool:
        """Count a request; False if the window is full."""
        if now >= self.closes:
            self.closes, self.used = now + self.seconds, 0
        self.used += 1
        return self.used <= self.limit


@dataclass(frozen=True)
class Verdict:
    """What the limits say to one request."""

    allowed: bool
    headers: dict[str, str]
    retry_after: float = 0.0
    is_global: bool = False

    @property
    def body(self) -> dict[str, object]:
        """The JSON of a 429."""
        return {
            "message": "You are being rate limited.",
            "retry_after": self.retry_after,
            "global": self.is_global,
        }


@dataclass
class Limiter:
    """All windows of one bot."""

    rates: RateLimits
    clock: Clock
    _windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    _overall: Window | None = None

    def check(self, method: str, route: str, parts: dict[str, str]) -> Verdict:
        """Count one request on `route` (a template); `parts` are the values in its path."""
        now = self.clock.now()
        interaction_route = route.startswith(("/interactions/", "/webhooks/"))
        if self._overall is None:
            self._overall = Window(*self.rates.overall)
        if not interaction_route and not self._overall.take(now):
            left = self._overall.closes - now
            headers = {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
            return Verdict(False, headers | {"Retry-After": f"{left:.3f}"}, round(left, 3), True)
        return self._bucket(f"{method} {route}", route, parts, now)

    def _bucket(self, name: str, route: str, parts: dict[str, str], now: float) -> Verdict:
        major = ":".join(
            parts[key] for key in ("channel", "guild", "interaction", "token") if key in parts
        )
        window = self._windows.get((name, major))
        if window is None:
            self._forget_closed(now)
            window = self._windows[name, major] = Window(*self._rate(name, route))
        allowed = window.take(now)
        left = max(window.closes - now, 0.001)
        headers = {
            "X-RateLimit-Limit": str(window.limit),
            "X-RateLimit-Remaining": str(max(window.limit - window.used, 0)),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": f"{crc32(name.encode()):08x}",
        }
        if allowed:
            return Verdict(True, headers)
        headers |= {"Retry-After": f"{left:.3f}", "X-RateLimit-Scope": "user"}
        return Verdict(False, headers, round(left, 3))

    def _forget_closed(self, now: float) -> None:
        # Interaction tokens are buckets of their own: a long run would keep one each for ever.
        if len(self._windows) > 1000:
            self._windows = {k: w for k, w in self._windows.items() if w.closes > now}

    def _rate(self, name: str, route: str) -> Rate:
        if route.startswith(("/interactions/", "/webhooks/")):
            return self.rates.webhooks
        message_routes = (
            "POST /channels/{channel}/messages",
            "PATCH /channels/{channel}/messages/{message}",
        )
        return self.rates.messages if name in message_routes else self.rates.others
