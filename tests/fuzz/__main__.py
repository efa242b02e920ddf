"""`make fuzz`: so many new cases of each entry, and a table of what came of them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz.cases import EXAMPLES
from tests.fuzz.conftest import TALLY

HERE = Path(__file__).parent
LOOK_SECONDS = 0.5


def main() -> int:
    """Run the tests of each module in a process of its own; 1 where there is a fault."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("modules", nargs="*", help="such as messages; all where none is named")
    options.add_argument("--examples", type=int, default=10_000, help="cases of each entry")
    asked = options.parse_args()
    known = {path.stem.removeprefix("test_"): path for path in sorted(HERE.glob("test_*.py"))}
    if unknown := set(asked.modules) - known.keys():
        options.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    console = Console(emoji=False)  # `:ab:` is a part of ids
    table = Table("entry", "cases", "seconds", "of the processor", "faults", title="Fuzzing")
    for column in table.columns[1:]:
        column.justify = "right"
    faults = 0
    for name in asked.modules or known:
        found, told = run(known[name], asked.examples, console)
        for entry, (cases, seconds, spent, failed) in found.items():
            table.add_row(entry, f"{cases:,}", f"{seconds:.0f}", f"{spent:.0f}", str(failed))
            faults += failed
        if told:
            console.print(told, markup=False, highlight=False)
            faults += not any(failed for *_, failed in found.values())
    console.print(table)
    return min(faults, 1)


def run(
    module: Path, examples: int, console: Console
) -> tuple[dict[str, tuple[int, float, float, int]], str]:
    """Cases, seconds and faults of each entry of a module, and what pytest told of faults."""
    console.print(module.stem.removeprefix("test_"))
    found: dict[str, tuple[int, float, float, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        tally, told = Path(folder) / "tally.json", Path(folder) / "told.txt"
        with told.open("w") as output:
            running = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-q", "--no-header", "--show-capture=no", module],
                env=os.environ | {EXAMPLES: str(examples), TALLY: str(tally)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            going = True
            while going:
                going = running.poll() is None
                for entry, row in _read(tally).items() - found.items():
                    found[entry] = row
                    cases, seconds, _, failed = row
                    console.print(f"  {entry}: {cases:,} cases in {seconds:.0f} s, {failed} faults")
                time.sleep(LOOK_SECONDS)
        return found, told.read_text() if running.returncode else ""


def _read(tally: Path) -> dict[str, tuple[int, float, float, int]]:
    told = json.loads(tally.read_text()) if tally.exists() else {}
    return {entry: tuple(row) for entry, row in told.items()}


if __name__ == "__main__":
    sys.exit(main())
