"""Bringing a database to this program's schema, and refusing one that it does not know."""

from __future__ import annotations

from contextlib import closing
from functools import cache
from shlex import quote
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, text

from storage import cipher
from storage.errors import DatabaseTooNew, StorageError
from storage.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic import SecretStr
    from sqlalchemy import Connection


_OURS = {"alembic_version", "battles"}

_MARKED = "0005"
"""The step that marks what is simulated."""


def upgrade(connection: Connection, place: str) -> None:
    """Run the steps that are missing, inside the connection's transaction.

    Raises DatabaseTooNew, and StorageError for a server's database that is not ours.
    """
    if connection.dialect.name != "sqlite":
        # Others that start now wait here, however long it takes, and then find it done.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(select(func.pg_advisory_xact_lock(Lock.UPGRADE)))
        _refuse_foreign_tables(connection, place)
    heads = MigrationContext.configure(connection).get_current_heads()
    _refuse_newer(heads, place)
    if frozenset(heads) != _newest():
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    # A transaction begins even where it may only read; only a write finds out.
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))


def downgrade(connection: Connection, revision: str, place: str) -> None:
    """Take the steps after `revision` back, with what only they can hold.

    Raises StorageError where there is no such earlier step, or what is simulated would be taken
    for real then.
    """
    (now,) = MigrationContext.configure(connection).get_current_heads()
    if revision not in _known() or revision > now:
        earlier = ", ".join(sorted(step for step in _known() if step < now))
        raise StorageError(
            f"The database {place} cannot go back to {revision}. Choose one of: {earlier}."
        )
    marked = "SELECT count(*) FROM battles WHERE simulated"
    if revision < _MARKED <= now and connection.scalar(text(marked)):
        raise StorageError(
            "There are simulated votes, which an older Twofold would take for real ones. Remove "
            "them first: twofold simulate --remove"
        )
    config = _config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


def require_current(connection: Connection, place: str) -> None:
    """Raise StorageError where steps are missing, which who only reads does not run."""
    heads = MigrationContext.configure(connection).get_current_heads()
    _refuse_newer(heads, place)
    if frozenset(heads) != _newest():
        raise StorageError(
            f"The database {place} is as an older Twofold left it, and here it is only read. "
            "`twofold leaderboard` on it brings it up to date."
        )


def _refuse_foreign_tables(connection: Connection, place: str) -> None:
    tables = set(inspect(connection).get_table_names())
    if tables and not tables.issuperset(_OURS):
        raise StorageError(
            f"The database {place} belongs to another program; make one for Twofold with "
            "`createdb`, and name it in TWOFOLD_DATABASE."
        )


def refuse_foreign_file(path: Path, key: SecretStr | None) -> None:
    """Refuse an SQLite file that is not ours, before anything that could change it touches it.

    Raises DatabaseTooNew for a newer program's file, StorageError for another program's and for
    one that is not encrypted though there is a `key`, a driver's error where it cannot be read
    as a database, with this key.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    if key is not None and path.is_file() and cipher.is_plain(path):
        raise StorageError(
            f"The database {path} is not encrypted, and TWOFOLD_DATABASE_KEY is set; encrypt it "
            f"with `twofold encrypt {quote(str(path))}`, or take the key away."
        )
    # Without a write-ahead log the file is complete, and `immutable` reads it without the
    # lock and index files that `mode=ro` creates beside it.
    log = path.with_name(f"{path.name}-wal")
    option = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    uri = f"{path.absolute().as_uri()}?{option}"
    with closing(cipher.connect(uri, uri=True, key=key)) as file:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return
        if not tables.issuperset(_OURS):
            raise StorageError(
                f"The database {path} belongs to another program; "
                "set TWOFOLD_DATABASE to another path."
            )
        revisions = [number for (number,) in file.execute("SELECT * FROM alembic_version")]
    _refuse_newer(revisions, str(path))


def _refuse_newer(revisions: Iterable[str], place: str) -> None:
    if not _known().issuperset(revisions):
        raise DatabaseTooNew(
            f"A newer Twofold wrote the database {place}; "
            "install the newest version, or set TWOFOLD_DATABASE to another path."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.set_main_option("path_separator", "os")
    return config


@cache
def _newest() -> frozenset[str]:
    return frozenset(ScriptDirectory.from_config(_config()).get_heads())


@cache
def _known() -> frozenset[str]:
    steps = ScriptDirectory.from_config(_config()).walk_revisions()
    return frozenset(step.revision for step in steps)
