"""Rounds by the calendar: a bot that runs has `twofold round` run beside it when it is time."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psutil
import structlog

from bot.errors import ConfigError
from bot.training.rounds import all_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.config import Config

log = structlog.get_logger(__name__)

LOOKS = timedelta(hours=1)
"""Between two looks at the calendar."""

AGAIN = timedelta(days=1)
"""Until a round is gone on with that could not end, mostly for want of votes."""

LOG = "log.txt"

_LOWEST = 19
_TERM_SECONDS = 10.0


def due(home: Path, *, every: timedelta, now: datetime, tried: datetime | None) -> bool:
    """Whether a round is to be begun or gone on with; `tried` is when one was last tried here.

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
    watching = asyncio.create_task(_watch(config, timedelta(days=config.round_every_days)))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _watch(config: Config, every: timedelta) -> None:
    tried: datetime | None = None
    while True:
        now = datetime.now(UTC)
        try:
            if due(config.home, every=every, now=now, tried=tried):
                tried = now
                await _round(config.home)
        except ConfigError as error:
            log.warning("no round", why=error.user_message)
        except OSError as error:
            log.warning("no round", why=error.strerror)
        await asyncio.sleep(LOOKS.total_seconds())


async def _round(home: Path) -> None:
    """A round in a process of its own at the lowest priority; what it says goes to a file."""
    folder = home / "rounds"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("ab") as said:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.cli", "round"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    with suppress(psutil.Error):
        psutil.Process(child.pid).nice(_LOWEST)
    log.info("a round begins or goes on", log=str(folder / LOG))
    try:
        code = await child.wait()
    except asyncio.CancelledError:
        child.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), _TERM_SECONDS)
        raise
    log.info("a round ended" if code == 0 else "a round could not end yet", log=str(folder / LOG))
