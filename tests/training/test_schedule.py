"""Rounds beside a bot: real processes that are stopped, killed, and left alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot.engines.weights.tether import TETHERED
from bot.training import schedule
from bot.training.schedule import LOG, last_tried, run_beside

if TYPE_CHECKING:
    from pathlib import Path

TIDY = """
import sys, time
from bot.training.beside import tethered
try:
    assert tethered(sys.argv) == ["-c"]
    print("at work", flush=True)
    time.sleep(600)
finally:
    print("tidied up", flush=True)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("at work", flush=True)
time.sleep(600)
"""


async def stopped(folder: Path, program: str) -> str:
    """Have a program run beside us, stop it when it is at work, and return what it said."""
    command = (sys.executable, "-c", program, TETHERED)
    running = asyncio.create_task(run_beside(folder, command=command))
    said = folder / LOG
    async with asyncio.timeout(60):
        while not said.is_file() or "at work" not in said.read_text("utf-8"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert last_tried(folder) is not None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    return said.read_text("utf-8")


async def test_a_round_that_is_stopped_tidies_up_and_is_due_again_at_once(tmp_path: Path) -> None:
    assert "tidied up" in await stopped(tmp_path, TIDY)
    assert last_tried(tmp_path) is None


async def test_one_that_does_not_heed_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "STOP_SECONDS", 0.5)
    async with asyncio.timeout(60):
        await stopped(tmp_path, STUBBORN)


@pytest.mark.parametrize("ending", ["its parent is gone", "SIGTERM"])
def test_it_tidies_up_when_its_parent_is_gone_and_when_asked_to_end(ending: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", TIDY, TETHERED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "at work\n"
    if ending == "SIGTERM":
        child.terminate()
    else:
        child.stdin.close()
    assert child.wait(30) != 0
    assert child.stdout.read() == "tidied up\n"
    child.stdout.close()


async def test_the_real_one_says_why_it_cannot_be_and_is_tried_the_next_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_HOME", str(tmp_path))
    monkeypatch.setenv("TWOFOLD_TRAINING_EXPORT", "true")
    folder = tmp_path / "rounds"
    (folder / "1").mkdir(parents=True)
    (folder / "1/round.json").write_text("{", "utf-8")
    with capture_logs() as logs:
        await run_beside(folder)
    assert "round.json cannot be read. Remove its folder" in logs[-1]["why"]
    assert "round.json cannot be read" in " ".join((folder / LOG).read_text("utf-8").split())
    assert last_tried(folder) is not None
