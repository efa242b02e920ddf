"""Writing an export: the rows, then a manifest that tells how they came about."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter
from contextlib import contextmanager
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

    from storage.records import VotedBattle

DATA = "train.jsonl"
MANIFEST = "manifest.json"


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
    to_row = FORMATS[format]
    left_out: Counter[LeftOut] = Counter()
    battles_read = votes_read = rows = 0
    try:
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
        with _whole(out / DATA) as (file, digest):
            async for voted in battles:
                battles_read += 1
                votes_read += len(voted.votes)
                progress(battles_read)
                verdict = judge(voted)
                if isinstance(verdict, LeftOut):
                    left_out[verdict] += 1
                    continue
                row = to_row(verdict)
                if row["chosen"] == row["rejected"]:  # they differed in what is not exported
                    left_out[LeftOut.SAME_TEXT] += 1
                    continue
                line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
                file.write(line)
                digest.update(line)
                rows += 1
        if not rows:
            (out / DATA).unlink()  # loaders fail on a file without rows
        manifest = {
            "twofold": __version__,
            "schema": schema,
            "format": format,
            "votes": votes_read,
            "battles": battles_read,
            "rows": rows,
            "left_out": {reason.value: left_out[reason] for reason in LeftOut},
            "files": {DATA: {"rows": rows, "sha256": digest.hexdigest()}},
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
