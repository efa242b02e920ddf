"""Connections and transactions: how the stores read and write.

Every fault of the driver becomes one of `storage/errors.py` here and nowhere else.

On SQLite a writer has the whole file. On PostgreSQL many write at once, and wait for each other
where they lock the same: a vote and what goes with it lock their battle (`lock_battle`), new
battles take turns (`take_turn`), and what goes through all battles keeps other writers away.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

import sqlalchemy
from sqlalchemy import event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import create_async_engine

from storage import cipher, server
from storage.brief import BriefTransactions
from storage.driver import Connection as Driver
from storage.driver import connect, dbapi
from storage.errors import DatabaseBusy
from storage.faults import told_plainly
from storage.locks import Lock
from storage.presence import Presence
from storage.schema import battles, clean
from storage.timing import Timing, unheard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from threading import Thread

    from pydantic import SecretStr
    from sqlalchemy import URL, Connection, Table
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

    from storage.timing import Timed

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

_AT_ONCE = 10_000
"""Databases limit how many values a statement may name."""

_ENDS_WITHIN = 2.0
"""Seconds that a closed connection's thread is waited for."""


class Transactions:
    """The transactions of one database; `place` is how error sentences name it.

    `brief`, where there are any, are those that need no thread; `timed` hears of each that ended.
    Nothing is done where `presence` says that the file is another one by now.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        place: str,
        brief: BriefTransactions | None = None,
        timed: Timed = unheard,
        presence: Presence | None = None,
    ) -> None:
        self.place = place
        self._presence = presence or Presence(None)
        self._gave_up = -math.inf
        self._timed = timed
        self._engine = engine
        self._brief = brief
        self._threads: WeakSet[Thread] = WeakSet()
        event.listen(engine.sync_engine, "connect", self._opened)
        self._reader = engine.execution_options(begin=_BEGIN["read"])
        self._writer = engine.execution_options(begin=_BEGIN["write"])
        # SQLite's own waiting is a lottery; within this process writers take turns.
        self._one_writer: AbstractAsyncContextManager[object] = asyncio.Lock()
        if engine.dialect.name != "sqlite":
            self._one_writer = nullcontext()
            self._reader = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @asynccontextmanager
    async def read(self, *, brief: bool = False) -> AsyncIterator[AsyncConnection]:
        """One unchanging view of the database, without the write lock.

        `brief` is for a few small statements that many wait for, with nothing else awaited
        in between. Raises StorageError.
        """
        with told_plainly(self.place), Timing(self._timed, "read") as timing:
            self._presence.require()
            reading = self._brief.reading() if brief and self._brief else self._reader.begin()
            async with reading as connection:
                timing.begins()
                yield connection

    @asynccontextmanager
    async def write(
        self, *, brief: bool = False, alone: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """All or nothing: committed, to the disk, once the block ends without an exception.

        Never inside another transaction of the same task. `brief` is as for `read`. `alone`
        waits until nobody else writes about battles, and lets nobody begin. Raises DatabaseBusy
        when another process keeps a lock for over 5 seconds, else StorageError.
        """
        asked = time.monotonic()
        try:
            with told_plainly(self.place), Timing(self._timed, "write") as timing:
                self._presence.require()
                async with self._one_writer, self._writing(brief=brief, asked=asked) as connection:
                    if alone and connection.dialect.name != "sqlite":
                        await connection.exec_driver_sql(f"LOCK TABLE {battles} IN EXCLUSIVE MODE")
                    _when_begun(connection, timing.begins)
                    yield connection
        except DatabaseBusy:
            self._gave_up = time.monotonic()
            raise

    def _writing(
        self, *, brief: bool, asked: float
    ) -> AbstractAsyncContextManager[AsyncConnection]:
        if self._brief and asked < self._gave_up:
            # Whose turn it was before waited for all who stood behind.
            self._brief.require_free()
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
        # One that ends later tells a loop that may be closed by then.
        await asyncio.to_thread(_ended, tuple(self._threads))

    def _opened(self, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        driver = getattr(connection, "driver_connection", None)
        if isinstance(driver, Driver):
            self._threads.add(driver.thread)

    async def damaged(self) -> bool:
        """Whether a SQLite file is not as it should be; reads all of it but the indexes.

        Raises StorageError where it cannot even be read.
        """
        async with self._alone() as connection:
            if connection is None:
                return False
            found = await connection.exec_driver_sql("PRAGMA quick_check(1)")
            return bool(found.scalar_one() != "ok")

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
            self._presence.require()
            async with self._one_writer, outside.connect() as connection:
                yield connection


async def _checkpoint(connection: AsyncConnection) -> bool:
    """SQLite locks writers out while it waits for readers, so it waits for a moment only."""
    await connection.exec_driver_sql(f"PRAGMA busy_timeout = {_CHECKPOINT_WAITS}")
    try:
        done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        busy = done.scalar_one()
    finally:
        if not connection.invalidated:  # as it is where the program ends meanwhile
            await connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAITS}")
    return not busy


def _ended(threads: Iterable[Thread]) -> None:
    for thread in threads:
        thread.join(_ENDS_WITHIN)


def create_engine(
    url: URL,
    place: str,
    *,
    key: SecretStr | None = None,
    durable: bool = True,
    only_read: bool = False,
) -> AsyncEngine:
    """Make an engine, which opens nothing yet, with the pragmas and BEGINs that SQLite needs.

    `key` is that of an encrypted file. Raises StorageError where SQLCipher is missing.
    """
    prepare = partial(_prepare, durable=durable, only_read=only_read)
    if url.get_backend_name() != "sqlite":
        return create_async_engine(
            url.drivername + "://",
            json_serializer=_to_json,
            hide_parameters=True,
            async_creator=partial(
                server.connect, url, place=place, durable=durable, only_read=only_read
            ),
            pool_pre_ping=True,  # a server that was restarted is found again
            pool_size=server.CONNECTIONS,
            max_overflow=server.IN_A_RUSH,
        )
    arguments, options = url.get_dialect()().create_connect_args(url)
    engine = create_async_engine(
        url,
        module=dbapi(key),
        json_serializer=_to_json,
        hide_parameters=True,  # texts and ids of people are not for logs
        async_creator=partial(connect, *arguments, key=key, **options),
        # None is made for a rush and thrown away after it: each has a thread and is prepared.
        pool_size=_CONNECTIONS,
        max_overflow=0,
    )
    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def create_brief(
    url: URL, *, key: SecretStr | None = None, durable: bool = True, only_read: bool = False
) -> BriefTransactions | None:
    """Make what needs no thread, which opens nothing yet; None where it is not SQLite.

    `key` is as for `create_engine`.
    """
    if url.get_backend_name() != "sqlite":
        return None
    url = url.set(drivername="sqlite+pysqlite")
    arguments, options = url.get_dialect()().create_connect_args(url)
    engine = sqlalchemy.create_engine(
        url,
        module=cipher.module(key),
        json_serializer=_to_json,
        hide_parameters=True,
        creator=partial(
            cipher.connect,
            *arguments,
            **{**options, "isolation_level": None, "check_same_thread": False},
            key=key,
        ),
    )
    event.listen(engine, "connect", partial(_prepare, durable=durable, only_read=only_read))
    event.listen(engine, "connect", _wait_for_nothing)
    event.listen(engine, "begin", _begin_now)
    return BriefTransactions(engine, durable=durable)


async def lock_battle(connection: AsyncConnection, battle_id: int) -> None:
    """Let others wait who are about to change the same battle, its votes or what goes with them.

    SQLite needs no such lock: there a writer has the whole file.
    """
    if connection.dialect.name != "sqlite":
        which = select(battles.c.id).where(battles.c.id == battle_id)
        await connection.execute(which.with_for_update())


async def take_turn(connection: AsyncConnection, turn: int) -> None:
    """Go on, on a server too, as the only transaction that took this turn and has not ended."""
    if connection.dialect.name != "sqlite":
        await connection.execute(select(func.pg_advisory_xact_lock(Lock.TURN, turn)))


def in_parts(ids: Iterable[int]) -> Iterator[list[int]]:
    """As many of the ids at a time as a statement may name."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]


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


def _when_begun(connection: AsyncConnection, told: Callable[[], object]) -> None:
    sync = getattr(connection, "sync_connection", None)  # what is brief has begun
    driver = sync and sync.connection.driver_connection
    if isinstance(driver, Driver):
        driver.when_begun(told)
    else:
        told()


def _begin_now(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()["begin"])
