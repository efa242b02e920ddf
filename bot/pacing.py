"""Requests to Discord, no faster than it allows a bot over all routes.

discord.py waits where a route's own limit is reached, but runs into the one over all of them:
after a long stall hundreds of channels are answered at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiolimiter import AsyncLimiter

if TYPE_CHECKING:
    from types import SimpleNamespace

    import aiohttp

AT_ONCE_SECONDS = 0.25
"""What may be asked in this time may also be asked at once, on top of the rate."""

UNLIMITED = ("/interactions/", "/webhooks/")
"""The paths of answers to interactions, which the limit does not bind."""


def pace(trace: aiohttp.TraceConfig, *, requests_per_second: float) -> None:
    """Have each request of a session that `trace` is given to wait for its turn.

    Never more than one and a quarter times `requests_per_second` are sent in a second. Discord
    allows a bot 50, answers to interactions aside (its documentation, "Rate Limits", "Global
    Rate Limit").
    """
    at_once = max(1.0, requests_per_second * AT_ONCE_SECONDS)
    limiter = AsyncLimiter(at_once, at_once / requests_per_second)

    async def wait(_: object, __: SimpleNamespace, told: aiohttp.TraceRequestStartParams) -> None:
        if not any(part in told.url.path for part in UNLIMITED):
            await limiter.acquire()

    trace.on_request_start.insert(0, wait)  # the wait is none of the time that Discord takes
