"""What is asked of Discord, seen where discord.py asks it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    import yarl

    from bot.telemetry.metrics import Metrics

NAMED = frozenset(
    {
        *("applications", "callback", "channels", "commands", "gateway", "guilds", "interactions"),
        *("members", "messages", "oauth2", "threads", "typing", "users", "webhooks", "@original"),
    }
)
"""The parts of paths that a label may have: never an id, and never a token."""

TOO_MANY = 429
SCOPES = ("user", "global", "shared")
"""Whose limit it was, as Discord says."""


def route_of(url: yarl.URL) -> str:
    """The kind of a request, such as `channels/messages`."""
    return "/".join(part for part in url.path.split("/") if part in NAMED) or "other"


def dated(heard: Callable[[str], object]) -> aiohttp.TraceConfig:
    """What an aiohttp session tells of nothing but when its answers were sent, as Discord says."""

    async def ends(_: object, __: object, told: aiohttp.TraceRequestEndParams) -> None:
        if date := told.response.headers.get("Date"):
            heard(date)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ends)
    return trace


def traced(metrics: Metrics) -> aiohttp.TraceConfig:
    """What an aiohttp session tells of its requests, for discord.py's `http_trace`."""

    async def begins(_: object, context: SimpleNamespace, __: object) -> None:
        context.began = time.perf_counter()

    async def ends(
        _: object, context: SimpleNamespace, told: aiohttp.TraceRequestEndParams
    ) -> None:
        note(context, told.method, told.url, str(told.response.status))
        if told.response.status == TOO_MANY:
            scope = told.response.headers.get("X-RateLimit-Scope", "")
            metrics.discord_rate_limits.labels(scope if scope in SCOPES else "other").inc()

    async def fails(
        _: object, context: SimpleNamespace, told: aiohttp.TraceRequestExceptionParams
    ) -> None:
        note(context, told.method, told.url, "none")

    def note(context: SimpleNamespace, method: str, url: yarl.URL, status: str) -> None:
        route = route_of(url)
        metrics.discord_requests.labels(method, route, status).inc()
        metrics.discord_request_seconds.labels(route).observe(time.perf_counter() - context.began)

    for scope in SCOPES:
        metrics.discord_rate_limits.labels(scope)
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(begins)
    trace.on_request_end.append(ends)
    trace.on_request_exception.append(fails)
    return trace
