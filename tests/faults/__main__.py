"""`python -m tests.faults [WORDS]`: try the rows that these words are in, all without any."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .matrix import matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .fault import Fault

MOST_SECONDS = 1800.0
"""A trial that takes longer has failed."""

MOST_SHOWN = 6000


@dataclass(frozen=True)
class Outcome:
    """What came of a trial; `flaw` is empty where it was as told."""

    fault: Fault
    seconds: float
    flaw: str


async def tried(fault: Fault, room: asyncio.Semaphore) -> Outcome:
    """Try one row in a folder of its own."""
    async with room:
        begun, flaw = time.monotonic(), ""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                await asyncio.wait_for(fault.trial(Path(folder)), MOST_SECONDS)
            except Exception as error:  # noqa: BLE001 - the others are to be tried as well
                flaw = "".join(traceback.format_exception(error))
        return Outcome(fault, time.monotonic() - begun, flaw)


async def run(faults: Sequence[Fault], *, at_once: int, console: Console) -> list[Outcome]:
    """Try all, some at a time, and show how far it is."""
    room = asyncio.Semaphore(at_once)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    outcomes = []
    with progress:
        bar = progress.add_task("faults", total=len(faults))
        for trying in asyncio.as_completed([tried(fault, room) for fault in faults]):
            outcomes.append(outcome := await trying)
            if outcome.flaw:
                progress.print(f"[red]failed[/] {outcome.fault.name}")
            progress.advance(bar)
    return sorted(outcomes, key=lambda outcome: faults.index(outcome.fault))


def table(outcomes: Sequence[Outcome]) -> Table:
    """The matrix, with what came of it."""
    rows = Table("area", "what goes wrong", "what comes of it", "", "s", show_lines=True)
    for outcome in outcomes:
        held = "[red]failed[/]" if outcome.flaw else "[green]held[/]"
        fault = outcome.fault
        rows.add_row(fault.area, fault.name, fault.outcome, held, f"{outcome.seconds:.0f}")
    return rows


def main() -> None:
    """Run, print, and end with 1 where anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("words", nargs="*", help="words of an area or of what goes wrong")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, metavar="N")
    asked = parser.parse_args()
    words = [word.lower() for word in asked.words]
    faults = [f for f in matrix() if all(word in f"{f.area} {f.name}".lower() for word in words)]
    console = Console()
    outcomes = asyncio.run(run(faults, at_once=asked.at_once, console=console))
    failed = [outcome for outcome in outcomes if outcome.flaw]
    for outcome in failed:
        console.rule(outcome.fault.name)
        console.print(outcome.flaw[-MOST_SHOWN:], markup=False, highlight=False)
    console.print(table(outcomes))
    console.print(f"{len(outcomes) - len(failed)} of {len(outcomes)} held")
    sys.exit(bool(failed) or not outcomes)


if __name__ == "__main__":
    main()
