"""Faults of drivers, disks and networks, as a person is told of them."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage import cipher, server
from storage.errors import DatabaseBusy, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADVICE = {
    sqlite3.SQLITE_READONLY: "cannot be written; make the file and its folder writable, "
    "or set TWOFOLD_DATABASE to another path",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; make the file and its folder readable and "
    "writable, or set TWOFOLD_DATABASE to another path",
    sqlite3.SQLITE_NOTADB: "is encrypted, or is not a database; set TWOFOLD_DATABASE_KEY to its "
    "key, move the file away, or set TWOFOLD_DATABASE to another path",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore a backup, or move the file away to begin anew",
    sqlite3.SQLITE_FULL: "has no room to grow; free some space on its disk",
    sqlite3.SQLITE_IOERR: "cannot be read or written by the disk; check the disk and its free "
    "space",
    sqlite3.SQLITE_CONSTRAINT: "refused a record that contradicts what it holds; "
    "please report this",
}
_OTHER_KEY = (
    "does not open with this key; set TWOFOLD_DATABASE_KEY to the one that it was encrypted with, "
    "or restore a backup where that is set"
)
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def damaged(place: str) -> StorageError:
    """What to say of a file that was read and found wrong."""
    return StorageError(f"The database {place} {_ADVICE[sqlite3.SQLITE_CORRUPT]}.")


def read_only(place: str) -> StorageError:
    """What to say of a file that may not be written."""
    return StorageError(f"The database {place} {_ADVICE[sqlite3.SQLITE_READONLY]}.")


@contextmanager
def told_plainly(place: str) -> Iterator[None]:
    """Turn a fault of driver, disk or network in the block into a StorageError about `place`."""
    try:
        yield
    except DBAPIError as fault:
        if not hasattr(fault.orig, "sqlstate"):
            raise _of_sqlite(fault, place) from fault
        raise _of_server(fault, place) from server.Unquoted(fault)
    except PoolTimeoutError as fault:
        raise DatabaseBusy("The database has too much to do; try again in a moment.") from fault
    except cipher.faults() as fault:
        raise _of_sqlite(fault, place) from fault
    except OSError as fault:
        raise StorageError(
            f"The database {place} cannot be reached; check that it is there "
            "and that you may use it."
        ) from fault


def _of_server(fault: DBAPIError, place: str) -> StorageError:
    sqlstate = getattr(fault.orig, "sqlstate", None)
    if fault.connection_invalidated or (sqlstate is None and isinstance(fault, InterfaceError)):
        return server.lost(place)
    return server.told(sqlstate or "", place)


def _of_sqlite(fault: Exception, place: str) -> StorageError:
    origin = fault.orig if isinstance(fault, DBAPIError) else fault
    # Extended codes keep the general one in their lowest byte.
    code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return DatabaseBusy(f"The database {place} is in use elsewhere; try again in a moment.")
    if isinstance(fault, IntegrityError):
        code = sqlite3.SQLITE_CONSTRAINT
    if code == sqlite3.SQLITE_NOTADB and cipher.of_cipher(origin):
        return StorageError(f"The database {place} {_OTHER_KEY}.")
    advice = _ADVICE.get(code, "cannot be used; see the log for the cause")
    return StorageError(f"The database {place} {advice}.")
