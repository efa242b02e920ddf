"""Files of lines, plain or packed, of which no line takes more memory than it may."""

from __future__ import annotations

import gzip
import io
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 64 * 2**20
"""Bytes of one row; whole conversations have thousands. A hostile file can take no more."""

_BUFFER = 2**16


def unpacked(file: IO[bytes], *, zstd: bool) -> io.BufferedReader:
    """What is in a gzip or a Zstandard file."""
    if not zstd:
        return io.BufferedReader(gzip.GzipFile(fileobj=file), _BUFFER)
    import pyarrow as pa  # noqa: PLC0415 - it takes a while to load

    return io.BufferedReader(pa.CompressedInputStream(file, "zstd"), _BUFFER)


def lines(file: IO[bytes], longest: int) -> Iterator[bytes | None]:
    """The lines of a file; None for one of more than `longest` bytes."""
    whole = True
    while line := file.readline(longest):
        ends = line.endswith(b"\n") or len(line) < longest
        if ends:
            yield line if whole else None
        whole = ends
    if not whole:
        yield None
