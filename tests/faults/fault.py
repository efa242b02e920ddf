"""What a row of the matrix is, and the list of them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Trial = Callable[[Path], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, what has to come of it, and the trial that shows it.

    The trial is given an empty folder, and raises AssertionError where the outcome is another.
    `long` ones are tried by `make faults` alone: the tests have no time for all.
    """

    area: str
    name: str
    outcome: str
    trial: Trial
    long: bool = False


FAULTS: list[Fault] = []
"""In the order in which they are told."""


def fault(area: str, name: str, outcome: str, *, long: bool = False) -> Callable[[Trial], Trial]:
    """Add the decorated trial to the matrix.

    `name` and `outcome` are sentences for operators: they stand in the docs.
    """

    def add(trial: Trial) -> Trial:
        FAULTS.append(Fault(area, name, outcome, trial, long))
        return trial

    return add
