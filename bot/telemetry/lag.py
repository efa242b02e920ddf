"""How late the event loop is: what everybody waits for while something holds it up."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.telemetry.metrics import Metrics

EVERY_SECONDS = 0.02
"""A hold-up looks shorter than it is by this at most."""

WINDOW_SECONDS = 60.0


class LoopLag:
    """Asks again and again to be woken, and notes how much later that happens."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._observe = metrics.loop_lag_seconds.observe
        self._clock = clock
        self._began = clock()
        self._in_this_window = self._in_the_last = 0.0
        metrics.loop_lag_longest_seconds.set_function(lambda: self.longest)

    @property
    def longest(self) -> float:
        """The longest lag of the last one to two minutes, in seconds."""
        self._turn_over()
        return max(self._in_this_window, self._in_the_last)

    async def run(self) -> None:
        """Watch the loop until cancelled."""
        while True:
            asked = self._clock()
            await asyncio.sleep(EVERY_SECONDS)
            self.note(max(0.0, self._clock() - asked - EVERY_SECONDS))

    def note(self, lag: float) -> None:
        """The loop was so late, in seconds."""
        self._observe(lag)
        self._turn_over()
        self._in_this_window = max(self._in_this_window, lag)

    def _turn_over(self) -> None:
        passed = self._clock() - self._began
        if passed >= WINDOW_SECONDS:
            self._in_the_last = self._in_this_window if passed < 2 * WINDOW_SECONDS else 0.0
            self._in_this_window = 0.0
            self._began = self._clock()
