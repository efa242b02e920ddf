"""Turns that all processes on a server's database take one after another."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from storage import server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TURN = 0x7F06
"""The first of the two numbers of an advisory lock; those of `claims` are others."""

_LOOK = 0.2
"""Seconds between two tries."""


@asynccontextmanager
async def turn(url: str, number: int) -> AsyncIterator[None]:
    """Have a turn alone, once it is free; it ends with the process at the latest.

    Where the database is a file, one process has it, and every turn is free. Raises StorageError.
    """
    address = make_url(url)
    if address.drivername != server.DRIVER:
        yield
        return
    place = server.named(address)
    connection = await server.connect(address, place=place)
    try:
        with server.driven(place):
            while not await connection.fetchval(  # noqa: ASYNC110 - the lock is in the server
                "SELECT pg_try_advisory_lock($1, $2)", _TURN, number
            ):
                await asyncio.sleep(_LOOK)
        yield
    finally:
        connection.terminate()
