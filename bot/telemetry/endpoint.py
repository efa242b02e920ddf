"""What a supervisor and a Prometheus ask: /livez, /healthz and /metrics.

`/livez` answers as long as the event loop does: only where it does not, a restart helps.
`/healthz` tells of everything that members depend on. What it finds wrong is mostly elsewhere
(Discord, a model's server, the disk), so it is for people and alerts, not for restarts.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prometheus_client import CollectorRegistry

    from bot.health import Verdict


def application(
    registry: CollectorRegistry,
    *,
    verdict: Callable[[], Awaitable[Verdict]],
    measure: Callable[[], Awaitable[None]],
) -> web.Application:
    """What answers requests; `measure` is done before each look at the metrics."""

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def healthz(_: web.Request) -> web.Response:
        found = await verdict()
        body = orjson.dumps(found.told(), option=orjson.OPT_INDENT_2)
        status = 200 if found.ok else 503
        return web.Response(body=body, status=status, content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        await measure()
        body = await asyncio.to_thread(generate_latest, registry)  # it took the loop 40 ms
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    served = web.Application()
    served.router.add_get("/livez", livez)
    served.router.add_get("/healthz", healthz)
    served.router.add_get("/metrics", metrics)
    return served


@asynccontextmanager
async def serving(served: web.Application, *, host: str, port: int) -> AsyncIterator[None]:
    """Serve until left. Raises ConfigError where the address cannot be used."""
    runner = web.AppRunner(served, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(why_not(error, host, port)) from None
        yield
    finally:
        await runner.cleanup()


def why_not(error: OSError, host: str, port: int) -> str:
    """Say why the metrics cannot be served there."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"This machine has no address {host}. Set TWOFOLD_METRICS_HOST to another."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} for metrics is in use. Set TWOFOLD_METRICS_PORT to another, or to 0."
    if isinstance(error, PermissionError):
        return f"Port {port} needs more rights. Set TWOFOLD_METRICS_PORT to one above 1023."
    return (
        f"Metrics cannot be served at {host}, port {port} ({error.strerror}). Set "
        "TWOFOLD_METRICS_HOST or TWOFOLD_METRICS_PORT to another."
    )
