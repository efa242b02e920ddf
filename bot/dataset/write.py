"""Writing an export: the rows, then a manifest that tells how they came about."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from bot import __version__
from bot.dataset.formats import FORMATS
from bot.dataset.select import LeftOut, judge
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path
    from typing import IO

    from bot.dataset.formats import Row
    from bot.dataset.select import Preference
    from storage.records import VotedBattle

DATA = "train.jsonl"
MANIFEST = "manifest.json"


@dataclass
class _Tally:
    """What was read and written so far."""

    battles: int = 0
    votes: int = 0
    rows: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)


async def write(
    battles: AsyncIterator[VotedBattle],
    *,
    format: str,  # noqa: A002 - the option's own name
    out: Path,
    schema: str,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Write `train.jsonl` and `manifest.json` into the folder `out`; return the manifest.

    Rows are streamed, so memory does not grow with the database. Each file appears
    whole or not at all. `progress` gets the number of battles read so far. Raises
    ConfigError where the folder cannot be written.
    """
    tally = _Tally()
    try:
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
        with _whole(out / DATA) as (file, digest):
            async for line in _lines(battles, FORMATS[format], tally, progress):
                file.write(line)
                digest.update(line)
        if not tally.rows:
            (out / DATA).unlink()  # loaders fail on a file without rows
        manifest = {
            "twofold": __version__,
            "schema": schema,
            "format": format,
            "votes": tally.votes,
            "battles": tally.battles,
            "rows": tally.rows,
            "left_out": {reason.value: tally.left_out[reason] for reason in LeftOut},
            "files": {DATA: {"rows": tally.rows, "sha256": digest.hexdigest()}},
        }
        with _whole(out / MANIFEST) as (file, _):
            file.write(
                orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            )
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written: {error.strerror}. Choose another --out."
        ) from None
    return manifest


async def _lines(
    battles: AsyncIterator[VotedBattle],
    to_row: Callable[[Preference], Row],
    tally: _Tally,
    progress: Callable[[int], None],
) -> AsyncIterator[bytes]:
    """A line for each battle that its voters decided; the others are counted by reason."""
    async for voted in battles:
        tally.battles += 1
        tally.votes += len(voted.votes)
        progress(tally.battles)
        verdict = judge(voted)
        if isinstance(verdict, LeftOut):
            tally.left_out[verdict] += 1
            continue
        tally.rows += 1
        yield orjson.dumps(to_row(verdict), option=orjson.OPT_APPEND_NEWLINE)


@contextmanager
def _whole(path: Path) -> Iterator[tuple[IO[bytes], hashlib._Hash]]:
    """A file that takes its name only when all of it is on disk."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file, hashlib.sha256()
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
