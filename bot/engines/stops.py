"""Finding stop texts in a text that arrives in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class StopFinder:
    """Finds the earliest of several stop texts in a text that arrives in pieces.

    `feed` returns what can be shown already; the end that may be the beginning of
    a stop is held back until more text decides, or `flush` is called. Once `hit`
    is set, nothing more comes out. Stops are plain text; empty ones are ignored.
    Of two stops at the same position, the longer one is reported.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = sorted({stop for stop in stops if stop}, key=len, reverse=True)
        self._held = ""
        self.hit: str | None = None
        """The stop text that was found, or None."""

    def feed(self, text: str) -> str:
        """Take the next piece; return the text that is now certain to precede any stop."""
        if self.hit is not None:
            return ""
        self._held += text
        undecided = self._undecided()
        found = [(at, stop) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            at, stop = min(found, key=lambda pair: pair[0])
            # A longer stop that begins here or earlier may still be completed by what comes next.
            if at < undecided:
                return self._end(at, stop)
        emitted, self._held = self._held[:undecided], self._held[undecided:]
        return emitted

    def flush(self) -> str:
        """No more text comes: return what was held back, cut at a stop if one is in it."""
        if self.hit is not None:
            return ""
        found = [(at, stop) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            return self._end(*min(found, key=lambda pair: pair[0]))
        emitted, self._held = self._held, ""
        return emitted

    def _end(self, at: int, stop: str) -> str:
        emitted, self._held, self.hit = self._held[:at], "", stop
        return emitted

    def _undecided(self) -> int:
        """Return the first position from which the held text begins some longer stop."""
        length = len(self._held)
        longest = len(self._stops[0]) if self._stops else 0
        for at in range(max(0, length - longest + 1), length):
            tail = self._held[at:]
            if any(len(stop) > len(tail) and stop.startswith(tail) for stop in self._stops):
                return at
        return length
