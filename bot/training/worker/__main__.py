"""The process that trains: `python -m bot.training.worker RUN`. Imports torch, trl and peft late.

A child of `twofold train`, at the lowest priority, because what a trainer takes of memory and
cores is only given back when its process ends. It prints one JSON object a line: stages,
steps, and at the end where the adapter is, or an error. What libraries print, and tracebacks,
go to the log file of the run.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bot.engines.weights.tether import heed
from bot.errors import TwofoldError
from bot.training.runs import Run

if TYPE_CHECKING:
    from typing import TextIO

NICE = 19


def main(arguments: list[str]) -> int:
    """Run as `worker RUN`, or `worker RUN --measure`; returns the exit status."""
    run = Run(Path(arguments[0]))
    pipe = _keep_for_us(run.log)

    def tell(event: str, **what: object) -> None:
        print(json.dumps({"event": event, **what}), file=pipe, flush=True)

    try:
        _step_back()
        from bot.training.worker.measuring import measure  # noqa: PLC0415 - they import torch
        from bot.training.worker.training import train  # noqa: PLC0415

        (measure if arguments[1:] == ["--measure"] else train)(run, tell)
    except TwofoldError as error:
        tell("error", kind=type(error).__name__, sentence=error.user_message)
        return 1
    except KeyboardInterrupt:
        return 130
    except BaseException as error:  # noqa: BLE001 - a process boundary: the log has the rest
        traceback.print_exc()
        memory = isinstance(error, MemoryError) or "out of memory" in str(error)
        tell("error", kind="MemoryError" if memory else type(error).__name__, sentence=None)
        return 1
    return 0


def _keep_for_us(log: Path) -> TextIO:
    """Our end of the pipe; whatever else prints does so into the log."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    return pipe


def _step_back() -> None:
    """Let everything else on the machine go first: the bot may be answering meanwhile."""
    os.nice(NICE)
    with suppress(AttributeError, OSError, ValueError):  # not every system has it
        this: Any = psutil.Process()
        this.ionice(psutil.IOPRIO_CLASS_IDLE)


if __name__ == "__main__":
    sys.exit(main(heed(sys.argv[1:])))
