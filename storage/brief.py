"""Brief transactions of a SQLite file, which take place on the event loop.

A statement about a few rows takes SQLite some ten microseconds, and handing it to a thread and
taking its result back takes hundreds. So what every press asks and stores is done here, at
once. Only a commit, which waits for the disk, is done in a thread.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Connection, Engine, Executable
    from sqlalchemy.engine import CursorResult, ScalarResult
    from sqlalchemy.ext.asyncio import AsyncConnection


class BriefTransactions:
    """Transactions of a few small statements each, with nothing else awaited in between.

    `engine` is one whose connections wait for no lock, and may change threads. Where they need
    not be `durable`, a commit waits for nothing and takes place here as well.
    """

    def __init__(self, engine: Engine, *, durable: bool = True) -> None:
        self._engine = engine
        self._durable = durable
        self._reader = engine.execution_options(begin="BEGIN")
        self._writer = engine.execution_options(begin="BEGIN IMMEDIATE")
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="commit")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One unchanging view of the database."""
        with self._reader.begin() as connection:
            yield _as_async(connection)

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """All or nothing; the lock is taken by now, or that it cannot be is raised at once."""
        connection = self._writer.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return self._written(connection)

    def require_free(self) -> None:
        """Raise what the driver does where somebody else has the lock now."""
        with self._writer.begin():
            pass

    @asynccontextmanager
    async def _written(self, connection: Connection) -> AsyncIterator[AsyncConnection]:
        with connection:  # which rolls back what is not committed
            yield _as_async(connection)
            if not self._durable:
                connection.commit()
                return
            loop = asyncio.get_running_loop()
            commit = loop.run_in_executor(self._disk, connection.commit)
            try:
                await asyncio.shield(commit)
            finally:  # whoever is cancelled must not take the connection from the thread
                await asyncio.wait({commit})

    def dispose(self) -> None:
        """Close what is open."""
        self._engine.dispose()


class _Here:
    """What the stores use of an AsyncConnection, with nothing to wait for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:  # noqa: ANN401
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:  # noqa: ANN401
        return self._connection.scalar(statement, parameters)

    async def scalars(self, statement: Executable, parameters: Any = None) -> ScalarResult[Any]:  # noqa: ANN401
        return self._connection.scalars(statement, parameters)


def _as_async(connection: Connection) -> AsyncConnection:
    return cast("AsyncConnection", _Here(connection))
