"""Time as the server sees it, and waiting for something to become true."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

POLL_SECONDS = 0.01


class Clock:
    """A monotonic clock that a test can push forward (never back)."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic() + self._ahead

    def skip(self, seconds: float) -> None:
        """Let `seconds` pass at once: tokens expire, rate-limit windows close."""
        self._ahead += seconds


async def until(
    probe: Callable[[], T | None], what: str | Callable[[], str], within: float = 10.0
) -> T:
    """Poll `probe` until it answers something true, and return that.

    Raises AssertionError naming `what` (asked only then, if callable) after `within` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            reason = what() if callable(what) else what
            raise AssertionError(f"not within {within:g} s: {reason}")
        await asyncio.sleep(POLL_SECONDS)
