"""Who can read the files that hold secrets and what members said."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bot.config import ENV_FILE
from bot.dataset.pseudonyms import KEY_FILE
from bot.errors import StorageError
from bot.machine import Finding
from storage.database import database_url, file_of

if TYPE_CHECKING:
    from bot.config import Config

READ, PASS = 0o044, 0o011
"""The bits by which a group and all others read a file, and pass through a folder."""


def rights(config: Config) -> Finding:
    """Whether the token, the database and the key of exports are their owner's alone."""
    files = [ENV_FILE, config.home / KEY_FILE]
    with suppress(StorageError):  # which is told where the database is looked at
        files += filter(None, [file_of(database_url(config.database_location))])
    exposed = [str(file) for file in files if _exposed(file)]
    if exposed:
        how = f"others on this machine can read {', '.join(exposed)}. Run: chmod 600"
        return Finding("files", ok=None, how=f"{how} {' '.join(exposed)}")
    return Finding("files", ok=True, how="others on this machine cannot read them")


def _exposed(file: Path) -> bool:
    if os.name != "posix" or not file.is_file() or not file.stat().st_mode & READ:
        return False
    return all(folder.stat().st_mode & PASS for folder in Path(file.absolute()).parents)
