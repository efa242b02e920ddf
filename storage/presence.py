"""Whether a SQLite file is still where it was opened.

SQLite goes on with a file that was removed or replaced: what it writes then is gone when the
process ends, although nothing failed. And a connection more begins an empty file in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


class Presence:
    """Tells that the file at `path` is the one that was there at `note`; without a path, nothing.

    It takes microseconds to look.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None

    def note(self) -> None:
        """The file that is there now is the one."""
        self._known = self._there()

    def require(self) -> None:
        """Raise StorageError where another file, or none, has taken its place."""
        if self._known is not None and self._there() != self._known:
            raise StorageError(
                f"The database {self._path} was removed or replaced while it was open, so it is "
                "not used any more. Put it back, or stop Twofold and start it again on what is "
                "there now."
            )

    def _there(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
