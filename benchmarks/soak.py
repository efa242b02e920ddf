"""Half an hour of a busy community in some minutes: `make soak`.

The whole program, a process of its own with models that take no time, against the tests'
loopback server with Discord's rate limits. 500 members of five guilds write in 50 channels
(half of them answer every message), vote, guess, give reasons, use commands; managers change
settings; connections are cut, sessions lost. `benchmarks/life.py` says how often. All of it
goes faster than life, rate limits and the program's own clock do not: what must hold, holds
under more than the usual load.

Every two seconds the program is asked for its metrics, and the system for its memory and
descriptors. The verdicts are on the second half, when all caches are full: the slope is Theil
and Sen's, the median of those between any two samples.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from scipy.stats import theilslopes

from benchmarks.life import Life
from benchmarks.wired import LONGEST_STALL, Community, Heard, Seen, Watched, pin
from tests.wire.driver import WireServer
from tests.wire.table import roster

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

EVERY = 2.0
"""Seconds between samples."""

SETTINGS = """
member_battles_per_minute = 1000
channel_battles_per_minute = 10000
guild_battles_per_minute = 10000
"""
GUILDS, CHANNELS, MEMBERS = 5, 50, 500
QUIET_SECONDS = 15.0
"""How long after the last act everything may take to come to rest."""

MOST_LIMITED = 0.001

MIB = 1024


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The program at a moment; `at` in seconds, `memory` in MiB, `stall` and `late` in seconds.

    `stall` is the longest one in a minute or two, `stalls` how many were too long so far; `late`
    is the server's own since the last sample.
    """

    at: float
    memory: float
    descriptors: int
    tasks: float
    waiting: float
    stall: float
    stalls: int
    late: float


@dataclass(frozen=True)
class Verdict:
    """What was found of something, and whether that may be."""

    what: str
    found: str
    bound: str
    holds: bool


@dataclass
class Watching:
    """Samples of one program, as long as it runs."""

    program: Seen
    watched: Watched
    samples: list[Sample] = field(default_factory=list)
    _late: float = 0.0

    async def run(self) -> None:
        """Take samples until cancelled."""
        begun = time.monotonic()
        timing = asyncio.create_task(self._time_the_server())
        try:
            while True:
                self.samples.append(await self._sample(time.monotonic() - begun))
                await asyncio.sleep(EVERY)
        finally:
            timing.cancel()

    async def _sample(self, at: float) -> Sample:
        known, stalls = await self.program.metrics(), await self.program.stalls()
        late, self._late = self._late, 0.0
        return Sample(
            at=at,
            memory=self.watched.memory / MIB,
            descriptors=self.watched.descriptors,
            tasks=known["tasks"],
            waiting=known["queue_waiting"],
            stall=stalls.longest,
            stalls=stalls.too_long,
            late=late,
        )

    async def _time_the_server(self) -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(0.01)
            self._late = max(self._late, time.perf_counter() - asked - 0.01)


async def main(arguments: argparse.Namespace, folder: Path, out: Console) -> bool:
    """Live, watch, judge; whether everything holds."""
    rng = random.Random(arguments.seed)
    async with WireServer() as wire:
        community = Community.found(wire, guilds=GUILDS, channels=CHANNELS, members=MEMBERS)
        program = Seen(wire, folder, SETTINGS + roster())
        managers = {g.id: wire.person("manager", g, admin=True) for g in community.guilds}
        life = Life(
            community,
            rng,
            speed=arguments.life / arguments.minutes,
            managers=managers,
            open_channels={channel.id for channel in community.channels[: CHANNELS // 2]},
        )
        async with program:
            for guild in community.guilds:
                mine = [number for number in guild.channels if number in life.open_channels]
                await program.set(guild, "channels", mine)
            watching = Watching(program, Watched(program.pid))
            heard = Heard(wire, life.noticed)
            beside = [asyncio.create_task(work) for work in (watching.run(), _hear(heard))]
            before = watching.watched.seconds
            await life.live(arguments.life)
            lived = len(watching.samples)
            await asyncio.sleep(QUIET_SECONDS)
            used = watching.watched.seconds - before
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            log = program.stderr
            wire.violations.clear()  # told below
    verdicts = list(
        judge(watching.samples[:lived], watching.samples[-1], heard.statuses, life.missed)
    )
    show(verdicts, life, heard, out)
    seconds = watching.samples[-1].at
    out.print(
        f"{arguments.life:g} minutes in {arguments.minutes:g}; the program used {used:.0f} s of "
        f"processor time in {seconds:.0f} s; {log.count('[warning')} warnings and "
        f"{log.count('[error')} errors in its log; the server came up to "
        f"{max(s.late for s in watching.samples) * 1000:.0f} ms late itself."
    )
    if arguments.log:
        arguments.log.write_text(log)
    if arguments.picture:
        draw(watching.samples, arguments.picture)
    return all(verdict.holds for verdict in verdicts)


async def _hear(heard: Heard) -> None:
    while True:
        for _ in heard.new():
            pass
        await asyncio.sleep(0.02)


def judge(
    samples: list[Sample], end: Sample, statuses: Counter[int], missed: list[str]
) -> Iterator[Verdict]:
    """Every bound, with what was found; `end` is when all has come to rest.

    `statuses` are those of the requests, `missed` the acts that nobody answered.
    """
    warm = samples[len(samples) // 2 :]
    memory = growth(warm, lambda sample: sample.memory)
    usual = median(sample.memory for sample in warm)
    yield Verdict(
        "memory", f"{memory:+.1f} of {usual:.0f} MiB", "2 % more", holds=memory <= 0.02 * usual
    )
    descriptors = growth(warm, lambda sample: sample.descriptors)
    most = max(sample.descriptors for sample in samples)
    yield Verdict("descriptors", f"{descriptors:+.1f}, at most {most}", "+3", descriptors <= 3)
    tasks = growth(warm, lambda sample: sample.tasks)
    usual = fmean(sample.tasks for sample in warm)
    yield Verdict("tasks", f"{tasks:+.1f}, {usual:.0f} on average", "+3", holds=tasks <= 3)
    waiting, left = max(s.waiting for s in samples), end.waiting
    yield Verdict("waiting battles", f"{left:g} at the end, {waiting:g} at most", "0", left == 0)
    stalls = samples[-1].stalls - samples[0].stalls
    longest = max(sample.stall for sample in samples)
    told = f"{stalls} over {LONGEST_STALL * 1000:g} ms, the longest {longest * 1000:.0f} ms"
    yield Verdict("hold-ups of the event loop", told, "0", holds=stalls == 0)
    limited, requests = statuses[429], statuses.total()
    share, told = limited / requests, f"{limited} of {requests} requests"
    yield Verdict("rate-limited", told, f"{MOST_LIMITED:.1%}", share < MOST_LIMITED)
    yield Verdict("acts without an answer", f"{len(missed)}", "0", holds=not missed)


def growth(samples: list[Sample], what: Callable[[Sample], float]) -> float:
    """How much more there is at the end than at the beginning, by the usual slope."""
    times = [sample.at for sample in samples]
    slope = theilslopes([what(sample) for sample in samples], times)[0]
    return float(slope * (times[-1] - times[0]))


def show(verdicts: list[Verdict], life: Life, heard: Heard, out: Console) -> None:
    """Print what happened and the verdicts."""
    out.print(", ".join(f"{number} {what}" for what, number in life.done.most_common()))
    table = Table("", "found", "bound", "")
    for verdict in verdicts:
        table.add_row(verdict.what, verdict.found, verdict.bound, "✓" if verdict.holds else "✗")
    out.print(table)
    refused = [f"{number} × {what}" for what, number in heard.refused.most_common()]
    out.print(*refused, *life.missed[:10], sep="\n", markup=False)


def draw(samples: list[Sample], path: Path) -> None:
    """Draw memory, descriptors, tasks and stalls over time, one above the other."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where a picture is wanted

    figure = Figure(figsize=(9, 8), layout="constrained")
    lines: dict[str, Callable[[Sample], float]] = {
        "memory, MiB": lambda sample: sample.memory,
        "descriptors": lambda sample: sample.descriptors,
        "tasks": lambda sample: sample.tasks,
        "longest stall, ms": lambda sample: sample.stall * 1000,
    }
    plots = figure.subplots(len(lines), 1, sharex=True)
    for plot, (name, what) in zip(plots, lines.items(), strict=True):
        plot.plot([sample.at for sample in samples], [what(sample) for sample in samples])
        plot.set_ylabel(name)
        plot.set_ylim(bottom=0)
    plots[-1].set_xlabel("seconds")
    figure.savefig(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--life", type=float, default=30.0, help="minutes of the community")
    parser.add_argument("--minutes", type=float, default=7.0, help="how long that may take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, help="where to draw it, .png or .svg")
    parser.add_argument("--log", type=Path, help="where to keep the program's log")
    given = parser.parse_args()
    pin()
    gc.disable()  # a pause of the server's would look like one of the program's
    with tempfile.TemporaryDirectory() as name:
        held = asyncio.run(main(given, Path(name), Console(width=110)))
    raise SystemExit(not held)
