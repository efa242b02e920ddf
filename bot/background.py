"""Work beside other work."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine


@asynccontextmanager
async def meanwhile(work: Coroutine[object, object, object]) -> AsyncIterator[None]:
    """Have work done until the block ends; then it is cancelled and waited for.

    What it raises goes no further than to the log, by asyncio itself.
    """
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
