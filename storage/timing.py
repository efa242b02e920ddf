"""How long transactions wait and take, for whoever wants to know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    Timed = Callable[[Literal["read", "write"], float, float], None]
    """Hears of a transaction that ended: seconds until it could begin, and from then on.

    One that could not begin at all waited until it gave up, and took no time.
    """


def unheard(_: str, __: float, ___: float) -> None:
    """Nobody wants to know."""


class Timing:
    """One transaction, from when it is wanted until it has ended."""

    __slots__ = ("_begun", "_mode", "_timed", "_wanted")

    def __init__(self, timed: Timed, mode: Literal["read", "write"]) -> None:
        self._timed = timed
        self._mode = mode

    def __enter__(self) -> Self:
        self._wanted = time.perf_counter()
        self._begun: float | None = None
        return self

    def begins(self) -> None:
        """The waiting is over."""
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        ended = time.perf_counter()
        begun = ended if self._begun is None else self._begun
        self._timed(self._mode, begun - self._wanted, ended - begun)
