"""Files of rows: JSON arrays, JSONL, CSV and Parquet, plain or compressed, read row by row.

Memory holds a row, or a batch of a Parquet file, whatever the size of the file.
"""

from __future__ import annotations

import csv
import io
import json
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import ijson
import orjson

from bot.dataset.importing.skips import DEEPEST, Skip
from bot.dataset.packed import LONGEST, lines, unpacked
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

Row = dict[str, Any]

PARQUET = b"PAR1"
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
BOM = b"\xef\xbb\xbf"
BATCH = 64
"""How many rows of a Parquet file are held at once."""


def rows(
    path: Path,
    *,
    advance: Callable[[int], object] = lambda _: None,
    longest: int = LONGEST,
) -> Iterator[Row | Skip]:
    """Every row of a file, or why it cannot be read.

    What a file is, is told by how it begins; only CSV by its name, `.csv` with or without
    `.gz` or `.zst`. `advance` gets the number of bytes that were read of the file; `longest` is
    how many one row may have. Raises ConfigError where a file cannot be opened or is damaged.
    """
    try:
        with ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(io.BufferedReader(_Told(path, advance)))
            start = _begins(file)
            if start.startswith(PARQUET):
                yield from _parquet(file)
                return
            if start.startswith((GZIP, ZSTD)):
                file = stack.enter_context(unpacked(file, zstd=start.startswith(ZSTD)))
            if ".csv" in {suffix.lower() for suffix in path.suffixes}:
                yield from _csv(file, longest)
                return
            if _begins(file).startswith(BOM):
                file.read(len(BOM))
            if _begins(file).lstrip()[:1] == b"[":
                yield from _array(file, longest)
            else:
                yield from _lines(file, longest)
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder. Name the files in it.") from None
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "it is damaged or cut off"
        raise ConfigError(f"The file {path} cannot be read: {why}. Fetch it again.") from None


class _Told(io.FileIO):
    """A file that tells how much was read of it."""

    def __init__(self, path: Path, advance: Callable[[int], object]) -> None:
        super().__init__(path)
        self._advance = advance

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - whatever holds bytes
        read = super().readinto(buffer)
        self._advance(read or 0)
        return read


def _begins(file: IO[bytes]) -> bytes:
    return file.peek() if isinstance(file, io.BufferedReader) else b""


def _lines(file: IO[bytes], longest: int) -> Iterator[Row | Skip]:
    for line in lines(file, longest):
        if line is None:
            yield Skip.TOO_LONG
        elif stripped := line.strip():
            yield _parsed(stripped)


def _parsed(line: bytes) -> Row | Skip:
    """One row; halves of surrogate pairs, which the faster parser refuses, are let in."""
    try:
        return _row(orjson.loads(line))
    except orjson.JSONDecodeError:
        try:
            return _row(json.loads(line.decode("utf-8", "replace")))
        except (ValueError, RecursionError):
            return Skip.BROKEN


def _row(value: object) -> Row | Skip:
    return value if isinstance(value, dict) else Skip.SHAPE


def _array(file: IO[bytes], longest: int) -> Iterator[Row | Skip]:
    """The elements of an array; after a broken one nobody knows where the next begins."""
    bounded = _Bounded(file, longest)
    depth = 0
    try:
        events = ijson.basic_parse(bounded, use_float=True)
        next(events)
        builder = ijson.ObjectBuilder()
        for event, value in events:
            if depth == 0 and event == "end_array":
                continue
            builder.event(event, value)
            depth += event.startswith("start_") - event.startswith("end_")
            if depth > DEEPEST:
                yield Skip.BROKEN_OFF
                return
            if depth == 0:
                yield _row(builder.value)
                builder = ijson.ObjectBuilder()
                bounded.left = longest
    except (ijson.JSONError, ValueError, OverflowError, _TooLong):
        yield Skip.BROKEN_OFF


class _TooLong(Exception):
    pass


class _Bounded:
    """A file of which only so much can be read before somebody allows more."""

    def __init__(self, file: IO[bytes], left: int) -> None:
        self._file = file
        self.left = left

    def read(self, size: int = -1) -> bytes:
        """What `read` of a file does."""
        self.left -= size
        if self.left < 0:
            raise _TooLong
        return self._file.read(size)


def _csv(file: IO[bytes], longest: int) -> Iterator[Row | Skip]:
    """The rows under the first one; a field may hold line breaks."""
    csv.field_size_limit(longest)  # of the whole process; the default is less than a long answer
    skips: list[Skip] = []

    def texts() -> Iterator[str]:
        for line in lines(file, longest):
            if line is None:
                skips.append(Skip.TOO_LONG)
            else:
                yield line.decode("utf-8-sig", "replace")

    table = csv.DictReader(texts(), strict=True)
    while True:
        row: Row | Skip | None
        try:
            row = next(table, None)
        except csv.Error:
            row = Skip.BROKEN
        yield from skips
        skips.clear()
        if row is None:
            return
        # What is too much or too little of a row stands under None.
        odd = not isinstance(row, dict) or None in row or None in row.values()
        yield Skip.BROKEN if odd else row


def _parquet(file: IO[bytes]) -> Iterator[Row | Skip]:
    import pyarrow as pa  # noqa: PLC0415 - it takes a while to load
    from pyarrow import parquet  # noqa: PLC0415

    try:
        batches = parquet.ParquetFile(file).iter_batches(batch_size=BATCH)
        for batch in batches:
            yield from _of_batch(batch)
    except pa.ArrowException:
        yield Skip.BROKEN_OFF


def _of_batch(batch: Any) -> Iterator[Row | Skip]:  # noqa: ANN401 - it has no types
    """The rows of a batch; where one of them is no text, the others all the same."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for index in range(batch.num_rows):
            try:
                yield from batch.slice(index, 1).to_pylist()
            except (ValueError, OverflowError):
                yield Skip.BROKEN
