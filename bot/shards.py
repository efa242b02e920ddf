"""Which shards this process has, and when it may begin a session on one."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from bot.errors import ConfigError, StorageError
from storage.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

log = structlog.get_logger(__name__)

MOST = 10_000
"""Shards in all: 25 million servers."""

IDENTIFY_SECONDS = 5.0
"""Between two sessions that Discord lets begin by the same turn."""

PATIENCE_SECONDS = 45.0
"""A connection on which nothing begins is taken for dead after a minute."""

_RUN = r"[0-9]{1,5}(?:-[0-9]{1,5})?"
_WRITTEN = re.compile(rf"(?P<ids>{_RUN}(?:,{_RUN})*)/(?P<count>[0-9]{{1,5}})")
_HOW = "write the shards of this process and how many there are in all, such as 0-3/16 or 5/16"


def read_shards(text: str) -> Shards:
    """Read `0-3/16`, `5/16` or `0,2/4`. Raises ValueError with what to write instead."""
    written = _WRITTEN.fullmatch(text.replace(" ", ""))
    if written is None:
        raise ValueError(_HOW)
    count = int(written["count"])
    if not 1 <= count <= MOST:
        raise ValueError(f"there can be 1 to {MOST} shards; {_HOW}")
    ids: set[int] = set()
    for part in written["ids"].split(","):
        first, _, last = part.partition("-")
        found = range(int(first), int(last or first) + 1)
        if not found:
            raise ValueError(f"{part} runs backwards; write {last}-{first}")
        if found[-1] >= count:
            raise ValueError(f"shard {found[-1]} is not among {count}: they are numbered from 0")
        if not ids.isdisjoint(found):
            raise ValueError(f"{part} names a shard twice; name each once")
        ids.update(found)
    return Shards(frozenset(ids), count)


def require_shared(shards: Shards, *, url: str) -> None:
    """Raise ConfigError where other processes are to share a database that is a file."""
    if not shards.whole and url.startswith("sqlite"):
        raise ConfigError(
            f"TWOFOLD_SHARDS ({shards}) leaves shards to other processes, and they cannot share an "
            "SQLite file. Set TWOFOLD_DATABASE to a PostgreSQL URL, or give this process all of "
            f"them: {Shards.all(shards.count)}."
        )


class Identifying:
    """The turns in which sessions begin: one in five seconds for each of Discord's turns.

    Discord tells how many there are, `max_concurrency`, and shard `n` is in turn `n` modulo
    that. `turn` makes it hold for all processes that share a database on a server.
    """

    def __init__(
        self,
        turn: Callable[[int], AbstractAsyncContextManager[None]],
        *,
        seconds: float = IDENTIFY_SECONDS,
    ) -> None:
        self._turn = turn
        self._seconds = seconds
        self._here: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._held: set[asyncio.Task[None]] = set()

    async def wait(self, shard_id: int, *, concurrency: int) -> None:
        """Return once this shard may begin a session, and take its turn.

        Raises TimeoutError where that takes longer than its connection lasts; connect anew then.
        """
        begun = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._hold(shard_id % concurrency, begun))
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await begun

    async def close(self) -> None:
        """Let go of the turns that are held."""
        for task in self._held:
            task.cancel()
        if self._held:
            await asyncio.wait(self._held)

    async def _hold(self, number: int, begun: asyncio.Future[None]) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._here[number])
            if begun.cancelled():
                return
            try:
                await stack.enter_async_context(self._turn(number))
            except StorageError as error:  # a session that begins too early is refused, no more
                log.warning("the turns of other processes are not known", error=str(error))
            if begun.cancelled():
                return
            begun.set_result(None)
            await asyncio.sleep(self._seconds)
