"""`twofold encrypt`, and what the other commands make of a key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.alone import alone
from bot.config import load
from bot.errors import ConfigError
from storage.database import Database, database_url
from storage.encrypting import opens
from tests.unit.town import town

KEY, OTHER = "5eed" * 16, "c0de" * 16
SAID = "said by a member, and for nobody else"


def twofold(
    home: Path, *arguments: str, key: str = "", typed: str = ""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        env={
            "TWOFOLD_HOME": str(home),
            "TWOFOLD_DATABASE_KEY": key,
            "TWOFOLD_LOG_LEVEL": "debug",
            "PATH": os.environ["PATH"],
            "COLUMNS": "400",
        },
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert KEY not in done.stdout + done.stderr
    assert OTHER not in done.stdout + done.stderr
    return done


async def lived_in(home: Path) -> None:
    async with town(home) as here:
        await here.vote(await here.battle(SAID, "short"), 7, 0)
    async with Database.open(database_url(home / "imports" / "theirs.db")):
        pass


def has(file: Path, key: str) -> bool:
    return opens(file, SecretStr(key) if key else None)


async def test_everything_is_encrypted_read_backed_up_and_taken_back(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    files = (tmp_path / "twofold.db", tmp_path / "imports" / "theirs.db")
    done = twofold(tmp_path, "encrypt", key=KEY)
    assert done.returncode == 0, done.stderr
    for file in files:
        assert has(file, KEY)
        assert f"{file} is encrypted with the key that is set" in done.stdout
        before = file.with_name(f"{file.name}.before-encrypt-1")
        assert f"now {before}: delete it" in done.stdout
        assert has(before, "")
    assert "is so already" in twofold(tmp_path, "encrypt", key=KEY).stdout

    assert f"at {files[0]}" in twofold(tmp_path, "check", key=KEY).stdout
    made = twofold(tmp_path, "backup", key=KEY)
    copy = Path(made.stdout.strip())
    assert has(copy, KEY)
    back = twofold(tmp_path, "restore", str(copy), "--yes", key=KEY)
    assert "1 battle and 1 vote are there" in back.stdout, back.stderr
    exported = twofold(tmp_path, "stats", "--json", key=KEY)
    assert exported.returncode == 0, exported.stderr

    changed = twofold(tmp_path, "encrypt", "--old-key", key=OTHER, typed=f"{KEY}\n")
    assert changed.returncode == 0, changed.stderr
    assert all(has(file, OTHER) for file in files)
    undone = twofold(tmp_path, "encrypt", "--undo", key=OTHER)
    assert undone.stdout.splitlines()[-1] == "Take TWOFOLD_DATABASE_KEY away now."
    assert all(has(file, "") for file in files)
    assert twofold(tmp_path, "stats").returncode == 0


async def test_a_backup_that_is_named_is_encrypted(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    copy = tmp_path / "copy.db"
    assert twofold(tmp_path, "backup", "--out", str(copy)).returncode == 0
    refused = twofold(tmp_path, "restore", str(copy), "--yes", key=KEY)
    assert refused.returncode == 1
    assert f"`twofold encrypt {copy}`" in refused.stderr
    assert twofold(tmp_path, "encrypt", str(copy), key=KEY).returncode == 0
    assert has(copy, KEY)
    assert has(tmp_path / "twofold.db", ""), "nothing else is touched"


@pytest.mark.parametrize(
    ("arguments", "key", "says"),
    [
        (["encrypt"], "", "Set TWOFOLD_DATABASE_KEY"),
        (["encrypt", "--undo", "--old-key"], KEY, "Leave --old-key away"),
        (["encrypt", "--old-key"], KEY, "That is not it"),
        (["encrypt"], "a passphrase", "64 hexadecimal digits"),
        (["stats"], KEY, "`twofold encrypt"),
        (["backup"], KEY, "`twofold encrypt"),
        (["encrypt", "--undo"], OTHER, "is so already"),
    ],
)
async def test_what_cannot_be_is_told(
    tmp_path: Path, arguments: list[str], key: str, says: str
) -> None:
    await lived_in(tmp_path)
    done = twofold(tmp_path, *arguments, key=key, typed="no key\n")
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if says == "is so already" else 1)
    assert has(tmp_path / "twofold.db", "")


async def test_while_the_bot_runs_nothing_is_encrypted(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    async with alone(database_url(tmp_path / "twofold.db")):
        done = twofold(tmp_path, "encrypt", key=KEY)
    assert done.returncode == 1
    assert "Another Twofold works on the database" in done.stderr


def test_the_key_is_hidden_and_for_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_DATABASE_KEY", KEY)
    config = load()
    assert KEY not in repr(config)
    assert KEY in config.secrets
    for url in ("postgresql://me@host/db", "postgres://host/db", "postgresql+asyncpg://host/db"):
        with pytest.raises(ConfigError, match="server's disk encrypted"):
            load(database=url)
