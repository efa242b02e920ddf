"""aiosqlite, with one change of thread a statement where SQLAlchemy's way takes four.

SQLAlchemy asks a driver for a cursor, the statement, its rows and the close, one by one, and
aiosqlite gives each of them a turn of its thread. A turn costs a hundred times what SQLite
needs for a small statement, and turns are the first thing to run out when many members press
at once. So a statement brings its rows along, and a BEGIN comes with the first statement after
it. What is read or written, and when it is on the disk, stays the same.
"""

from __future__ import annotations

from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Self

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi

from storage import cipher

if TYPE_CHECKING:
    import asyncio
    import sqlite3
    from collections.abc import Callable, Iterable
    from threading import Thread

    from pydantic import SecretStr

AHEAD = 100
"""Rows that come with their statement; more of them are fetched when they are asked for."""


def dbapi(key: SecretStr | None) -> AsyncAdapt_aiosqlite_dbapi:
    """What SQLAlchemy takes for aiosqlite: it knows the errors of whichever driver is below."""
    below = cipher.module(key)
    adapted = AsyncAdapt_aiosqlite_dbapi(below, below)
    adapted.has_stop = True
    return adapted


async def connect(*arguments: Any, key: SecretStr | None = None, **options: Any) -> Connection:  # noqa: ANN401
    """Open a file, as `cipher.connect` does; a transaction begins by `Connection.begin` only."""
    options["isolation_level"] = None
    connection = Connection(partial(cipher.connect, *arguments, key=key, **options), AHEAD)
    # As SQLAlchemy does for connections that it makes: one that is left open holds no exit up.
    connection.thread.daemon = True
    await connection
    return connection


class Connection(aiosqlite.Connection):
    """What SQLAlchemy takes for a connection of aiosqlite's."""

    _beginning = ""
    _begun = False
    _told: Callable[[], object] | None = None

    @property
    def thread(self) -> Thread:
        """Where SQLite works; it ends once the connection is closed."""
        return self._thread

    def begin(self, statement: str) -> None:
        """Begin a transaction by `statement`, which comes with the next one."""
        self._beginning, self._told = statement, None

    def when_begun(self, told: Callable[[], object]) -> None:
        """Have it called in the thread once the transaction that is to begin has its lock."""
        self._told = told

    def cursor(self) -> Cursor:  # type: ignore[override]
        """Make a cursor, which takes no turn of the thread."""
        return Cursor(self)

    async def commit(self) -> None:
        """Commit what was begun; SQLAlchemy asks for that also where nothing was."""
        self._beginning = ""
        if self._begun:
            await super().commit()
            self._begun = False

    async def rollback(self) -> None:
        """Roll back what was begun, as above."""
        self._beginning = ""
        if self._begun:
            await super().rollback()
            self._begun = False

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread; None where it is ending already, as nothing would answer then.

        What is cancelled while it closes is stopped by SQLAlchemy, and then stops itself.
        """
        return super().stop() if self._running else None

    async def turn(self, work: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        """Do something in the thread, after what is still to begin."""
        if self._beginning:
            work, arguments = self._begin_and, (self._beginning, work, *arguments)
            self._beginning, self._begun = "", True
        return await self._execute(work, *arguments)  # type: ignore[no-untyped-call]

    def _begin_and(self, beginning: str, work: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        self._conn.execute(beginning)
        if self._told is not None:
            self._told()
        return work(*arguments)


class Cursor:
    """As much of a cursor of aiosqlite's as SQLAlchemy uses."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unread: sqlite3.Cursor | None = None
        self._rows: list[Any] = []
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Iterable[Any] = ()) -> Self:
        """Run a statement, and read its first rows."""
        await self._connection.turn(self._run, methodcaller("execute", statement, parameters))
        return self

    async def executemany(self, statement: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """Run a statement for each of the parameters."""
        await self._connection.turn(self._run, methodcaller("executemany", statement, parameters))
        return self

    async def fetchone(self) -> Any:  # noqa: ANN401
        """Return the next row, None after the last."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows, as many as there are up to `size`."""
        size = size or self.arraysize
        if len(self._rows) < size and self._unread is not None:
            self._rows += await self._connection.turn(self._unread.fetchmany, size)
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def fetchall(self) -> list[Any]:
        """Return all other rows."""
        if self._unread is not None:
            self._rows += await self._connection.turn(self._unread.fetchall)
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Let go of rows that nobody asked for."""
        if self._unread is not None:
            unread, self._unread = self._unread, None
            await self._connection.turn(unread.close)

    def _run(self, work: Callable[[sqlite3.Cursor], object]) -> None:
        cursor = self._connection._conn.cursor()  # noqa: SLF001
        work(cursor)
        self.description = cursor.description
        self._rows = cursor.fetchmany(AHEAD) if cursor.description else []
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        if len(self._rows) < AHEAD:
            cursor.close()
        else:
            self._unread = cursor
