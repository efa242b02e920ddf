"""Rankings from votes that are kept in memory: only what closed since is read again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from bot.insight.arena import Entrant, Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime

    from bot.insight.arena import Arena
    from storage.arena import ArenaStore

    _T = TypeVar("_T")

OVERLAP = timedelta(minutes=5)
"""A battle may be stored that much later than the moment that it says it closed at."""

ANEW = timedelta(hours=12)
"""How long votes are kept before all are read again: voters who did not agree are forgotten."""

KEPT = 200
"""Results that are kept until there are new votes."""


class KeptArena:
    """The votes on closed battles, real or simulated ones, read once and then kept up to date.

    What was erased is not in it any more the next time that somebody asks.
    """

    def __init__(
        self, store: ArenaStore, *, clock: Callable[[], datetime], simulated: bool = False
    ) -> None:
        self._store = store
        self._clock = clock
        self._simulated = simulated
        self._lock = asyncio.Lock()
        self._gathering = Gathering({})
        self._arena: Arena | None = None
        self._recounts = -1
        self._newest: datetime | None = None
        self._read_at: datetime | None = None
        self._results: dict[Hashable, object] = {}

    async def get(self) -> Arena:
        """All of it, as it is now. The first call reads everything. Raises StorageError."""
        async with self._lock:
            recounts, newest = await self._store.recounts(), await self._store.newest()
            now = self._clock()
            stale = self._read_at is None or now - self._read_at > ANEW
            if self._arena is None or stale or recounts != self._recounts:
                self._gathering = Gathering({})
                self._read_at, since = now, None
            elif newest == self._newest:
                return self._arena
            else:
                since = self._newest and self._newest - OVERLAP
            await self._read(since)
            self._recounts, self._newest = recounts, newest
            self._results.clear()
            self._arena = await asyncio.to_thread(self._gathering.arena)
            return self._arena

    async def result(self, key: Hashable, find: Callable[[Arena], _T]) -> _T:
        """What `find` makes of the votes, in a thread; kept by `key` until there are new ones.

        Raises StorageError.
        """
        arena = await self.get()
        if key not in self._results:
            found = await asyncio.to_thread(find, arena)
            if arena is not self._arena:
                return found
            while len(self._results) >= KEPT:
                del self._results[next(iter(self._results))]
            self._results[key] = found
        kept: _T = self._results[key]  # type: ignore[assignment]
        return kept

    async def _read(self, since: datetime | None) -> None:
        contenders = await self._store.contenders()
        self._gathering.name(
            {number: Entrant(slug=slug, kind=kind) for number, (slug, kind) in contenders.items()}
        )
        pages = self._store.pages(simulated=self._simulated, since=since)
        async with aclosing(pages):
            async for page in pages:
                await asyncio.to_thread(self._gathering.add, page)
