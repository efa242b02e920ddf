"""The work folder of a run: what it is to do, how far it is, what it leaves when it ends.

    HOME/training/RUN/job.json       what is to be done; RUN follows from it
    HOME/training/RUN/dataset/       the export, where the run made it itself
    HOME/training/RUN/log.txt        what the libraries said, tracebacks
    HOME/training/RUN/reference.json the parent's log-probabilities of every row
    HOME/training/RUN/checkpoint-N/  whole once it has its `whole.json`
    HOME/training/RUN/result.json    the run is finished, and where its adapter is

The same command finds the same folder and goes on in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from bot.dataset.files import write_whole
from bot.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

JOB, LOG, REFERENCE, RESULT, WHOLE = (
    "job.json",
    "log.txt",
    "reference.json",
    "result.json",
    "whole.json",
)
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


class Job(BaseModel):
    """What a run is to do. `weights` and `parent_sha256` stand for what it begins with."""

    model_config = ConfigDict(frozen=True)

    contender: str
    base: str
    base_folder: Path
    weights: str
    parent_adapter: Path | None = None
    parent_sha256: str | None = None
    generation: int = 1
    template: str
    template_digest: str
    dataset: Path
    dataset_identity: str
    recipe: Recipe
    dtype: str | None = None
    adapters: Path
    threads: int | None = None

    @property
    def run(self) -> str:
        """The run's name: parent, rows and recipe decide it, places and threads do not."""
        parts = {
            "contender": self.contender,
            "weights": self.weights,
            "parent": self.parent_sha256,
            "template": self.template_digest,
            "dataset": self.dataset_identity,
            "recipe": self.recipe.digest,
            "dtype": self.dtype,
        }
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return f"{self.contender}-{self.recipe.method}-{digest[:12]}"


class Run:
    """A run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / LOG

    def begin(self, job: Job) -> None:
        """Note what is to be done, before anything is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / JOB, job.model_dump_json(indent=2).encode())

    @property
    def job(self) -> Job:
        """What is to be done."""
        return Job.model_validate_json((self.folder / JOB).read_bytes())

    @property
    def adapter(self) -> Path | None:
        """Where the adapter of a finished run is; None while there is none."""
        try:
            place = Path(json.loads((self.folder / RESULT).read_bytes())["adapter"])
        except (OSError, ValueError):
            return None
        return place if place.is_dir() else None

    def finish(self, adapter: Path) -> None:
        """Note where the adapter is; what was needed on the way goes."""
        write_whole(self.folder / RESULT, json.dumps({"adapter": str(adapter)}).encode())
        for path in (*self._checkpoints(), self.folder / "draft"):
            shutil.rmtree(path, ignore_errors=True)
        (self.folder / REFERENCE).unlink(missing_ok=True)

    def seal(self, step: int, *, seconds: float) -> None:
        """Say that the checkpoint of a step is whole, once all of it is on the disk."""
        folder = self.folder / f"checkpoint-{step}"
        sizes = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                _sync(path)
                sizes[str(path.relative_to(folder))] = path.stat().st_size
        write_whole(folder / WHOLE, json.dumps({"files": sizes, "seconds": seconds}).encode())

    def last(self) -> tuple[Path, float] | None:
        """The last checkpoint that is whole, and the seconds until it; the others are removed."""
        whole: list[tuple[int, Path, float]] = []
        for path in list(self._checkpoints()):
            told = _seal_of(path)
            if told is None:
                shutil.rmtree(path)
            else:
                step = int(path.name.removeprefix("checkpoint-"))
                whole.append((step, path, float(told["seconds"])))
        if not whole:
            return None
        _, path, seconds = max(whole)
        return path, seconds

    def _checkpoints(self) -> Iterator[Path]:
        return (path for path in self.folder.glob("*") if _CHECKPOINT.fullmatch(path.name))


def _seal_of(checkpoint: Path) -> dict[str, Any] | None:
    """What the seal of a whole checkpoint tells; None where a kill or a crash left a part."""
    try:
        told = json.loads((checkpoint / WHOLE).read_bytes())
        sizes = {name: (checkpoint / name).stat().st_size for name in told["files"]}
    except (OSError, ValueError, LookupError):
        return None
    return dict(told) if sizes == told["files"] else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
