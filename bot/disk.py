"""Files that are whole or not there, and what folders take up."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class Whole:
    """A file that takes its name when that is said, with its SHA-256."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(f".{path.name}.unfinished")
        self._file = self._unfinished.open("wb")
        self._digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Append; what a writer of columns says after it was given up goes nowhere."""
        if self._file.closed:
            return len(data)
        self._digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        """How much is written, as writers of files ask for."""
        return self.size

    def flush(self) -> None:
        """Nothing is promised before `finish`."""

    def close(self) -> None:
        """Writers close what they write to; `finish` decides."""

    def finish(self) -> str:
        """Bring all of it to the disk, and return its SHA-256 in hex."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def put(self) -> None:
        """Give the file its name."""
        self._unfinished.replace(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file that is whole or not there. Raises OSError."""
    with Whole(path) as file:
        file.write(data)
        file.finish()
        file.put()


def sync(path: Path) -> None:
    """Wait until a file, or what a folder lists, is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
