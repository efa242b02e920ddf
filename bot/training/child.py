"""The process that trains, as its parent sees it: what it says becomes events or errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from bot import errors
from bot.engines.weights.tether import TETHERED
from bot.errors import ConfigError, ModelError, NoRoom, TwofoldError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.training.runs import Run

    Hear = Callable[[Mapping[str, Any]], None]

_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # an idle thread that spins makes everything else slow
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # the same sums in the same order on a GPU
}


def train(run: Run, hear: Hear) -> Path:
    """Have a run done; returns the adapter's folder.

    `hear` gets each event of the child. Raises the child's own errors, NoRoom where it was
    killed, ConfigError where another process works on the same run.
    """
    return Path(_heard(run, [], hear)["adapter"])


def measure(run: Run, hear: Hear) -> Mapping[str, Any]:
    """Have a few real steps of a run done, and learn what they took. Raises as `train` does."""
    return _heard(run, ["--measure"], hear)


def _heard(run: Run, more: list[str], hear: Hear) -> Mapping[str, Any]:
    command = [sys.executable, "-m", "bot.training.worker", str(run.folder), *more, TETHERED]
    threads = run.job.threads
    environment = os.environ | _ENVIRONMENT | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    last: Mapping[str, Any] = {}
    try:
        with (
            FileLock(run.folder / ".lock", timeout=0),
            subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            ) as child,
        ):
            assert child.stdout is not None  # noqa: S101 - PIPE was asked for
            for line in child.stdout:
                last = json.loads(line)
                hear(last)
    except Timeout:
        raise ConfigError(
            "Another process trains this very adapter already. Wait for it, or stop it."
        ) from None
    if last.get("event") != "done":  # after its last word it may be ended in any way
        raise _fault(last, run)
    return last


def _fault(last: Mapping[str, Any], run: Run) -> TwofoldError:
    """What went wrong, for a person."""
    if last.get("event") != "error" or last["kind"] == "MemoryError":
        return NoRoom(
            "The training was cut off, nearly always because the memory ran out. Close other "
            "programs, or take a smaller --batch or --max-length; the same command goes on where "
            "it was."
        )
    if last["sentence"]:
        kind = getattr(errors, last["kind"], ModelError)
        return kind(last["sentence"]) if issubclass(kind, TwofoldError) else ModelError("")
    return ModelError(
        f"The training failed ({last['kind']}). What happened stands in {run.log}; the same "
        "command goes on from the last checkpoint."
    )
