"""What benchmarks with the tests' server share: a community, and what a program takes."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.wire.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric

    from tests.wire.driver import WireServer
    from tests.wire.people import Person
    from tests.wire.server import Record
    from tests.wire.world import Channel, Guild

CORES = 2
KEPT_MESSAGES = 60
"""In a channel, of the server's: nobody reads further back."""

LONGEST_STALL = 0.1
"""Seconds that nobody should wait for the event loop; one of the bounds of the program's count."""

PATIENCE = 60.0
"""Seconds without any progress after which a run is given up."""


def pin() -> None:
    """Keep this process, and what it starts, to two of its cores, where that can be done."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def texts() -> list[str]:
    """What members write: the prompts of this folder."""
    lines = Path(__file__).with_name("prompts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["turns"][-1][1] for line in lines]


@dataclass(frozen=True)
class Community:
    """Guilds, their channels, the members of each guild by its id, and what they write."""

    wire: WireServer
    guilds: list[Guild]
    channels: list[Channel]
    members: dict[int, list[Person]]
    texts: list[str]

    @classmethod
    def found(cls, wire: WireServer, *, guilds: int, channels: int, members: int) -> Community:
        """Make so many of each, all in all."""
        made = [wire.guild(f"guild-{n}") for n in range(guilds)]
        return cls(
            wire,
            made,
            [wire.channel(made[n % guilds], f"channel-{n}") for n in range(channels)],
            {
                guild.id: [wire.person(f"member-{n}", guild) for n in range(at, members, guilds)]
                for at, guild in enumerate(made)
            },
            texts(),
        )

    def trim(self) -> None:
        """Let the server forget what is long past: it is not what is measured."""
        for channel in self.channels:
            for old in list(channel.messages)[:-KEPT_MESSAGES]:
                del channel.messages[old]
        del self.wire.gateway.frames[:-1000]


@dataclass
class Heard:
    """The requests that came since the last look; `finds` tells whose prompt one answers."""

    wire: WireServer
    finds: Callable[[Record], int | None]
    statuses: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def new(self) -> Iterator[int]:
        """The prompts that were answered since; what was looked at is forgotten."""
        records = self.wire.requests
        done = [record for record in records if record.status]
        records[:] = [record for record in records if not record.status]
        for record in done:
            self.statuses[record.status] += 1
            if record.status >= 400:
                self.refused[f"{record.method} {record.route}: {record.status}"] += 1
            elif (prompt := self.finds(record)) is not None:
                yield prompt


def ballot_for(record: Record) -> int | None:
    """The prompt below which a request of Twofold's puts a ballot."""
    posted = record.route.startswith("/channels/{channel}/messages")
    if posted and record.body and "twofold:1:vote" in record.text:
        return replied_to(record)
    return None


def replied_to(record: Record) -> int | None:
    """The message that the one in a request's answer refers to."""
    reference = record.answer.get("message_reference")
    return int(reference["message_id"]) if reference else None


@dataclass
class Asking:
    """Members who write to the bot in turns, and wait for its answers."""

    community: Community
    heard: Heard
    asked: int = 0

    async def ask(self, battles: int, *, at_once: int) -> float:
        """Have so many messages answered, so many at once; returns the seconds it took."""
        wire, written = self.community.wire, self.community.texts
        waiting: set[int] = set()
        begun = progress = time.monotonic()
        left = battles
        while left or waiting:
            while left and len(waiting) < at_once:
                channel = self.community.channels[self.asked % len(self.community.channels)]
                members = self.community.members[channel.guild_id or 0]
                member = members[self.asked // len(self.community.channels) % len(members)]
                text = f"{wire.mention} {written[self.asked % len(written)]} ({self.asked})"
                waiting.add((await member.send(channel, text)).id)
                self.asked, left = self.asked + 1, left - 1
            if answered := waiting & set(self.heard.new()):
                waiting -= answered
                progress = time.monotonic()
            elif time.monotonic() > progress + PATIENCE:
                raise AssertionError(f"{len(waiting)} are not answered; {self.heard.refused}")
            await asyncio.sleep(0.002)
        self.community.trim()
        return time.monotonic() - begun


@dataclass(frozen=True)
class Stalls:
    """How many were longer than LONGEST_STALL, and the longest of the last one to two minutes."""

    too_long: int
    longest: float


class Seen(Program):
    """The program, with its metrics to be read."""

    def __init__(self, wire: WireServer, home: Path, config: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        super().__init__(wire, home, config, env={"TWOFOLD_METRICS_PORT": str(port)})
        self._address = f"http://127.0.0.1:{port}/metrics"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._require_process().pid

    async def metrics(self) -> dict[str, float]:
        """What the program counts, by name, as far as it has no labels."""
        families = await self._families()
        return {
            sample.name.removeprefix("twofold_"): sample.value
            for family in families
            for sample in family.samples
            if not sample.labels
        }

    async def stalls(self) -> Stalls:
        """How often its event loop was held up for too long since its start."""
        families = {family.name: family for family in await self._families()}
        lag = families["twofold_loop_lag_seconds"].samples
        within = {s.labels["le"]: s.value for s in lag if s.name.endswith("_bucket")}
        (longest,) = families["twofold_loop_lag_longest_seconds"].samples
        return Stalls(int(within["+Inf"] - within[str(LONGEST_STALL)]), longest.value)

    async def _families(self) -> list[Metric]:
        async with aiohttp.ClientSession() as session, session.get(self._address) as response:
            return list(text_string_to_metric_families(await response.text()))


class Watched:
    """A process from outside."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    @property
    def seconds(self) -> float:
        """Processor time, user and system."""
        used = self._process.cpu_times()
        return used.user + used.system

    @property
    def memory(self) -> float:
        """Resident memory in KiB."""
        return self._process.memory_info().rss / 1024

    @property
    def descriptors(self) -> int:
        """Open files, sockets and the like."""
        return self._process.num_fds()
