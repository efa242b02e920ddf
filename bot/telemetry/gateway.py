"""Which shards are connected to Discord, as the client hears of it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bot.telemetry.metrics import Metrics

UP = frozenset({"connect", "ready", "resumed"})
EVENTS = ("connect", "disconnect", "ready", "resumed")


class Gateway:
    """The connections of this process; `clock` tells seconds.

    A connection whose heartbeats go unanswered for a minute is one that discord.py gives up,
    so one that is connected here is one that Discord was heard on.
    """

    def __init__(self, metrics: Metrics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._down_since: dict[int, float | None] = {}
        self._latencies: Callable[[], Mapping[int, float]] = dict
        self._expected: Callable[[], Iterable[int]] = tuple
        for event in EVENTS:
            metrics.gateway_events.labels(event)

    def follow(
        self,
        *,
        shards: Callable[[], Iterable[int]],
        latencies: Callable[[], Mapping[int, float]],
        guilds: Callable[[], int],
    ) -> None:
        """Ask these for the shards to be had, their heartbeats in seconds, how many servers."""
        self._expected = shards
        self._latencies = latencies
        self._metrics.guilds.set_function(guilds)

    def heard(self, event: str, shard: int) -> None:
        """Note what became of a shard's connection: one of EVENTS."""
        self._metrics.gateway_events.labels(event).inc()
        up = event in UP
        if up:
            self._down_since[shard] = None
        elif self._down_since.get(shard) is None:
            self._down_since[shard] = self._clock()
        self._metrics.gateway_up.labels(str(shard)).set(up)

    @property
    def down(self) -> Mapping[int, float]:
        """The shards that are not connected, and for how many seconds."""
        now = self._clock()
        return {n: now - since for n, since in self._down_since.items() if since is not None}

    @property
    def missing(self) -> tuple[int, ...]:
        """The shards that were not connected yet; 0 where nobody knows how many there are."""
        expected = set(self._expected()) or {0}
        return tuple(sorted(expected - self._down_since.keys()))

    @property
    def latencies(self) -> Mapping[int, float]:
        """The time of the last heartbeat, in seconds, of the shards that had one."""
        return {shard: s for shard, s in self._latencies().items() if math.isfinite(s)}

    def measure(self) -> None:
        """Have the metrics say what is missing, and how long the last heartbeats took."""
        for shard in self.missing:
            self._metrics.gateway_up.labels(str(shard)).set(0)
        for shard, seconds in self.latencies.items():
            self._metrics.gateway_latency_seconds.labels(str(shard)).set(seconds)
