"""A child process that must not outlive the one that started it."""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TETHERED = "tethered"
"""The last argument of a child that hangs on its parent's end of standard input."""


def heed(arguments: list[str], *, end: Callable[[], object] | None = None) -> list[str]:
    """Take the word off the arguments; where it was there, end as soon as the parent has.

    A parent that is killed closes the pipe, and so nobody is left writing beside the next
    attempt. By default the process is gone at once; `end` may let it tidy up.
    """
    if arguments[-1:] != [TETHERED]:
        return arguments
    threading.Thread(target=_wait_and, args=(end or partial(os._exit, 1),), daemon=True).start()
    return arguments[:-1]


def _wait_and(end: Callable[[], object]) -> None:
    sys.stdin.read()
    end()
