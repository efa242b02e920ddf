"""Bringing a database to this program's schema, and refusing one that it does not know."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from storage.errors import DatabaseTooNew, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Connection


def upgrade(connection: Connection, place: str) -> None:
    """Run the steps that are missing, inside the connection's transaction.

    Raises DatabaseTooNew.
    """
    _refuse_newer(MigrationContext.configure(connection).get_current_heads(), place)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    # SQLite begins a transaction even where it may only read; only a write finds out.
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))


def require_current(connection: Connection, place: str) -> None:
    """Raise StorageError where steps are missing, which who only reads does not run."""
    heads = MigrationContext.configure(connection).get_current_heads()
    _refuse_newer(heads, place)
    if set(heads) != set(ScriptDirectory.from_config(_config()).get_heads()):
        raise StorageError(
            f"The database {place} is as an older Twofold left it, and here it is only read. "
            "`twofold leaderboard` on it brings it up to date."
        )


def refuse_foreign_file(path: Path) -> None:
    """Refuse an SQLite file that is not ours, before anything that could change it touches it.

    Raises DatabaseTooNew for a newer program's file, StorageError for another program's,
    sqlite3.Error where it cannot be read as a database.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    # Without a write-ahead log the file is complete, and `immutable` reads it without the
    # lock and index files that `mode=ro` creates beside it.
    log = path.with_name(f"{path.name}-wal")
    option = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{option}", uri=True)) as file:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return
        if not tables.issuperset({"alembic_version", "battles"}):
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
def _known() -> frozenset[str]:
    steps = ScriptDirectory.from_config(_config()).walk_revisions()
    return frozenset(step.revision for step in steps)
