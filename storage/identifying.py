"""Whose turn it is to begin a session, among all processes on a server's database."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from storage import server
from storage.locks import Lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def identify_turn(url: str, number: int) -> AsyncIterator[None]:
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
            await connection.execute("SET lock_timeout = 0")  # however many are before it
            await connection.execute("SELECT pg_advisory_lock($1, $2)", Lock.IDENTIFY, number)
        yield
    finally:
        connection.terminate()
