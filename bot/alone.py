"""One program at a time works on a database file."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from bot.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WAIT_SECONDS = 12.0
"""A bot that is told to stop may take ten."""


@asynccontextmanager
async def alone(url: str, *, wait_seconds: float = WAIT_SECONDS) -> AsyncIterator[None]:
    """Two bots on one file would give each other's battles up; wait for one that is ending.

    Raises StorageError where that one does not end.
    """
    if not url.startswith("sqlite"):
        yield
        return
    path = Path(f"{url.partition(':///')[2]}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, thread_local=False)
        await asyncio.to_thread(lock.acquire, timeout=wait_seconds)
    except Timeout:
        raise StorageError(
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
