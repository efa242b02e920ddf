"""Copies of a SQLite file: of one moment, whole or not there, made while others write."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from storage import cipher
from storage.errors import StorageError
from storage.faults import told_plainly
from storage.upgrade import refuse_foreign_file

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydantic import SecretStr

PAGES = 256
"""So many are copied at a time, a megabyte."""


def back_up(
    source: Path,
    to: Path,
    *,
    key: SecretStr | None = None,
    advance: Callable[[int, int], object],
) -> None:
    """Copy a database into a file of its own, as it is at this moment, and read the copy once.

    Nobody waits for it: what is written meanwhile is in the log, and not in the copy. With a
    `key`, both are encrypted with it. `advance` hears how many pages are done, of how many.
    Raises StorageError, with no file left, where either cannot be read or written or the copy is
    damaged.
    """
    refuse_foreign_file_of(source, key)
    with (
        whole(to) as part,
        told_plainly(str(source)),
        closing(_reading(source, key)) as original,
    ):
        # A moment's view, held all along: without it each change would begin the copy anew.
        original.execute("BEGIN")
        original.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with told_plainly(str(to)), closing(cipher.connect(part, key=key)) as copy:
            original.backup(
                copy, pages=PAGES, progress=lambda _, left, total: advance(total - left, total)
            )
            copy.execute("PRAGMA journal_mode = DELETE")
        require_sound(part, key)


def put_in_place(copy: Path, to: Path) -> Path | None:
    """Put a database in another's place; returns where the one that was there is now.

    Nobody may use either. Raises StorageError.
    """
    with told_plainly(str(to)):
        before = _set_aside(to)
        _move(copy, to)
        _sync_folder(to)
    return before


def remove(database: Path) -> None:
    """Delete a database that nobody uses, where there is one. Raises StorageError."""
    with told_plainly(str(database)):
        _discard(database)


def require_sound(file: Path, key: SecretStr | None) -> None:
    """Read all of a file once; raises StorageError where it is damaged."""
    with told_plainly(str(file)), closing(cipher.connect(file, key=key)) as opened:
        (said,) = opened.execute("PRAGMA integrity_check(1)").fetchone()
    if said != "ok":
        raise StorageError(f"{file} is damaged. Take another backup.")


def refuse_foreign_file_of(source: Path, key: SecretStr | None) -> None:
    """Raise StorageError where there is no database of Twofold's."""
    if not source.is_file() or not source.stat().st_size:
        raise StorageError(f"There is no database {source}. Name the file of one.")
    with told_plainly(str(source)):
        refuse_foreign_file(source, key)


def _reading(source: Path, key: SecretStr | None) -> sqlite3.Connection:
    uri = f"{source.absolute().as_uri()}?mode=ro"
    return cipher.connect(uri, uri=True, isolation_level=None, timeout=5, key=key)


@contextmanager
def whole(to: Path) -> Iterator[Path]:
    """Name a file to write, which takes the place of `to` at the end, or is gone after a fault.

    Raises StorageError about `to`.
    """
    part = to.with_name(f".{to.name}.part")
    with told_plainly(str(to)):
        _discard(part)
        part.touch(mode=0o600)
        try:
            yield part
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(to)
            _sync_folder(to)
        finally:
            _discard(part)


def name_aside(database: Path, before: str) -> Path:
    """A name that no file has yet, for what a database was before something."""
    return next(
        path
        for number in range(1, 10_000)
        if not (path := database.with_name(f"{database.name}.before-{before}-{number}")).exists()
    )


def _set_aside(database: Path) -> Path | None:
    """Give the database another name."""
    if not database.exists():
        return None
    aside = name_aside(database, "restore")
    _move(database, aside)
    return aside


def _move(database: Path, to: Path) -> None:
    for file, name in zip(_files(database), _files(to), strict=True):
        if file.exists():
            file.replace(name)


def _discard(database: Path) -> None:
    """With the log that a killed program may have left: another file would take it for its own."""
    for file in _files(database):
        file.unlink(missing_ok=True)


def _files(database: Path) -> list[Path]:
    """Its log, the log's index, and the file."""
    return [database.with_name(f"{database.name}{suffix}") for suffix in ("-wal", "-shm", "")]


def _sync_folder(file: Path) -> None:
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
