"""A SQLite file under another key, or under none: written anew, compared, put in its place."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from storage.backup import name_aside, refuse_foreign_file_of, require_sound, whole
from storage.database import database_url
from storage.errors import DatabaseBusy, StorageError
from storage.moving import move

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import SecretStr


def opens(file: Path, key: SecretStr | None) -> bool:
    """Whether a database opens with `key`, with none where that is None."""
    try:
        refuse_foreign_file_of(file, key)
    except StorageError:
        return False
    return True


async def rewrite(
    file: Path,
    *,
    key: SecretStr | None,
    was: SecretStr | None,
    advance: Callable[[int, int], object] = lambda _, __: None,
) -> Path:
    """Have a database encrypted with `key` that was with `was`, None for not at all.

    Nobody may use it. What is written is compared with what was there and read once from the
    disk before it takes the file's place, in one step; whoever is killed before leaves the file
    as it was. Returns where that one is now. `advance` is as for `move`. Raises StorageError,
    with the file as it was, where it cannot be opened with `was` or the other not be written.
    """
    with whole(file) as part:
        await move(database_url(file), database_url(part), keys=(was, key), advance=advance)
        require_sound(part, key)
        if file.with_name(f"{file.name}-wal").exists():
            raise DatabaseBusy(
                f"Another program has the database {file} open. End it, and try again."
            )
        before = name_aside(file, "encrypt")
        _keep(file, before)
    return before


def _keep(file: Path, before: Path) -> None:
    """Under both names for a moment, so that there is a database whenever it ends."""
    try:
        os.link(file, before)
    except OSError:  # not every file system knows links
        shutil.copy2(file, before)
