"""Who works on a server's database: each shard one process, and who needs it whole nobody else.

A claim is some of PostgreSQL's advisory locks, held by a connection that does nothing else, so
they end with the process. Where the connection ends and the process does not, as when the
server is restarted, the locks are taken again before anybody notices, or else the work ends.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from storage import server
from storage.errors import DatabaseTaken, StorageError
from storage.locks import Lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    import asyncpg

    from storage.shards import Shards

_LOOK = 0.2
"""Seconds between two tries."""

_PING = 30.0
"""Seconds after which a connection that says nothing is asked whether it is still there."""

_OTHER_COUNTS = (
    "SELECT objid::bigint FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
    " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
    " AND classid = $1 AND objid <> $2 LIMIT 1"
)
_ME = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE (pid, backend_start) = ($1, $2)"
)


@asynccontextmanager
async def claimed(url: str, shards: Shards, *, wait_seconds: float) -> AsyncIterator[None]:
    """Have the shards, or the whole database, to this process alone; wait for one that is ending.

    Raises DatabaseTaken where that one does not end, and out of the block where another process
    has what was lost with the connection; StorageError where the server cannot be reached.
    """
    if make_url(url).drivername != server.DRIVER:
        yield  # what it is, is told where it is opened
        return
    claim = _Claim(url, shards)
    await claim.take(wait_seconds=wait_seconds)
    try:
        async with claim.kept():
            yield
    finally:
        await claim.release()


class _Claim:
    def __init__(self, url: str, shards: Shards) -> None:
        self._url = make_url(url)
        self._place = server.named(self._url)
        self._shards = shards
        self._connection: asyncpg.Connection | None = None
        self._backend: tuple[int, datetime] | None = None

    async def take(self, *, wait_seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + wait_seconds
        connection = await server.connect(self._url, place=self._place)
        try:
            with server.driven(self._place):
                await self._take(connection, deadline)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection

    async def _take(self, connection: asyncpg.Connection, deadline: float) -> None:
        if self._backend is not None:
            # The server may not know yet that it is gone; until it does, nobody else can have
            # what it holds.
            while await connection.fetchrow(_END, *self._backend):  # noqa: ASYNC110 - it is the server's
                await asyncio.sleep(_LOOK)
        self._backend = tuple(await connection.fetchrow(_ME))
        while (taken := await self._try(connection)) is not None:
            await connection.execute("SELECT pg_advisory_unlock_all()")
            if asyncio.get_running_loop().time() >= deadline:
                raise DatabaseTaken(taken)
            await asyncio.sleep(_LOOK)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        owner = asyncio.current_task()
        assert owner is not None  # noqa: S101 - there is one wherever something is awaited
        cancelling = owner.cancelling()
        keeping = asyncio.create_task(self._keep(owner))
        try:
            yield
        except asyncio.CancelledError:
            if keeping.done() and owner.uncancel() <= cancelling:
                raise keeping.exception() or asyncio.CancelledError from None
            raise
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})

    async def release(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def _keep(self, owner: asyncio.Task[object]) -> None:
        """Take the locks again whenever the connection ends; end the work where that fails."""
        while True:
            await self._ended()
            while True:
                try:
                    await self.take(wait_seconds=0)
                except DatabaseTaken:
                    owner.cancel()
                    raise
                except StorageError:  # nothing works without the server, so nothing is missed
                    await asyncio.sleep(1)
                else:
                    break

    async def _ended(self) -> None:
        connection = self._connection
        assert connection is not None  # noqa: S101 - it was taken
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        while not connection.is_closed():
            try:
                await asyncio.wait_for(ended.wait(), _PING)
            except TimeoutError:
                try:
                    await connection.execute("SELECT 1", timeout=server.CONNECTS_WITHIN)
                except Exception:  # noqa: BLE001 - whatever it is, the locks may be gone
                    connection.terminate()

    async def _try(self, connection: asyncpg.Connection) -> str | None:
        """Take all locks; what is in the way, if anything is."""
        if self._shards.whole:
            if await _locked(connection, Lock.WHOLE, 0):
                return None
            return (
                f"Another Twofold works on the database {self._place}. Stop it first, or set "
                "TWOFOLD_DATABASE to another one."
            )
        if not await _locked(connection, Lock.WHOLE, 0, shared=True):
            return (
                f"Another Twofold has the database {self._place} whole. Stop it, or start it with "
                "--shards as well."
            )
        count = self._shards.count
        await _locked(connection, Lock.COUNT, count, shared=True)
        if other := await connection.fetchval(_OTHER_COUNTS, Lock.COUNT, count):
            return (
                f"Another Twofold on the database {self._place} counts {other} shards, and this "
                f"one {count}. Start all of them with the same number."
            )
        for shard in sorted(self._shards.ids):
            if not await _locked(connection, Lock.SHARD, shard):
                return (
                    f"Another Twofold has shard {shard} on the database {self._place}. Stop it, "
                    "or give this one other --shards."
                )
        return None


async def _locked(
    connection: asyncpg.Connection, kind: Lock, number: int, *, shared: bool = False
) -> bool:
    how = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    return bool(await connection.fetchval(f"SELECT {how}($1, $2)", kind, number))
