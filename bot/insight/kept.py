"""Votes that are kept in memory, with what is found in them: only what closed since is read."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bot.insight.arena import Entrant, Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime

    from bot.insight.arena import Arena
    from storage.arena import ArenaStore, Extent

    _T = TypeVar("_T")

OVERLAP = timedelta(minutes=5)
"""A battle may be stored that much later than the moment that it says it closed at."""

ANEW = timedelta(hours=12)
"""How long votes are kept before all are read again: voters who did not agree are forgotten."""

KEPT = 200
"""Results that are kept until there are new votes."""


async def read(
    store: ArenaStore,
    into: Gathering,
    *,
    simulated: bool = False,
    since: datetime | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> Arena:
    """Add the battles that were closed at `since` or later; all that there are by then.

    `advance` is told of how many, a page at a time. Raises StorageError.
    """
    contenders = await store.contenders()
    into.name(
        {
            number: Entrant(slug=one.slug, kind=one.kind, parent=one.parent)
            for number, one in contenders.items()
        }
    )
    async with aclosing(store.pages(simulated=simulated, since=since)) as pages:
        async for page in pages:
            await _whole(partial(into.add, page))
            advance(len(page.battles["id"]))
    return await _whole(into.arena)


async def _whole(work: Callable[[], _T]) -> _T:
    """In a thread, and to its end: who leaves leaves nothing half done that others go on with."""
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


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
        self._reading = asyncio.Lock()
        self._finding = asyncio.Lock()
        self._kept: tuple[Arena, Extent] | None = None
        self._gathering = Gathering({})
        self._read_at = clock()
        self._results: dict[Hashable, object] = {}

    async def get(self) -> Arena:
        """All of it, as it is now. The first call reads everything. Raises StorageError."""
        async with self._reading:
            extent = await self._store.extent(simulated=self._simulated)
            arena = await self._kept_until(extent) or await self._anew()
            if self._kept is None or self._kept[0] is not arena:
                self._results.clear()
            self._kept = arena, extent
            return arena

    async def result(self, key: Hashable, find: Callable[[Arena], _T]) -> _T:
        """What `find` makes of the votes, in a thread; kept by `key` until there are new ones.

        One at a time, so that who asks for the same gets the same. Raises StorageError.
        """
        arena = await self.get()
        if key not in self._results:
            async with self._finding:
                if key not in self._results:
                    found = await asyncio.to_thread(find, arena)
                    if self._kept is None or arena is not self._kept[0]:
                        return found
                    self._keep(key, found)
        kept: _T = self._results[key]  # type: ignore[assignment]
        return kept

    def _keep(self, key: Hashable, found: object) -> None:
        while len(self._results) >= KEPT:
            del self._results[next(iter(self._results))]
        self._results[key] = found

    async def _kept_until(self, extent: Extent) -> Arena | None:
        """What was kept, with what closed since; None where that would not be all and no more."""
        if self._kept is None or self._clock() - self._read_at > ANEW:
            return None
        arena, before = self._kept
        if extent == before:
            return arena
        if extent.recounts != before.recounts or before.newest is None:
            return None
        arena = await read(
            self._store,
            self._gathering,
            simulated=self._simulated,
            since=before.newest - OVERLAP,
        )
        # A simulated community may say that its battles closed long ago.
        return arena if len(arena.battle) >= extent.closed else None

    async def _anew(self) -> Arena:
        gathering, begun = Gathering({}), self._clock()
        arena = await read(self._store, gathering, simulated=self._simulated)
        self._gathering, self._read_at = gathering, begun
        return arena
