"""What makes a bot seen: its instruments, the watch on its loop, and the endpoint."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from bot import __version__
from bot.background import meanwhile
from bot.telemetry.endpoint import application, serving
from bot.telemetry.instruments import Instruments
from bot.telemetry.logs import Counting
from bot.telemetry.tracing import tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bot.app import Services


@asynccontextmanager
async def observing(environment: Mapping[str, str]) -> AsyncIterator[Instruments]:
    """Make instruments that count for somebody, with traces where the environment says so.

    Raises ConfigError where traces are wanted and cannot be had.
    """
    # A series more for each, which nothing here asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    async with tracing(environment) as traces:
        instruments = Instruments(registry=registry, tracing=traces)
        instruments.metrics.info.labels(__version__).set(1)
        counting = Counting(instruments.metrics)
        logging.getLogger().addHandler(counting)
        try:
            yield instruments
        finally:
            logging.getLogger().removeHandler(counting)


@asynccontextmanager
async def watched(services: Services) -> AsyncIterator[None]:
    """Watch the loop, and serve what is to be seen where a port is set. Raises ConfigError."""
    config, health = services.config, services.health
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(meanwhile(health.lag.run()))
        if config.metrics_port:
            served = application(
                services.instruments.registry, verdict=health.verdict, measure=health.measure
            )
            await stack.enter_async_context(
                serving(served, host=config.metrics_host, port=config.metrics_port)
            )
        yield
