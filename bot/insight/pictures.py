"""Pictures for Discord, drawn beside the event loop."""

from __future__ import annotations

import asyncio
import gc
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bot.insight.plots import moving_picture, picture_of_leaderboard, picture_of_stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.insight.results import Course, Leaderboard, Stats

    _T = TypeVar("_T")

KEPT = 50
"""Pictures that are kept: what is found stays the same until there are new votes."""


class Pictures:
    """Draws one picture at a time, as matplotlib must, and each result only once."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._drawn: dict[int, tuple[object, bytes]] = {}

    async def leaderboard(self, board: Leaderboard) -> bytes:
        """Who is ahead, as PNG."""
        return await self._of(board, picture_of_leaderboard)

    async def course(self, course: Course, board: Leaderboard) -> bytes:
        """How the scores of the ranking's contenders went, as GIF."""
        return await self._of(course, partial(moving_picture, kinds=board.kinds))

    async def stats(self, stats: Stats) -> bytes:
        """How sound the votes are, as PNG."""
        return await self._of(stats, picture_of_stats)

    async def _of(self, found: _T, draw: Callable[[_T], bytes]) -> bytes:
        async with self._lock:
            # By identity: results are large, and the same ones come again. Each is held here,
            # so that no other takes its place in memory.
            if id(found) not in self._drawn:
                picture = await asyncio.to_thread(draw, found)
                if not self._drawn:  # the library that draws is there by now, and stays
                    gc.freeze()
                while len(self._drawn) >= KEPT:
                    del self._drawn[next(iter(self._drawn))]
                self._drawn[id(found)] = found, picture
            return self._drawn[id(found)][1]
