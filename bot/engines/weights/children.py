"""The two child processes of a pull: what they say becomes progress or errors."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import psutil
import structlog

from bot.engines.weights.convert import STAGES
from bot.engines.weights.tether import TETHERED
from bot.errors import ModelCorrupt, ModelError, ModelNotFound, ModelUnreachable, NoRoom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.engines.weights.sources import Source
    from bot.engines.weights.wheels import Progress

log = structlog.get_logger(__name__)

_MEMORY_PER_BYTE = 14
"""Peak memory of a conversion per byte of GGUF: 3.3 GB for 253 MB, 0.9 GB for 98 MB (measured)."""

_MISSING = {"RepositoryNotFoundError", "RevisionNotFoundError", "GatedRepoError"}


def convert(gguf: Path, out: Path, progress: Progress) -> None:
    """Convert `gguf` into the folder `out`; raises NoRoom and ModelCorrupt."""
    needed, free = _MEMORY_PER_BYTE * gguf.stat().st_size, psutil.virtual_memory().available
    if needed > free:
        raise NoRoom(
            f"Converting this model takes about {needed / 1e9:.1f} GB of memory and "
            f"{free / 1e9:.1f} GB are free. Close other programs and pull it again."
        )
    command = [sys.executable, "-m", "bot.engines.weights.convert", str(gguf), str(out)]
    failure: dict[str, Any] | None = None
    with _spawn(command) as child:
        for line in _lines(child):
            if "error" in line:
                failure = line
            else:
                progress(line["stage"], line["done"], line["total"])
    if child.returncode == 0:
        progress(STAGES[-1], len(STAGES), len(STAGES))
        return
    if failure is None or failure["error"] == "MemoryError":  # killed: nearly always for memory
        raise NoRoom("The memory ran out while the model was converted. Close other programs.")
    if failure["errno"] in (errno.ENOSPC, errno.EDQUOT):
        raise OSError(failure["errno"], failure["detail"])
    log.warning("conversion failed", model=gguf.name, reason=failure["detail"])
    raise ModelCorrupt(
        "The model file cannot be converted; the log line above says why. Choose another model, "
        "or remove this one with `twofold models rm` and pull it again."
    )


def download(source: Source, folder: Path, progress: Progress) -> str:
    """Fetch a hub repository into `folder`; returns the commit.

    Raises ModelNotFound, ModelUnreachable, and OSError where the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "bot.engines.weights.hub",
        source.name,
        source.version,
        str(folder),
    ]
    # The parent sets HF_HUB_OFFLINE for its own loads; a pull is the one moment to go out.
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    commit, done = "", threading.Event()
    failure: dict[str, Any] | None = None
    with _spawn(command, environment) as child:
        for line in _lines(child):
            if "error" in line:
                failure = line
            else:
                commit, total = line["commit"], line["total"]
                watch = threading.Thread(target=_watch, args=(folder, total, progress, done))
                watch.start()
        done.set()
    if child.returncode != 0:
        raise _explain_hub(source, failure)
    return str(commit)


def _watch(folder: Path, total: int, progress: Progress, done: threading.Event) -> None:
    while not done.wait(0.5):
        sizes = (file.stat().st_size for file in list(folder.rglob("*")) if file.is_file())
        progress("downloading", min(total, sum(sizes)), total)


def _explain_hub(source: Source, failure: dict[str, Any] | None) -> ModelError | OSError:
    kinds = set(failure["error"]) if failure else set()
    if failure and failure["errno"] in (errno.ENOSPC, errno.EDQUOT):
        return OSError(failure["errno"], "the disk is full")
    if kinds & _MISSING:
        return ModelNotFound(
            f"The hub has no {source.name} at {source.version} that is open to you. Check the "
            "owner, the name and the revision, and accept the model's licence there if it has one."
        )
    return ModelUnreachable(
        f"The model hub cannot be reached to fetch {source.name}. Check the network and try again, "
        "or use a wheel: or path: model."
    )


def _spawn(command: list[str], environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*command, TETHERED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def _lines(child: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert child.stdout is not None  # noqa: S101 - PIPE was asked for
    for line in child.stdout:
        if line.startswith("{"):
            yield json.loads(line)
