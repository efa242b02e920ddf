"""A command beside the bot: `python -m bot.training.beside`, at the lowest priority.

It hangs on its parent's end of standard input. When the parent ends, in whatever way, or asks it to
stop, it is interrupted like a command by Ctrl-C, so that it takes away its temporary files.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from bot.engines.weights.tether import TETHERED, heed

if TYPE_CHECKING:
    from types import FrameType

_NICE = 19


def command(*words: str) -> tuple[str, ...]:
    """What runs `twofold` with these words; its standard input has to be a pipe."""
    return (sys.executable, "-m", "bot.training.beside", *words, TETHERED)


def tethered(arguments: list[str]) -> list[str]:
    """The arguments without the tether, which from now on interrupts, as SIGTERM does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    signal.signal(signal.SIGTERM, _interrupt)
    return heed(arguments, end=_interrupt)


def _interrupt(_signal: int = 0, _frame: FrameType | None = None) -> None:
    """Wake the main thread from whatever it waits for."""
    main = threading.main_thread().ident
    assert main is not None  # noqa: S101 - it has begun
    signal.pthread_kill(main, signal.SIGINT)


if __name__ == "__main__":
    os.nice(_NICE)
    sys.argv = tethered(sys.argv)
    from bot.cli import main

    main()
