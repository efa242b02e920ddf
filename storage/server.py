"""PostgreSQL: how it is connected to, and what its faults mean for whoever runs the bot.

The URL is handed to asyncpg as it is, which reads it as libpq does: several hosts, `sslmode`,
a socket's folder as `host`, a password file. It is never shown: it may hold a password.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from storage.errors import DatabaseBusy, DatabaseUnreachable, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import asyncpg
    from sqlalchemy import URL
    from sqlalchemy.exc import DBAPIError

DRIVER = "postgresql+asyncpg"
NAMES = ("postgresql", "postgres")
"""How a URL may begin, besides by DRIVER."""

CONNECTIONS, IN_A_RUSH = 5, 5
"""Connections that a process keeps, and how many more it may open for a while."""

CONNECTS_WITHIN = 10.0
"""Seconds."""

_SETTINGS = {
    "application_name": "twofold",
    # A moment becomes text in the session's own zone and style; exports take its day from there.
    "timezone": "UTC",
    "datestyle": "ISO",
    # As long as SQLite's writers wait for each other; milliseconds.
    "lock_timeout": "5000",
    # Compiling a statement for a page of an export takes longer than running it.
    "jit": "off",
    # A host that is gone is noticed, and what it had locked is free, within a minute.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_NOT_DURABLE = {"synchronous_commit": "off"}
_ONLY_READ = {"default_transaction_read_only": "on"}

_SERVED_ELSEWHERE = (
    "gives no connection: all are in use. Raise its max_connections, or run fewer processes"
)
_ADVICE = {
    "28": "refuses this user or password; correct TWOFOLD_DATABASE",
    "3D000": "is not there; make it on the server with `createdb`, or correct TWOFOLD_DATABASE",
    "42501": "may not be used so by this user; make the user its owner",
    "42704": "does not know a part of its URL; correct TWOFOLD_DATABASE",
    "53100": "has no room to grow; free some space on the server's disk",
    "25006": "cannot be written: its server only lets it be read",
    "58": "cannot be read or written by the server's disk; check the disk and its free space",
    "XX": "is damaged, or its server is; see the server's log",
    "23": "refused a record that contradicts what it holds; please report this",
}
"""By SQLSTATE, or by the class that its first two characters name."""
_BUSY = {
    "53300": _SERVED_ELSEWHERE,
    "53": "is short of memory; try again in a moment",
    "55P03": "is in use elsewhere; try again in a moment",
    "40": "was changed by two at once; try again in a moment",
    "57014": "took too long; try again in a moment",
}
_AWAY = {"08", "57"}
_VALUES = {"22", "23"}
"""Classes whose messages may quote what was to be stored."""


async def connect(
    url: URL, *, place: str, durable: bool = True, only_read: bool = False
) -> asyncpg.Connection:
    """Connect to the server; raises StorageError, and DatabaseUnreachable where none answers."""
    try:
        import asyncpg  # noqa: PLC0415 - an extra
    except ImportError:
        raise missing() from None
    settings = _SETTINGS | (_ONLY_READ if only_read else {}) | ({} if durable else _NOT_DURABLE)
    with driven(place):
        return await asyncpg.connect(_dsn(url), server_settings=settings, timeout=CONNECTS_WITHIN)


@contextmanager
def driven(place: str) -> Iterator[None]:
    """Turn a fault of the driver's own in the block into a StorageError about `place`."""
    import asyncpg  # noqa: PLC0415 - an extra

    try:
        yield
    except asyncpg.PostgresError as fault:
        raise told(str(fault.sqlstate), place) from None
    except ValueError:
        raise StorageError(
            f"The URL of the database {place} is not written as one; correct TWOFOLD_DATABASE."
        ) from None
    except asyncpg.InterfaceError as fault:
        raise lost(place) from fault
    except OSError as fault:
        raise DatabaseUnreachable(
            f"The server of the database {place} does not answer; check that it runs, and that "
            "TWOFOLD_DATABASE names its host and port."
        ) from fault


def missing() -> StorageError:
    """What it means that there is no driver."""
    return StorageError(
        "PostgreSQL needs a driver that is not here: `pip install 'twofold[postgresql]'` brings it."
    )


def told(sqlstate: str, place: str) -> StorageError:
    """What a fault of the server's means."""
    for named in (sqlstate, sqlstate[:2]):  # a state is more than its class
        if named in _BUSY:
            return DatabaseBusy(f"The database {place} {_BUSY[named]}.")
        if named in _ADVICE:
            return StorageError(f"The database {place} {_ADVICE[named]}.")
        if named in _AWAY:
            return lost(place)
    return StorageError(f"The database {place} cannot be used; see the log for the cause.")


def lost(place: str) -> DatabaseUnreachable:
    """What it means that a connection ended."""
    return DatabaseUnreachable(
        f"The server of the database {place} is away; try again in a moment."
    )


def named(url: URL) -> str:
    """A database as sentences name it, without user and password."""
    host = url.host or url.query.get("host") or "this machine"
    port = f":{url.port}" if url.port else ""
    return f"{url.database or url.username} on {host if isinstance(host, str) else host[0]}{port}"


class Unquoted(Exception):
    """What may be logged of a fault: without the rows that the server quotes in its details."""

    def __init__(self, fault: DBAPIError) -> None:
        cause = getattr(fault.orig, "__cause__", None)
        state = getattr(fault.orig, "sqlstate", None) or ""
        message = "" if state[:2] in _VALUES else str(fault.orig).partition("\n")[0]
        constraint = getattr(cause, "constraint_name", None) or ""
        super().__init__(" ".join(filter(None, (state, message, constraint, fault.statement))))
        self.with_traceback(fault.__traceback__)


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
