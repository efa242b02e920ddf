"""Admission: at most so many battles are answered at once, the others wait their turn."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from bot.errors import EngineBusy, LineFull
from bot.patience import simply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.patience import Patiently

LONGEST = 100
"""How many may wait. Who comes after them would not be answered while it still matters."""

LONGEST_OF_GROUP = 20
"""How many of them may be of one server, so that none keeps the others out."""

REMEMBERED = 20
"""The waiting time is told from the mean of so many turns."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody waits: 1 is the next. `seconds` is None while nothing was measured."""

    number: int
    seconds: float | None


Moved = Callable[[Place | None], None]
"""Hears each new place, and None when the wait is over."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    moved: Moved
    group: int


class Admission:
    """Turns for `at_once` at a time, first come, first served.

    `patiently` waits for what may take long.
    """

    def __init__(
        self,
        at_once: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        patiently: Patiently = simply,
    ) -> None:
        self._at_once = at_once
        self._clock = clock
        self._patiently = patiently
        self._free = asyncio.Semaphore(at_once)
        self._line: list[_Waiting] = []
        self._turns: deque[float] = deque(maxlen=REMEMBERED)

    @asynccontextmanager
    async def turn(self, moved: Moved, *, group: int = 0) -> AsyncIterator[None]:
        """Wait for a turn and hold it; one that ends without an error is measured.

        `moved` hears where one waits, whenever that changes, and None once it is over;
        it hears nothing where there is nothing to wait for. `group` is the server that
        one comes from. Raises EngineBusy when too many wait already, LineFull when too
        many of the group do. Whoever is cancelled leaves the line.
        """
        if self._free.locked():
            await self._wait(_Waiting(moved, group))
        else:
            await self._free.acquire()
        began = self._clock()
        try:
            yield
            self._turns.append(self._clock() - began)
        finally:
            self._free.release()

    async def _wait(self, waiting: _Waiting) -> None:
        if len(self._line) >= LONGEST:
            raise EngineBusy(f"{LONGEST} battles are waiting already. Try again in a moment.")
        if sum(other.group == waiting.group for other in self._line) >= LONGEST_OF_GROUP:
            raise LineFull(f"{LONGEST_OF_GROUP} messages from here are waiting already.")
        self._line.append(waiting)
        self._tell(len(self._line) - 1)
        try:
            await self._patiently(self._free.acquire())
        finally:
            at = self._line.index(waiting)
            del self._line[at]
            for behind in range(at, len(self._line)):
                self._tell(behind)
        waiting.moved(None)

    def _tell(self, index: int) -> None:
        number = index + 1
        # One of those at work ends every mean turn divided by their number.
        seconds = number * fmean(self._turns) / self._at_once if self._turns else None
        self._line[index].moved(Place(number, seconds))
