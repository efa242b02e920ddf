"""Exports of a test's database, as `twofold export` makes them once its arguments are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bot.config import Config
from bot.dataset.export import export as write
from bot.dataset.files import Files
from bot.dataset.policy import Policy
from bot.dataset.pseudonyms import Pseudonyms
from bot.dataset.request import Means, Request
from bot.prompting import library
from bot.redaction import Redactor
from storage.database import Database, database_url
from storage.records import Consent
from tests.unit.records import NOON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NAMES = Pseudonyms(b"k" * 32, linkable=True)


async def export(
    store: Database,
    out: Path,
    format: str = "dpo",
    *,
    purpose: Consent = Consent.TRAIN,
    chat: bool = False,
    files: Files = Files(),  # noqa: B008 - it is frozen
    since: Mapping[str, Any] | None = None,
    names: Pseudonyms = NAMES,
    **policy: Any,
) -> dict[str, Any]:
    """Export into a folder; the manifest."""
    request = Request(
        format=format,
        purpose=purpose,
        policy=Policy(**policy),
        chat=chat,
        files=files,
        since=since,
    )
    means = Means(
        pseudonyms=names,
        redactor=Redactor(),
        templates=library({}),
        system_prompt=Config().system_prompt,
    )
    return await write(store, request, means, out=out, at=NOON)


async def exported(
    home: Path, out: str = "out", format: str = "dpo", **options: Any
) -> dict[str, Any]:
    """The same, of the database in a data folder and into a folder there."""
    async with Database.open(database_url(home / "twofold.db")) as store:
        return await export(store, home / out, format, **options)


def rows(out: Path, table: str = "") -> list[dict[str, Any]]:
    """The rows of a table in all its splits."""
    found = sorted((out / table).glob("*.jsonl"))
    lines = [line for path in found if path.name != "tombstones.jsonl" for line in _lines(path)]
    return [json.loads(line) for line in lines]


def _lines(path: Path) -> Iterable[bytes]:
    return path.read_bytes().splitlines()
