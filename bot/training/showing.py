"""What a training shows while it runs: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bot.terminal import err, progress_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

EVERY_SECONDS = 30.0
"""How often a line is written where there is no terminal."""

_FIGURES = {
    "loss": "loss {:.3f}",
    "margin": "margin {:+.2f}",
    "held_out_accuracy": "held out {:.0%}",
    "held_out_loss": "held-out loss {:.3f}",
}


class Shown:
    """The figures of the last steps in a few words; `held_out` is how many rows are held out."""

    def __init__(self, *, held_out: int) -> None:
        self._held_out = held_out
        self._last: dict[str, float] = {}

    def take(self, event: Mapping[str, Any]) -> str:
        """Note what an event tells, and return all that is known."""
        self._last |= {name: event[name] for name in _FIGURES if name in event}
        words = []
        for name, form in _FIGURES.items():
            if name in self._last:
                of = f" of {self._held_out}" if name == "held_out_accuracy" else ""
                words.append(form.format(self._last[name]) + of)
        return ", ".join(words)


@contextmanager
def showing(*, held_out: int) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A listener for a child's events."""
    from rich.progress import (  # noqa: PLC0415 - most commands show none
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    shown = Shown(held_out=held_out)
    spoken = 0.0
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with progress_of(*columns, TextColumn("{task.fields[told]}")) as bars:
        bar = bars.add_task("starting", total=None, told="")

        def hear(event: Mapping[str, Any]) -> None:
            nonlocal spoken
            kind = event["event"]
            if kind == "stage":
                resumed = " again from a checkpoint" if event.get("resumed") else ""
                words, done, total = event["stage"] + resumed, 0, None
                bars.reset(bar, description=words, total=None)
            elif kind == "reading":
                words, done, total = "reading the parent", event["done"], event["total"]
            elif kind == "step":
                words, done, total = "training", event["step"], event["total"]
            else:
                return
            told = shown.take(event)
            bars.update(bar, description=words, completed=done, total=total, told=told)
            if err.is_terminal or (kind != "stage" and time.monotonic() < spoken + EVERY_SECONDS):
                return
            spoken = time.monotonic()
            amount = f" {done}/{total}" if total else ""
            err.print(f"{words}{amount} {told}".rstrip(), markup=False, soft_wrap=True)

        yield hear
