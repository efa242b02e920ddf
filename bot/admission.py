"""Admission: at most so many battles are answered at once, the others wait for a fair turn."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from statistics import fmean
from typing import TYPE_CHECKING

from bot.errors import EngineBusy, LineFull
from bot.patience import simply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

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
class _Turn:
    group: int
    member: int
    arrived: int
    moved: Moved
    granted: asyncio.Event = field(default_factory=asyncio.Event)


_Key = int | tuple[int, int]


def _group(turn: _Turn) -> _Key:
    return turn.group


def _member(turn: _Turn) -> _Key:
    return turn.group, turn.member


class Admission:
    """Turns for `at_once` at a time, shared fairly.

    Servers take turns, and so do the members of each: who has fewer turns, at work and ahead
    in the line, comes first; of equals who had none for longer, and then who came first. One
    who asks for much waits behind everybody who asks for less, and has all the room there is
    where nobody else asks.
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
        self._at_work: set[_Turn] = set()
        self._line: list[_Turn] = []
        self._numbers = count()
        self._began: dict[_Key, int] = {}
        self._turns: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def waiting(self) -> int:
        """How many are in the line."""
        return len(self._line)

    @property
    def running(self) -> int:
        """How many have their turn."""
        return len(self._at_work)

    @asynccontextmanager
    async def turn(self, moved: Moved, *, group: int = 0, member: int = 0) -> AsyncIterator[None]:
        """Wait for a turn and hold it; one that ends without an error is measured.

        `moved` hears where one waits, whenever that changes, and None once it is over;
        it hears nothing where there is nothing to wait for. `group` is the server that
        one comes from. Raises EngineBusy when too many wait already, LineFull when too
        many of the group do. Whoever is cancelled leaves the line.
        """
        turn = _Turn(group, member, next(self._numbers), moved)
        if len(self._at_work) < self._at_once:
            self._begin(turn)
        else:
            await self._wait(turn)
        began = self._clock()
        try:
            yield
            self._turns.append(self._clock() - began)
        finally:
            self._end(turn)

    async def _wait(self, turn: _Turn) -> None:
        if len(self._line) >= LONGEST:
            raise EngineBusy(f"{LONGEST} battles are waiting already. Try again in a moment.")
        if sum(other.group == turn.group for other in self._line) >= LONGEST_OF_GROUP:
            raise LineFull(f"{LONGEST_OF_GROUP} messages from here are waiting already.")
        self._reorder([*self._line, turn])
        try:
            await self._patiently(turn.granted.wait())
        except BaseException:
            if turn.granted.is_set():
                self._end(turn)
            else:
                self._reorder([other for other in self._line if other is not turn])
            raise
        turn.moved(None)

    def _end(self, turn: _Turn) -> None:
        self._at_work.remove(turn)
        if self._line:
            following, *line = self._line
            self._begin(following)
            following.granted.set()
            self._reorder(line)
        else:
            self._began.clear()

    def _begin(self, turn: _Turn) -> None:
        self._at_work.add(turn)
        self._began[turn.group] = self._began[turn.group, turn.member] = next(self._numbers)

    def _reorder(self, line: Iterable[_Turn]) -> None:
        """Put those who wait in the order of their turns, and tell each whose place is another."""
        before = {turn: place for place, turn in enumerate(self._line)}
        line = sorted(line, key=lambda turn: turn.arrived)
        # Sorting keeps the order of equals: within a server that of its members.
        for whose in (_member, _group):
            line.sort(key=self._ahead(line, whose))
        self._line = line
        there = {whose(turn) for turn in (*line, *self._at_work) for whose in (_member, _group)}
        self._began = {key: number for key, number in self._began.items() if key in there}
        for index, turn in enumerate(line):
            if before.get(turn) != index:
                turn.moved(self._place(index))

    def _ahead(
        self, line: Sequence[_Turn], whose: Callable[[_Turn], _Key]
    ) -> Callable[[_Turn], tuple[int, int]]:
        """How many turns of the same one come first, and when that one last had its turn."""
        turns = Counter(whose(turn) for turn in self._at_work)
        ahead = {}
        for turn in line:
            key = whose(turn)
            ahead[turn] = turns[key], self._began.get(key, -1)
            turns[key] += 1
        return ahead.__getitem__

    def _place(self, index: int) -> Place:
        number = index + 1
        # One of those at work ends every mean turn divided by their number.
        seconds = number * fmean(self._turns) / self._at_once if self._turns else None
        return Place(number, seconds)
