"""Whether the files are those that `manifest.json` tells of."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import orjson

from bot.dataset.layout import MANIFEST
from bot.dataset.lint import rules
from bot.dataset.lint.report import Hit
from bot.dataset.lint.tables import AHEAD, leaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a folder; empty where there is none. Raises ValueError for what is none."""
    file = folder / MANIFEST
    if not file.is_file():
        return {}
    manifest = orjson.loads(file.read_bytes())
    if not isinstance(manifest, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - as a broken one raises
    return manifest


def differences(
    manifest: Mapping[str, Any], folder: Path, rows: Mapping[str, int]
) -> Iterator[Hit]:
    """Files that are changed, gone or not told of; `rows` is how many each file has."""
    files = manifest.get("files")
    if not isinstance(files, dict):
        return
    for name, told in files.items():
        if isinstance(told, dict) and (fault := _fault(folder, name, told, rows)):
            yield Hit(rule=rules.MANIFEST, file=name, text=fault)
    for name in rows.keys() - files.keys():
        yield Hit(rule=rules.MANIFEST, file=name, text=f"{MANIFEST} does not tell of this file.")


def _fault(folder: Path, name: str, told: dict[str, Any], rows: Mapping[str, int]) -> str:
    where = PurePosixPath(name)
    if where.is_absolute() or ".." in where.parts or "\0" in name:
        return "The path leads out of the folder."
    file = folder / name
    try:
        if not file.is_file():
            return "The file is missing."
        with file.open("rb") as data:
            sha256 = hashlib.file_digest(data, "sha256").hexdigest()
    except OSError as error:
        return f"The file cannot be read: {error.strerror}."
    if "sha256" in told and told["sha256"] != sha256:
        return "Its SHA-256 is another one."
    if name in rows and "rows" in told and told["rows"] != rows[name]:
        return f"It has {rows[name]:,} rows and not {told['rows']}."
    return ""


def leaning_sides(manifest: Mapping[str, Any]) -> Iterator[Hit]:
    """Whether the answer in one place is preferred, as the manifest counts it."""
    balance = manifest.get("balance")
    if not isinstance(balance, dict):
        return
    pairs, on_a = balance.get("pairs"), balance.get("chosen_on_a")
    if isinstance(pairs, int) and isinstance(on_a, int) and 0 <= on_a <= pairs:
        told = ("The chosen answer was shown as A", "The chosen answer was shown as B")
        yield from leaning(rules.POSITION, (on_a, pairs - on_a), told, AHEAD)
