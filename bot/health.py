"""Whether all is well with a bot that runs, and how it is doing."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import psutil

from bot import __version__
from bot.errors import StorageError
from storage.database import database_url, file_of
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from bot.admission import Admission
    from bot.config import Config
    from bot.roster import Roster
    from bot.telemetry.gateway import Gateway
    from bot.telemetry.instruments import Failure, Instruments
    from bot.telemetry.lag import LoopLag
    from storage.database import Database

GATEWAY_SECONDS = 60.0
"""A connection that broke is mostly back by then."""

DATABASE_SECONDS = 3.0
LOOP_SECONDS = 3.0
"""Discord waits three seconds for an answer to a press."""

LEAST_FREE = 200_000_000
"""Bytes on the disk of the database."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `how` says what to do where it is not `ok`."""

    name: str
    ok: bool
    how: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all is well."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(check.ok for check in self.checks)

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        checks = {check.name: {"ok": check.ok, "how": check.how} for check in self.checks}
        return {"ok": self.ok, "checks": checks}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """How a bot is doing. Days are those of UTC, times are in seconds, sizes in bytes.

    What the database does not tell is None. `kept_out` says of tuned contenders that should
    answer why they do not.
    """

    version: str
    verdict: Verdict
    up_for: float
    latencies: Mapping[int, float]
    waiting: int
    running: int
    battles_today: int | None
    votes_today: int | None
    resting: tuple[str, ...]
    kept_out: Mapping[str, str]
    contenders: int
    failures: tuple[Failure, ...]
    memory: int
    database: int | None
    free: int
    longest_lag: float


class HealthService:
    """Looks at what members depend on. `timer` tells seconds."""

    def __init__(  # noqa: PLR0913 - collaborators, all by keyword
        self,
        *,
        store: Database,
        roster: Roster,
        admission: Admission,
        gateway: Gateway,
        lag: LoopLag,
        instruments: Instruments,
        folder: Path,
        kept_out: Mapping[str, str] = MappingProxyType({}),
        clock: Callable[[], datetime],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lag = lag
        self._store = store
        self._roster = roster
        self._admission = admission
        self._gateway = gateway
        self._instruments = instruments
        self._folder = folder
        self._kept_out = kept_out
        self._clock = clock
        self._timer = timer
        self._began = timer()
        for contender in roster.contenders:
            instruments.expect(contender)
        instruments.metrics.queue_waiting.set_function(lambda: admission.waiting)
        instruments.metrics.queue_running.set_function(lambda: admission.running)

    async def verdict(self) -> Verdict:
        """Look at everything; takes three seconds at most."""
        database = await self._database()
        return Verdict((self._discord(), database, self._models(), self._loop(), self._disk()))

    async def report(self) -> HealthReport:
        """Tell how it is doing, also where the database does not answer."""
        verdict = await self.verdict()
        today = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        battles = votes = size = None
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(DATABASE_SECONDS):
                battles, votes = await self._store.census.since(today)
                size = await self._store.size()
        return HealthReport(
            version=__version__,
            verdict=verdict,
            up_for=self._timer() - self._began,
            latencies=self._gateway.latencies,
            waiting=self._admission.waiting,
            running=self._admission.running,
            battles_today=battles,
            votes_today=votes,
            resting=tuple(sorted(self._roster.resting)),
            kept_out=dict(self._kept_out),
            contenders=len(self._roster.contenders),
            failures=self._instruments.failures,
            memory=psutil.Process().memory_info().rss,
            database=size,
            free=self._free(),
            longest_lag=self.lag.longest,
        )

    async def measure(self) -> None:
        """Have the metrics tell what is looked at only when somebody asks."""
        metrics, resting = self._instruments.metrics, self._roster.resting
        self._gateway.measure()
        metrics.tasks.set(len(asyncio.all_tasks()))
        metrics.disk_free_bytes.set(self._free())
        for contender in self._roster.contenders:
            metrics.contender_up.labels(contender.slug).set(contender.slug not in resting)
            servers = getattr(self._roster.engine(contender), "resting", ())  # of a pool
            metrics.servers_resting.labels(contender.slug).set(len(servers))
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                metrics.database_size_bytes.set(await self._store.size())
        except (StorageError, TimeoutError):
            metrics.database_size_bytes.set(float("nan"))

    def _discord(self) -> Check:
        if missing := self._gateway.missing:
            how = f"not connected yet: shard {', '.join(map(str, missing))}"
            return Check("discord", ok=False, how=how)
        gone = {n: s for n, s in self._gateway.down.items() if s > GATEWAY_SECONDS}
        if not gone:
            return Check("discord", ok=True, how="connected")
        shards, seconds = ", ".join(map(str, gone)), max(gone.values())
        how = f"not connected for {seconds:.0f} s: shard {shards}. Check the network"
        return Check("discord", ok=False, how=how)

    async def _database(self) -> Check:
        began = self._timer()
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                await self._store.ping()
        except TimeoutError:
            how = f"no answer within {DATABASE_SECONDS:.0f} s. Look for what else uses it"
            return Check("database", ok=False, how=how)
        except StorageError as error:
            return Check("database", ok=False, how=error.user_message)
        return Check("database", ok=True, how=f"answers in {(self._timer() - began) * 1000:.0f} ms")

    def _models(self) -> Check:
        resting = self._roster.resting
        for base, what in ((True, "base"), (False, "other")):
            able = {c.slug for c in self._roster.contenders if (c.kind is Kind.BASE) is base}
            if able <= resting:
                how = f"every {what} contender rests: {', '.join(sorted(able))}. The log says why"
                return Check("models", ok=False, how=how)
        how = f"resting: {', '.join(sorted(resting))}" if resting else "all are up"
        return Check("models", ok=True, how=how)

    def _loop(self) -> Check:
        longest = self.lag.longest
        how = f"held up for {longest:.2f} s at most in the last two minutes"
        return Check("loop", ok=longest < LOOP_SECONDS, how=how)

    def _disk(self) -> Check:
        free = self._free()
        enough, how = free >= LEAST_FREE, f"{free / 1e9:.1f} GB are free in {self._folder}"
        return Check("disk", ok=enough, how=how if enough else f"{how}. Make room")

    def _free(self) -> int:
        return free_on(self._folder)


def grows_in(config: Config) -> Path:
    """The folder in which the database grows; the data folder where a server has it."""
    with suppress(StorageError):  # which is told where the database is opened
        if file := file_of(database_url(config.database_location)):
            return file.parent
    return config.home


def free_on(folder: Path) -> int:
    """How many bytes are free where a folder is, or will be."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
