"""The datasets that were made for trainings, and how they go when somebody leaves."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil
import structlog
from filelock import FileLock, Timeout

from bot.dataset.manifest import left_in
from bot.errors import StorageError
from bot.training.runs import JOB, Run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from pathlib import Path

    from storage.exports import ExportStore

log = structlog.get_logger(__name__)

LOOKS = timedelta(minutes=10)
"""Between two looks whether somebody has left."""

_DRAFT = ".new-"


def all_of(home: Path) -> list[Path]:
    """The folders of all of them."""
    return list(_place(home).glob("[!.]*"))


def folder_of(home: Path, identity: str) -> Path:
    """Where the dataset of an identity is, if it was made for a training."""
    return _place(home) / identity[:12]


def draft_of(home: Path, process: int) -> Path:
    """Where a process writes one that is not whole yet."""
    return _place(home) / f"{_DRAFT}{process}"


async def sweep(home: Path, exports: ExportStore) -> None:
    """Take away what was broken off, and what has words or votes of somebody who left since.

    Raises StorageError.
    """
    if not _place(home).is_dir():
        return
    states = await exports.states()
    left = {dataset for dataset, export in states.items() if export.stale_since is not None}
    await asyncio.to_thread(_take_away, home, left)


@asynccontextmanager
async def sweeping(home: Path, exports: ExportStore) -> AsyncIterator[None]:
    """Sweep again and again while the bot runs."""
    watching = asyncio.create_task(_watch(home, exports))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _watch(home: Path, exports: ExportStore) -> None:
    while True:
        try:
            await sweep(home, exports)
        except (OSError, StorageError) as error:
            log.warning("datasets of those who left are still there", why=str(error))
        await asyncio.sleep(LOOKS.total_seconds())


def _take_away(home: Path, left: Collection[str]) -> None:
    for draft in _place(home).glob(f"{_DRAFT}*"):
        if not psutil.pid_exists(int(draft.name.removeprefix(_DRAFT))):
            shutil.rmtree(draft, ignore_errors=True)
    for dataset in left:
        shutil.rmtree(folder_of(home, dataset), ignore_errors=True)
    for job in (home / "training").glob(f"*/{JOB}"):
        _forget(Run(job.parent), left)


def _forget(run: Run, left: Collection[str]) -> None:
    """Take a run away that was broken off, if its dataset is gone or somebody has left it since.

    Its checkpoints have learnt from them.
    """
    with suppress(OSError, ValueError, Timeout), FileLock(run.folder / ".lock", timeout=0):
        if run.adapter is None and left_in(run.job.dataset).get("dataset") in {None, *left}:
            shutil.rmtree(run.folder)


def _place(home: Path) -> Path:
    return home / "training" / "datasets"
