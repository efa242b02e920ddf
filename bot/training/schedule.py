"""Rounds by the calendar: a bot that runs has `twofold round` run beside it when it is time."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from bot.background import meanwhile
from bot.errors import ConfigError
from bot.training import beside
from bot.training.rounds import all_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from bot.config import Config

log = structlog.get_logger(__name__)

LOOKS = timedelta(hours=1)
"""Between two looks at the calendar."""

AGAIN = timedelta(days=1)
"""Until a round is gone on with that could not end, mostly for want of votes."""

LOG, TRIED = "log.txt", "tried"
"""In the folder of the rounds: what they said, and a file as old as the last try."""

_WORD = 1000
"""Bytes that a last word may have."""

STOP_SECONDS = 10.0
"""A round that is to stop has so long, then it is killed."""


def due(home: Path, *, every: timedelta, now: datetime, tried: datetime | None) -> bool:
    """Whether a round is to be begun or gone on with; `tried` is when one was last tried.

    Raises ConfigError where what is known of rounds cannot be read.
    """
    if tried is not None and now - tried < AGAIN:
        return False
    rounds = [one for one in all_of(home) if not one.asked.simulated]
    return not rounds or not rounds[-1].is_over or now - rounds[-1].began_at >= every


@asynccontextmanager
async def scheduled(config: Config) -> AsyncIterator[None]:
    """Look at the calendar while the bot runs, where the settings say so.

    A round that is at work at the end is stopped; the next one goes on with it.
    """
    if not config.round_every_days or (config.shards and 0 not in config.shards.ids):
        yield
        return
    async with meanwhile(_watch(config, timedelta(days=config.round_every_days))):
        yield


async def _watch(config: Config, every: timedelta) -> None:
    folder = config.home / "rounds"
    while True:
        try:
            now, tried = datetime.now(UTC), last_tried(folder)
            if due(config.home, every=every, now=now, tried=tried):
                await run_beside(folder)
        except ConfigError as error:
            log.warning("no round", why=error.user_message)
        except OSError as error:
            log.warning("no round", why=error.strerror)
        await asyncio.sleep(LOOKS.total_seconds())


def last_tried(folder: Path) -> datetime | None:
    """When a round was last begun or gone on with; one that was stopped does not count."""
    try:
        return datetime.fromtimestamp((folder / TRIED).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


async def run_beside(folder: Path, *, command: Sequence[str] | None = None) -> None:
    """A round in a process of its own; what it says goes to a file. Cancelled, it is stopped."""
    tried, log_file = folder / TRIED, folder / LOG
    tried.parent.mkdir(parents=True, exist_ok=True)
    tried.touch()
    with log_file.open("ab") as said:
        child = await asyncio.create_subprocess_exec(
            *(command or beside.command("round")),
            stdin=asyncio.subprocess.PIPE,
            stdout=said,
            stderr=said,
        )
    log.info("a round begins or goes on", log=str(log_file))
    try:
        code = await child.wait()
    except asyncio.CancelledError:
        await _stop(child)
        tried.unlink(missing_ok=True)
        raise
    if code == 0:
        log.info("a round ended", log=str(log_file))
    else:
        log.warning("a round could not end yet", why=_last_word(log_file), log=str(log_file))


def _last_word(file: Path) -> str:
    """The sentence with which a command ended."""
    with file.open("rb") as said:
        said.seek(max(0, file.stat().st_size - _WORD))
        return " ".join(said.read().decode(errors="replace").rpartition("twofold: ")[2].split())


async def _stop(child: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(child.wait(), STOP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
