"""Where the files of a dataset folder lie, as its manifest names them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "manifest.json"
CARD = "README.md"
TOMBSTONES = "tombstones.jsonl"

SPLITS = ("train", "validation", "test")
ONE_TABLE = ""
"""The name of the table of a format that has only one; its files lie at the top."""

_DATA = re.compile(
    r"(?:(?P<table>votes|pairs|battles|answers|events)/)?"
    r"(?P<split>train|validation|test)\.(?P<kind>jsonl|parquet)(?:\.(?P<packed>gz|zst))?"
)


def is_data(path: str) -> bool:
    """Whether a path, from the folder on, is where an export puts rows."""
    return _DATA.fullmatch(path) is not None


def tables(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The files with rows, by table and split, in the manifest's and the splits' order."""
    found: dict[str, dict[str, str]] = {}
    for path in manifest["files"]:
        if match := _DATA.fullmatch(path):
            found.setdefault(match["table"] or ONE_TABLE, {})[match["split"]] = path
    return {
        table: {split: files[split] for split in SPLITS if split in files}
        for table, files in found.items()
    }
