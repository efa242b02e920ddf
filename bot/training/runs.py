"""The work folder of a run: what it is to do, how far it is, what it leaves when it ends.

    HOME/training/RUN/job.json       what is to be done; RUN follows from it
    HOME/training/RUN/log.txt        what the libraries said, tracebacks
    HOME/training/RUN/reference.json the parent's log-probabilities of every row
    HOME/training/RUN/checkpoint-N/  whole once it has its `whole.json`
    HOME/training/RUN/result.json    the run is finished, and where its adapter is

The same command finds the same folder and goes on in it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from bot.disk import sync, write_whole
from bot.training import record
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


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint: the seconds until it, and whether the training was over with it."""

    folder: Path
    seconds: float
    ended: bool

    @property
    def step(self) -> int:
        """After how many updates it was written."""
        return int(self.folder.name.removeprefix("checkpoint-"))


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
        """Where the adapter of a finished run is; None while there is none, or it is damaged."""
        try:
            place = Path(json.loads((self.folder / RESULT).read_bytes())["adapter"])
        except (OSError, ValueError):
            return None
        return place if record.is_whole(place) else None

    def finish(self, adapter: Path) -> None:
        """Note where the adapter is; what was needed on the way goes."""
        write_whole(self.folder / RESULT, json.dumps({"adapter": str(adapter)}).encode())
        for path in (*self._checkpoints(), self.folder / "draft"):
            shutil.rmtree(path, ignore_errors=True)
        (self.folder / REFERENCE).unlink(missing_ok=True)

    def seal(self, step: int, *, seconds: float, ended: bool) -> None:
        """Say that the checkpoint of a step is whole, once all of it is on the disk."""
        folder = self.folder / f"checkpoint-{step}"
        sizes = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                sync(path)
                sizes[str(path.relative_to(folder))] = path.stat().st_size
        told = {"files": sizes, "seconds": seconds, "ended": ended}
        write_whole(folder / WHOLE, json.dumps(told).encode())

    def last(self) -> Checkpoint | None:
        """The last checkpoint that is whole; those that are not are removed."""
        whole = []
        for folder in list(self._checkpoints()):
            checkpoint = _whole(folder)
            if checkpoint is None:
                shutil.rmtree(folder)
            else:
                whole.append(checkpoint)
        return max(whole, key=lambda checkpoint: checkpoint.step, default=None)

    def _checkpoints(self) -> Iterator[Path]:
        return (path for path in self.folder.glob("*") if _CHECKPOINT.fullmatch(path.name))


def _whole(folder: Path) -> Checkpoint | None:
    """What its seal tells of a whole checkpoint; None where a kill or a crash left a part."""
    try:
        told = json.loads((folder / WHOLE).read_bytes())
        sizes = {name: (folder / name).stat().st_size for name in told["files"]}
        checkpoint = Checkpoint(folder, seconds=told["seconds"], ended=told["ended"])
    except (OSError, ValueError, LookupError):
        return None
    return checkpoint if sizes == told["files"] else None
