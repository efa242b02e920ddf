"""How presses fare when many come at once and the program is killed: `python -m benchmarks.votes`.

The real program, a process of its own with scripted models that take their time, against the
tests' loopback server in place of Discord. In each round 200 battles are opened, then 2,000
members press on them within 20 seconds while new prompts are answered. A tenth of them press
again with another choice later, another tenth press two buttons at once, as from two devices.
At a random moment the program is killed (SIGKILL); the database file is compared with what
members were told, the program is started again on it, and who got no answer presses again.

A press is acknowledged when the first response to it arrives at the server; its time runs from
before INTERACTION_CREATE is written, and the presses come by a timetable, however long earlier
ones take. A vote is acknowledged when a text arrived that tells the voter what they chose. From
then on the database has to hold it, as the text that stood on the side that was pressed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.wire.crowd import Crowd, Round
from tests.wire.driver import WireServer
from tests.wire.program import Program
from tests.wire.table import roster

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = """
battles_at_once = 64
member_battles_per_minute = 1000
channel_battles_per_minute = 10000
guild_battles_per_minute = 10000
"""
MODELS = roster("tokens=24&delay=0.04", "tokens=24&delay=0.03")

HEADINGS = (
    *("round", "presses", "p50 ms", "p99 ms", "longest ms", "told p99", "over 3 s", "not told"),
    *("killed after s", "cut off", "back after s", "answered", "lost or wrong"),
)


async def main(arguments: argparse.Namespace, folder: Path) -> int:
    """Play the rounds, print them, and return how much was wrong."""
    begun, rounds = time.monotonic(), []
    gc.disable()  # a pause of the server's would look like one of the program's
    async with WireServer() as wire:
        program = Program(wire, folder, CONFIG + MODELS)
        crowd = Crowd(
            wire,
            program,
            members=arguments.members,
            battles=arguments.battles,
            asked=arguments.prompts,
            rng=random.Random(arguments.seed),
        )
        await crowd.allow_many_votes()
        async with program:
            for number in range(arguments.rounds):
                played = await crowd.play(arguments.seconds)
                rounds.append(played)
                print("  ".join(map("{}: {}".format, HEADINGS, figures(number + 1, played))))
                print(*played.flaws[:10], *played.untold[:3], sep="\n")
                crowd.forget()
                gc.collect()
    return show(rounds, time.monotonic() - begun)


def show(rounds: Sequence[Round], seconds: float) -> int:
    """Print the table and the sum of it; return how much was wrong."""
    table = Table(title="Presses while answers are made and the program is killed")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for number, played in enumerate(rounds, start=1):
        table.add_row(*figures(number, played))
    waits = sorted(wait for played in rounds for wait in played.waits)
    presses = [press for played in rounds for press in played.presses]
    confirmed = sum(press.confirmed for press in presses)
    wrong = sum(len(played.flaws) + played.late + len(played.untold) for played in rounds)
    console = Console(width=130)
    console.print(table)
    console.print(
        f"{len(presses)} presses, {confirmed} acknowledged votes, all looked up after each kill "
        f"and at each end; {wrong} things wrong.\n"
        f"Acknowledged after: p50 {milliseconds(waits, 0.5)} ms, p99 {milliseconds(waits, 0.99)} "
        f"ms, longest {milliseconds(waits, 1)} ms; the server sent the latest press "
        f"{max(press.late for press in presses) * 1000:.0f} ms behind its timetable.\n"
        f"{seconds:.0f} s in all; processor time {used(resource.RUSAGE_SELF):.0f} s of the server "
        f"and the members, {used(resource.RUSAGE_CHILDREN):.0f} s of the program."
    )
    return wrong


def figures(number: int, played: Round) -> list[str]:
    """One line of the table."""
    return [
        str(number),
        str(len(played.presses)),
        *(milliseconds(played.waits, share) for share in (0.5, 0.99, 1)),
        milliseconds(played.told, 0.99),
        str(played.late),
        str(len(played.untold)),
        f"{played.killed_after:.1f}",
        str(played.cut_off),
        f"{played.down:.1f}",
        str(played.answered),
        str(len(played.flaws)),
    ]


def milliseconds(waits: Sequence[float], share: float) -> str:
    """The wait that this share of all does not exceed; `waits` are in seconds, sorted."""
    return f"{waits[min(len(waits) - 1, int(share * len(waits)))] * 1000:.0f}" if waits else "-"


def used(who: int) -> float:
    """Seconds of processor time."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=2000)
    parser.add_argument("--battles", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--prompts", type=float, default=2.0, help="new ones in a second meanwhile")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the database is; default: a new one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        raise SystemExit(bool(asyncio.run(main(given, Path(name)))))
