"""A child process that must not outlive the one that started it."""

from __future__ import annotations

import os
import sys
import threading

TETHERED = "tethered"
"""The last argument of a child that hangs on its parent's end of standard input."""


def heed(arguments: list[str]) -> list[str]:
    """Take the word off the arguments; where it was there, end as soon as the parent has.

    A parent that is killed closes the pipe, and so nobody is left writing beside the
    next attempt.
    """
    if arguments[-1:] != [TETHERED]:
        return arguments
    threading.Thread(target=_wait_and_end, daemon=True).start()
    return arguments[:-1]


def _wait_and_end() -> None:
    sys.stdin.read()
    os._exit(1)
