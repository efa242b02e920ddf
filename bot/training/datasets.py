"""The datasets that were made for trainings, and how they go when somebody leaves."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from filelock import FileLock, Timeout

from bot.background import meanwhile
from bot.dataset.manifest import left_in
from bot.errors import ConfigError, TwofoldError
from bot.training.runs import JOB, Run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping
    from pathlib import Path

    from storage.exports import ExportStore

log = structlog.get_logger(__name__)

LOOKS = timedelta(minutes=10)
"""Between two looks whether somebody has left."""


def all_of(home: Path) -> list[Path]:
    """The folders of all of them."""
    return list(_place(home).glob("[!.]*"))


def folder_of(home: Path, identity: str) -> Path:
    """Where the dataset of an identity is, if it was made for a training."""
    return _place(home) / identity[:12]


@contextmanager
def drafting(home: Path) -> Iterator[Path]:
    """Where one is written that is not whole yet; nobody else writes one meanwhile."""
    place = _place(home)
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / ".lock"):
        draft = place / ".draft"
        shutil.rmtree(draft, ignore_errors=True)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


async def sweep(home: Path, exports: ExportStore) -> None:
    """Take away what was broken off, and what has words or votes of somebody who left since.

    So goes what this database does not know, as after a backup was restored: it could not tell
    who is in it. Raises StorageError, and ConfigError where something cannot be deleted.
    """
    if not _place(home).is_dir():
        return
    there = await asyncio.to_thread(all_of, home)  # first: what is written later is fit
    left = await exports.left()
    await asyncio.to_thread(_take_away, home, there, left)


@asynccontextmanager
async def sweeping(home: Path, exports: ExportStore) -> AsyncIterator[None]:
    """Sweep again and again while the bot runs."""
    async with meanwhile(_watch(home, exports)):
        yield


async def _watch(home: Path, exports: ExportStore) -> None:
    while True:
        try:
            await sweep(home, exports)
        except TwofoldError as error:
            log.warning("datasets of those who left are still there", why=error.user_message)
        except Exception:
            log.exception("datasets of those who left are still there")
        await asyncio.sleep(LOOKS.total_seconds())


def _take_away(home: Path, there: Collection[Path], left: Mapping[str, bool]) -> None:
    fit = {folder_of(home, identity) for identity, has_left in left.items() if not has_left}
    stuck = [*_delete([folder for folder in there if folder not in fit])]
    with suppress(Timeout), FileLock(_place(home) / ".lock", timeout=0):
        stuck += _delete([_place(home) / ".draft"])
    for job in (home / "training").glob(f"*/{JOB}"):
        run = Run(job.parent)
        with suppress(OSError, ValueError, Timeout), FileLock(run.folder / ".lock", timeout=0):
            # Its checkpoints have learnt from them.
            if _has_left(run.job.dataset, home, left) and run.adapter is None:
                stuck += _delete([run.folder])
    if stuck:
        raise ConfigError(
            "Words or votes of somebody who left may be in what cannot be deleted: "
            f"{', '.join(stuck)}. Delete it yourself."
        )


def _has_left(dataset: Path, home: Path, left: Mapping[str, bool]) -> bool:
    """Whether somebody has left a dataset; one that was made here is gone then."""
    if dataset.parent == _place(home).resolve():
        return not dataset.exists()
    return left.get(str(left_in(dataset).get("dataset")), False)


def _delete(folders: Collection[Path]) -> Iterator[str]:
    """Delete folders; those that stay, with the reason."""
    for folder in folders:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield f"{folder} ({error.strerror})"


def _place(home: Path) -> Path:
    return home / "training" / "datasets"
