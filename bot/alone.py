"""One program at a time works on a database, or on each shard of one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from bot.errors import DatabaseTaken, StorageError
from storage.claims import claimed
from storage.shards import EVERY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage.shards import Shards

WAIT_SECONDS = 12.0
"""A bot that is told to stop may take ten."""


@asynccontextmanager
async def alone(
    url: str, *, shards: Shards = EVERY, wait_seconds: float = WAIT_SECONDS
) -> AsyncIterator[None]:
    """Two bots would give each other's battles up; wait for one that is ending.

    On a server, others may have other `shards`. Raises DatabaseTaken where that one does not
    end, StorageError where the folder cannot be written or the server not be reached.
    """
    if not url.startswith("sqlite"):
        async with claimed(url, shards, wait_seconds=wait_seconds):
            yield
        return
    path = Path(f"{url.partition(':///')[2]}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(path, thread_local=False)
        await asyncio.to_thread(lock.acquire, timeout=wait_seconds)
    except Timeout:
        raise DatabaseTaken(
            f"Another Twofold works on the database beside {path}. Stop it, or set TWOFOLD_HOME "
            "to a folder of its own."
        ) from None
    except OSError as error:
        raise StorageError(
            f"The folder {path.parent} cannot be written ({error.strerror}). Set TWOFOLD_HOME to "
            "one that can."
        ) from None
    try:
        yield
    finally:
        lock.release()
