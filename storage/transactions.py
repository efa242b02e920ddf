"""Connections and transactions: how the stores read and write.

Every fault of the driver becomes one of `storage/errors.py` here and nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine

from storage.brief import BriefTransactions
from storage.driver import connect
from storage.errors import DatabaseBusy, StorageError
from storage.schema import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import URL, Connection, Table
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

    from storage.driver import Connection as Driver

_WAITS, _CHECKPOINT_WAITS = 5000, 100
"""Milliseconds that SQLite waits for a lock."""

_PRAGMAS = (
    f"busy_timeout = {_WAITS}",  # first, so that the others wait as well
    "journal_mode = WAL",
    "foreign_keys = ON",
    "synchronous = FULL",  # what was acknowledged survives a loss of power
    "secure_delete = ON",  # a wiped text leaves no trace in the file
)

_NOT_DURABLE = "synchronous = NORMAL"
_ONLY_READ = "query_only = ON"

# What SQLite takes the lock at: the start for a writer, which therefore waits instead of
# failing halfway; never for a reader. Some of its own commands stand in no transaction.
_BEGIN = {"read": "BEGIN", "write": "BEGIN IMMEDIATE", "none": ""}

_CONNECTIONS = 15

_ADVICE = {
    sqlite3.SQLITE_READONLY: "cannot be written; make the file and its folder writable, "
    "or set TWOFOLD_DATABASE to another path",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; make the file and its folder readable and "
    "writable, or set TWOFOLD_DATABASE to another path",
    sqlite3.SQLITE_NOTADB: "is not a database; move the file away, "
    "or set TWOFOLD_DATABASE to another path",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore a backup, or move the file away to begin anew",
    sqlite3.SQLITE_FULL: "has no room to grow; free some space on its disk",
    sqlite3.SQLITE_IOERR: "cannot be read or written by the disk; check the disk and its free "
    "space",
    sqlite3.SQLITE_CONSTRAINT: "refused a record that contradicts what it holds; "
    "please report this",
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Transactions:
    """The transactions of one database; `place` is how error sentences name it.

    `brief`, where there are any, are those that need no thread.
    """

    def __init__(
        self, engine: AsyncEngine, *, place: str, brief: BriefTransactions | None = None
    ) -> None:
        self.place = place
        self._engine = engine
        self._brief = brief
        self._reader = engine.execution_options(begin=_BEGIN["read"])
        self._writer = engine.execution_options(begin=_BEGIN["write"])
        # SQLite's own waiting is a lottery; within this process writers take turns.
        self._turn: AbstractAsyncContextManager[object] = asyncio.Lock()
        if engine.dialect.name != "sqlite":
            self._turn = nullcontext()
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ")

    @asynccontextmanager
    async def read(self, *, brief: bool = False) -> AsyncIterator[AsyncConnection]:
        """One unchanging view of the database, without the write lock.

        `brief` is for a few small statements that many wait for, with nothing else awaited
        in between. Raises StorageError.
        """
        with told_plainly(self.place):
            reading = self._brief.reading() if brief and self._brief else self._reader.begin()
            async with reading as connection:
                yield connection

    @asynccontextmanager
    async def write(self, *, brief: bool = False) -> AsyncIterator[AsyncConnection]:
        """All or nothing: committed, to the disk, once the block ends without an exception.

        Never inside another transaction of the same task. `brief` is as for `read`. Raises
        DatabaseBusy when another process keeps the lock for over 5 seconds, else StorageError.
        """
        with told_plainly(self.place):
            async with self._turn, self._writing(brief=brief) as connection:
                yield connection

    def _writing(self, *, brief: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        if brief and self._brief:
            # Where another process has the lock, the event loop must not wait for it.
            with suppress(DatabaseBusy), told_plainly(self.place):
                return self._brief.writing()
        return self._writer.begin()

    async def dispose(self) -> None:
        """Close what is open."""
        if self._brief:
            self._brief.dispose()
        await self._engine.dispose()

    async def checkpoint(self) -> bool:
        """Empty SQLite's log of writes into its file, so that no wiped text is left there.

        False where somebody who reads an older state, or another process, keeps it from that.
        """
        async with self._alone() as connection:
            return connection is None or await _checkpoint(connection)

    async def vacuum(self) -> bool:
        """Have SQLite write its file anew; nobody else can write meanwhile. As `checkpoint`."""
        async with self._alone() as connection:
            if connection is None:
                return True
            await connection.exec_driver_sql("VACUUM")
            return await _checkpoint(connection)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[AsyncConnection | None]:
        """A connection outside of any transaction; None where it is not SQLite."""
        if self._engine.dialect.name != "sqlite":
            yield None
            return
        outside = self._engine.execution_options(begin=_BEGIN["none"])
        with told_plainly(self.place):
            async with self._turn, outside.connect() as connection:
                yield connection


async def _checkpoint(connection: AsyncConnection) -> bool:
    """SQLite locks writers out while it waits for readers, so it waits for a moment only."""
    await connection.exec_driver_sql(f"PRAGMA busy_timeout = {_CHECKPOINT_WAITS}")
    try:
        done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        busy = done.scalar_one()
    finally:
        await connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAITS}")
    return not busy


def create_engine(url: URL, *, durable: bool = True, only_read: bool = False) -> AsyncEngine:
    """Make an engine, which opens nothing yet, with the pragmas and BEGINs that SQLite needs."""
    prepare = partial(_prepare, durable=durable, only_read=only_read)
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, json_serializer=_to_json, hide_parameters=True)
    arguments, options = url.get_dialect()().create_connect_args(url)
    engine = create_async_engine(
        url,
        json_serializer=_to_json,
        hide_parameters=True,  # texts and ids of people are not for logs
        async_creator=partial(connect, *arguments, **options),
        # None is made for a rush and thrown away after it: each has a thread and is prepared.
        pool_size=_CONNECTIONS,
        max_overflow=0,
    )
    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def create_brief(
    url: URL, *, durable: bool = True, only_read: bool = False
) -> BriefTransactions | None:
    """Make what needs no thread, which opens nothing yet; None where it is not SQLite."""
    if url.get_backend_name() != "sqlite":
        return None
    engine = sqlalchemy.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        json_serializer=_to_json,
        hide_parameters=True,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    event.listen(engine, "connect", partial(_prepare, durable=durable, only_read=only_read))
    event.listen(engine, "connect", _wait_for_nothing)
    event.listen(engine, "begin", _begin_now)
    return BriefTransactions(engine, durable=durable)


@contextmanager
def told_plainly(place: str) -> Iterator[None]:
    """Turn a fault of driver, disk or network in the block into a StorageError about `place`."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError, sqlite3.Error, OSError) as fault:
        raise _plainly(fault, place) from fault


def insert_if_new(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any], *, key: Collection[str]
) -> sqlite.Insert:
    """INSERT that leaves an existing row with the same `key` alone, and then returns no row."""
    return (
        _insert(connection.dialect.name, table)
        .values(values)
        .on_conflict_do_nothing(index_elements=key)
    )


def upsert(
    connection: AsyncConnection,
    table: Table,
    names: Iterable[str],
    *,
    key: Collection[str],
    keep: Collection[str] = (),
    returning: bool = False,
) -> sqlite.Insert:
    """INSERT of the columns `names`, or UPDATE of the row that has the same `key` already.

    The columns `keep` stay then as they are. To be executed with the values by name;
    `returning` gives the row that there is now.
    """
    return _upsert(
        connection.dialect.name, table, tuple(names), tuple(key), tuple(keep), returning=returning
    )


@cache
def _upsert(
    dialect: str,
    table: Table,
    names: tuple[str, ...],
    key: tuple[str, ...],
    keep: tuple[str, ...],
    *,
    returning: bool,
) -> sqlite.Insert:
    # Made once for each way to call it: that takes longer than to run it.
    insert = _insert(dialect, table)
    changes = {name: insert.excluded[name] for name in names if name not in {*key, *keep}}
    insert = insert.on_conflict_do_update(index_elements=key, set_=changes)
    return cast("sqlite.Insert", insert.returning(table)) if returning else insert


def _insert(dialect: str, table: Table) -> sqlite.Insert:
    if dialect == "postgresql":
        # Another class with the same methods; SQLAlchemy has no common one for upserts.
        return cast("sqlite.Insert", postgresql.insert(table))
    return sqlite.insert(table)


def _to_json(value: object) -> str:
    return clean(json.dumps(value, ensure_ascii=False))


def _prepare(
    connection: DBAPIConnection, _: ConnectionPoolEntry, *, durable: bool, only_read: bool
) -> None:
    chosen = {_NOT_DURABLE: not durable, _ONLY_READ: only_read}
    cursor = connection.cursor()
    for pragma in (*_PRAGMAS, *(pragma for pragma, holds in chosen.items() if holds)):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _wait_for_nothing(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.cursor().execute("PRAGMA busy_timeout = 0")


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("begin", _BEGIN["read"]):
        # The driver does not begin transactions itself; this one comes with its first statement.
        cast("Driver", connection.connection.driver_connection).begin(statement)


def _begin_now(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()["begin"])


def _plainly(fault: Exception, place: str) -> StorageError:
    if isinstance(fault, PoolTimeoutError):
        return DatabaseBusy("The database has too much to do; try again in a moment.")
    if isinstance(fault, OSError):
        return StorageError(
            f"The database {place} cannot be reached; check that it is there "
            "and that you may use it."
        )
    origin = fault.orig if isinstance(fault, DBAPIError) else fault
    # Extended codes keep the general one in their lowest byte.
    code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return DatabaseBusy(f"The database {place} is in use elsewhere; try again in a moment.")
    if isinstance(fault, IntegrityError):
        code = sqlite3.SQLITE_CONSTRAINT
    advice = _ADVICE.get(code, "cannot be used; see the log for the cause")
    return StorageError(f"The database {place} {advice}.")
