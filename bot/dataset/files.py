"""The files of an export: rows go in one by one, files come out whole or not at all."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self

import orjson

from bot.dataset.layout import ONE_TABLE
from bot.disk import Whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor, Future
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa

    from bot.dataset.formats import Row, Spec

_BATCH = 500
"""Rows that are kept until they are written together."""


class Kind(StrEnum):
    """What files are."""

    JSONL = "jsonl"
    PARQUET = "parquet"


class Packing(StrEnum):
    """How files are compressed."""

    NONE = "none"
    GZ = "gz"
    ZST = "zst"


_CODECS = {Packing.GZ: "gzip", Packing.ZST: "zstd"}


@dataclass(frozen=True, slots=True)
class Files:
    """What the files of an export are to be."""

    kind: Kind = Kind.JSONL
    packing: Packing = Packing.NONE

    def path(self, table: str, split: str) -> str:
        """Where the rows of a table and split lie, from the folder on."""
        name = f"{split}.{self.kind}"
        if self.kind is Kind.JSONL and self.packing is not Packing.NONE:
            name = f"{name}.{self.packing}"
        return name if table == ONE_TABLE else f"{table}/{name}"


class Writer:
    """Writes rows into a folder, and gives the files their names at the end.

    The same rows make the same bytes. Use it as a context; what is left by an exception
    leaves no file behind. Raises OSError.
    """

    def __init__(
        self, folder: Path, tables: Mapping[str, Mapping[str, Spec]], files: Files
    ) -> None:
        self._folder = folder
        self._tables = tables
        self._files = files
        self._parts: dict[tuple[str, str], _Part] = {}
        self._open = ExitStack()
        self._thread = self._open.enter_context(ThreadPoolExecutor(1, thread_name_prefix="rows"))

    def __enter__(self) -> Self:
        return self

    def write(self, table: str, split: str, line: bytes) -> None:
        """Take a row, as the line that `line_of` makes of it."""
        part = self._parts.get((table, split))
        if part is None:
            part = self._parts[table, split] = self._new(table, split)
        part.take(line)

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The tables and splits that have rows."""
        return list(self._parts)

    def finish(self) -> dict[str, dict[str, Any]]:
        """Put all files where they belong; return rows, bytes and SHA-256 of each by path.

        None of them takes its name before all are on the disk.
        """
        told = {
            self._files.path(table, split): part.finish()
            for (table, split), part in sorted(self._parts.items())
        }
        for part in self._parts.values():
            part.whole.put()
        return told

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def _new(self, table: str, split: str) -> _Part:
        path = self._folder / self._files.path(table, split)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._open.enter_context(Whole(path))
        sink: _Sink = (
            _Parquet(whole, self._tables[table], self._files.packing)
            if self._files.kind is Kind.PARQUET
            else _Lines(whole, self._files.packing)
        )
        return _Part(whole, sink, self._thread)


def line_of(row: Row) -> bytes:
    """A row as a line of JSON."""
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


class _Sink(Protocol):
    def write(self, lines: list[bytes]) -> None: ...
    def close(self) -> None: ...


class _Lines:
    """JSON lines, compressed or not."""

    def __init__(self, whole: Whole, packing: Packing) -> None:
        self._to: Any = whole
        if packing is Packing.GZ:
            # No name and no time, so that the same rows make the same bytes.
            self._to = gzip.GzipFile("", "wb", compresslevel=6, fileobj=whole, mtime=0)
        if packing is Packing.ZST:
            import pyarrow as pa  # noqa: PLC0415 - it takes a while to load

            self._to = pa.CompressedOutputStream(pa.PythonFile(whole, "w"), "zstd")

    def write(self, lines: list[bytes]) -> None:
        self._to.write(b"".join(lines))

    def close(self) -> None:
        self._to.close()


class _Parquet:
    """Columns, read from the lines by Arrow's own parser, which is faster than Python's dicts."""

    def __init__(self, whole: Whole, columns: Mapping[str, Spec], packing: Packing) -> None:
        import pyarrow as pa  # noqa: PLC0415 - it takes a while to load
        from pyarrow import parquet  # noqa: PLC0415

        self._schema = pa.schema([(name, _arrow(spec)) for name, spec in columns.items()])
        # Parquet is compressed within; zstd is small and quick.
        codec = _CODECS.get(packing, "zstd")
        self._writer = parquet.ParquetWriter(whole, self._schema, compression=codec)

    def write(self, lines: list[bytes]) -> None:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import json  # noqa: PLC0415

        data = b"".join(lines)
        table = json.read_json(
            pa.BufferReader(data),
            read_options=json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=json.ParseOptions(
                explicit_schema=self._schema, unexpected_field_behavior="error"
            ),
        )
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


@dataclass(slots=True)
class _Part:
    """The file of one table and split."""

    whole: Whole
    sink: _Sink
    thread: Executor
    rows: int = 0
    waiting: list[bytes] = field(default_factory=list)
    writing: Future[None] | None = None

    def take(self, line: bytes) -> None:
        self.rows += 1
        self.waiting.append(line)
        if len(self.waiting) >= _BATCH:
            self._write()

    def _write(self) -> None:
        """Hashing and writing need no lock of Python's, so they are done beside the making."""
        if self.writing is not None:
            self.writing.result()
        self.writing = self.thread.submit(self.sink.write, self.waiting)
        self.waiting = []

    def finish(self) -> dict[str, Any]:
        if self.waiting:
            self._write()
        if self.writing is not None:
            self.writing.result()
        self.sink.close()
        sha256 = self.whole.finish()
        return {"rows": self.rows, "bytes": self.whole.size, "sha256": sha256}


def _arrow(spec: Spec) -> pa.DataType:
    import pyarrow as pa  # noqa: PLC0415

    if isinstance(spec, list):
        return pa.list_(_arrow(spec[0]))
    if isinstance(spec, dict):
        return pa.struct([(name, _arrow(inner)) for name, inner in spec.items()])
    if spec in {"string", "day"}:
        return pa.string()  # Arrow's parser takes no days
    return {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}[spec]
