"""What tables a folder has, and their rows, one after the other."""

from __future__ import annotations

import re
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import orjson

from bot.dataset.layout import CARD, MANIFEST, TOMBSTONES
from bot.dataset.packed import LONGEST, lines, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_BATCH = 256
_NAMED_OTHERS = 5
_OTHERS = {".csv", ".tsv", ".arrow", ".txt", ".zip", ".tar", ".db", ".xml", ".pkl", ".npy"}
_KNOWN = (".jsonl", ".ndjson", ".json", ".parquet")
_PACKED = (".gz", ".zst")
_NO_DATA = {
    *(MANIFEST, "dataset_info.json", "dataset_infos.json", "dataset_dict.json"),
    *("config.json", "state.json", "package.json", TOMBSTONES),
}
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_EDGE = "[-._ 0-9]"
"""What stands around a split's name in file names. Source: `datasets`, data_files.py."""
_NAMED = {
    split: re.compile(rf"(?:^|{_EDGE})(?:{'|'.join(words)})(?:{_EDGE}|$)")
    for split, words in _SPLITS.items()
}


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of rows; `name` is its path below the folder."""

    path: Path
    name: str
    split: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something could not be read."""

    text: str


@dataclass(frozen=True, slots=True)
class Survey:
    """The tables by name, their files in the order of the splits, and what went wrong.

    `others` are files that may hold data too and that nobody reads here.
    """

    tables: Mapping[str, tuple[DataFile, ...]]
    faults: tuple[tuple[str, Fault], ...] = ()
    others: tuple[str, ...] = ()


def is_table(path: Path) -> bool:
    """Whether a file is one of those that hold rows."""
    stem = path.name.removesuffix(path.suffix) if path.suffix in _PACKED else path.name
    hidden = path.name.startswith((".", "_"))
    return stem.endswith(_KNOWN) and stem not in _NO_DATA and not hidden


def survey(path: Path) -> Survey:
    """The tables of a folder, as its README configures them or as its files are named.

    Files that the README leaves out are tables too. A file alone is one with one split.
    """
    if path.is_file():
        return Survey({"": (DataFile(path, path.name, _split(path.name)),)})
    faults: list[tuple[str, Fault]] = []
    found = list(_configured(path, faults))
    configured = {name for _, _, name in found}
    names, others = _names(path)
    found += [(_table(name), _split(name), name) for name in names if name not in configured]
    order = list(_SPLITS)
    found.sort(key=lambda one: (order.index(one[1]) if one[1] in order else len(order), one[2]))
    tables: dict[str, dict[str, DataFile]] = {}
    for table, split, name in found:
        tables.setdefault(table, {}).setdefault(name, DataFile(path / name, name, split))
    ordered = {table: tuple(tables[table].values()) for table in sorted(tables)}
    return Survey(ordered, tuple(faults), tuple(others[:_NAMED_OTHERS]))


def rows(file: DataFile, read: Callable[[int], None]) -> Iterator[tuple[int, Any | Fault]]:
    """The file's rows by number, from 1: lines of JSONL, rows of Parquet.

    A row that cannot be read is a Fault; so is, as the last one, a file that breaks off.
    `read` gets the bytes of the file that were read so far.
    """
    if file.path.suffix == ".parquet":
        yield from _parquet(file.path, read)
        return
    number = 0
    try:
        with ExitStack() as stack:
            raw = stream = stack.enter_context(file.path.open("rb"))
            if file.path.suffix in _PACKED:
                zstd = file.path.suffix == ".zst"
                stream = stack.enter_context(unpacked(raw, zstd=zstd))
            for number, line in enumerate(lines(stream, LONGEST), start=1):
                if number % _BATCH == 0:
                    read(raw.tell())
                if line is None:
                    yield number, Fault(f"The line is longer than {LONGEST >> 20} MiB")
                elif line.strip():
                    yield number, _parsed(line)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        yield number + 1, Fault(f"The file cannot be read on from here ({_said(error)})")


def _parsed(line: bytes) -> Any | Fault:  # noqa: ANN401 - JSON
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if line.lstrip()[:1] == b"[":
            return Fault("This is a JSON array. Write one object a line")
        return Fault(f"This is not JSON ({error.msg})")
    return row if isinstance(row, dict) else Fault("A row has to be a JSON object with columns")


def _parquet(path: Path, read: Callable[[int], None]) -> Iterator[tuple[int, Any | Fault]]:
    import pyarrow as pa  # noqa: PLC0415 - it takes a while to load
    from pyarrow import parquet  # noqa: PLC0415

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            size, total = path.stat().st_size, max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(_BATCH):
                for offset in range(batch.num_rows):
                    number += 1
                    yield number, _row(batch, offset)
                read(size * number // total)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        yield number + 1, Fault(f"The file cannot be read on from here ({_said(error)})")


def _row(batch: Any, offset: int) -> dict[str, Any] | Fault:  # noqa: ANN401 - pyarrow is untyped
    try:
        (row,) = batch.slice(offset, 1).to_pylist()
    except UnicodeDecodeError:
        return Fault("A text is not UTF-8")
    return dict(row)


def _said(error: Exception) -> str:
    """The first words of somebody else's fault."""
    text = " ".join(str(error).split())[:80] or type(error).__name__
    return text.rstrip(".")


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """Files below the folder that hold rows, and others that may; without hidden ones."""
    paths = {path: path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    seen = {path: name for path, name in paths.items() if not _hidden(name.parent)}
    rows = sorted(name.as_posix() for path, name in seen.items() if is_table(path))
    others = sorted(name.as_posix() for path, name in seen.items() if path.suffix in _OTHERS)
    return rows, others


def _hidden(folder: PurePosixPath | Path) -> bool:
    return any(part.startswith((".", "__")) for part in folder.parts)


def _split(name: str) -> str:
    """The split that a file's name or a folder's says, else `train`."""
    *folders, file = PurePosixPath(name).parts
    for part in (*reversed(folders), file):
        for split, pattern in _NAMED.items():
            if pattern.search(part):
                return split
    return "train"


def _table(name: str) -> str:
    """The folders of a file, without those that name a split or say `data`."""
    folders = PurePosixPath(name).parts[:-1]
    named = (part for part in folders if not any(p.search(part) for p in _NAMED.values()))
    return "/".join(part for part in named if part != "data")


def _configured(folder: Path, faults: list[tuple[str, Fault]]) -> Iterator[tuple[str, str, str]]:
    """Table, split and file, as the `configs` in the head of a README say."""
    readme = folder / CARD
    if not readme.is_file():
        return
    from huggingface_hub import metadata_load  # noqa: PLC0415 - takes a while

    try:
        head = metadata_load(readme)
    except Exception as error:  # noqa: BLE001 - a parser of foreign text may raise anything
        faults.append((readme.name, Fault(f"Its head is not YAML ({type(error).__name__})")))
        return
    configs = head.get("configs") if isinstance(head, dict) else None
    for config in configs if isinstance(configs, list) else ():
        if not isinstance(config, dict):
            continue
        table = str(config.get("config_name", ""))
        for split, pattern in _data_files(config.get("data_files")):
            names = sorted(_matching(folder, pattern))
            if not names:
                faults.append((readme.name, Fault(f"No file of rows matches {pattern[:80]!r}")))
            yield from ((table, split, name) for name in names)


def _data_files(declared: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - YAML
    for one in declared if isinstance(declared, list) else [declared]:
        split, paths = (
            (str(one.get("split", "train")), one.get("path"))
            if isinstance(one, dict)
            else ("", one)
        )
        for path in paths if isinstance(paths, list) else [paths]:
            if isinstance(path, str):
                yield split or _split(path), path


def _matching(folder: Path, pattern: str) -> Iterable[str]:
    """Files of rows below the folder; a pattern that leads out of it matches none."""
    if not pattern or PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
        return []
    try:
        paths = [path for path in folder.glob(pattern) if path.is_file() and is_table(path)]
    except (ValueError, NotImplementedError, OSError):
        return []
    return [path.relative_to(folder).as_posix() for path in paths]
