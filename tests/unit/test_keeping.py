"""Backups that are made while members vote, and the way back from them."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bot.alone import alone
from bot.errors import StorageError
from storage.backup import back_up, restore
from storage.database import Database, database_url
from storage.records import Outcome
from tests.unit.records import NOON
from tests.unit.town import town

if TYPE_CHECKING:
    from pathlib import Path

    from storage.records import Battle
    from tests.unit.town import Town


def twofold(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        env={"TWOFOLD_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def votes(file: Path) -> int:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as opened:
        return opened.execute("SELECT count(*) FROM votes").fetchone()[0]


async def vote(here: Town, battle: Battle, voter: int) -> None:
    cast = await here.store.votes.cast(
        battle_id=battle.id,
        voter_id=voter,
        outcome=Outcome.TIE,
        winner_answer_id=None,
        by_author=False,
        at=NOON,
    )
    assert cast is not None


def beside(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


def unheard(done: int, total: int) -> None:
    """Nobody looks."""


async def test_a_backup_under_load_has_all_that_was_acknowledged_and_nothing_half(
    tmp_path: Path,
) -> None:
    async with town(tmp_path) as here:
        battle = await here.battle("long " * 20_000, "short")
        for voter in range(1, 200):
            await vote(here, battle, voter)
        copying = asyncio.ensure_future(
            asyncio.to_thread(
                back_up, tmp_path / "twofold.db", tmp_path / "copy.db", advance=unheard
            )
        )
        during = 0
        while not copying.done():
            during += 1
            await vote(here, battle, 1000 + during)
        await copying
    assert during > 1
    assert 199 <= votes(tmp_path / "copy.db") <= 199 + during
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        # Each vote has its event in the same transaction: a moment's view has both or none.
        (events,) = copy.execute("SELECT count(DISTINCT voter_id) FROM vote_events").fetchone()
    assert events == votes(tmp_path / "copy.db")


async def test_the_command_backs_up_and_puts_back(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        battle = await here.battle()
        await vote(here, battle, 7)
        made = twofold(tmp_path, "backup")
        assert made.returncode == 0, made.stderr
        await vote(here, battle, 8)
    back = twofold(tmp_path, "restore", made.stdout.strip(), "--yes")
    assert back.returncode == 0, back.stderr
    assert "1 battle and 1 vote are there" in back.stdout
    assert votes(tmp_path / "twofold.db") == 1
    (before,) = beside(tmp_path, "twofold.db.before-restore-1")
    assert votes(before) == 2


async def test_who_had_themselves_erased_stays_erased(tmp_path: Path) -> None:
    gone, there = 2**60 + 2, 2**60 + 3
    async with town(tmp_path) as here:
        battle = await here.battle()
        for voter in (gone, there):
            await vote(here, battle, voter)
        made = twofold(tmp_path, "backup")
        erased = await asyncio.to_thread(twofold, tmp_path, "erase", "--member", str(gone), "--yes")
        assert erased.returncode == 0, erased.stderr
    assert str(gone) not in (tmp_path / "erased.jsonl").read_text()
    told = twofold(tmp_path, "restore", made.stdout.strip(), "--yes").stdout
    assert "1 member erased since then: erased again" in told
    async with Database.open(database_url(tmp_path / "twofold.db")) as store:
        assert {vote.voter_id for vote in await store.votes.for_battle(battle.id)} == {there}


async def test_the_oldest_backups_go(tmp_path: Path) -> None:
    async with town(tmp_path):
        pass
    folder = tmp_path / "backups"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"twofold-2020-01-0{day}T00-00-00Z.db").touch()
    (folder / "mine.db").touch()
    assert twofold(tmp_path, "backup", "--keep", "2").returncode == 0
    left = {file.name for file in folder.iterdir()}
    assert len(left) == 3
    assert left > {"mine.db", "twofold-2020-01-03T00-00-00Z.db"}


async def test_while_the_bot_runs_nothing_is_put_back(tmp_path: Path) -> None:
    async with town(tmp_path):
        pass
    made = twofold(tmp_path, "backup")
    async with alone(database_url(tmp_path / "twofold.db")):
        for command in (["restore", made.stdout.strip(), "--yes"], ["rollback", "0005", "--yes"]):
            refused = await asyncio.to_thread(twofold, tmp_path, *command)
            assert refused.returncode == 1
            assert "Another Twofold works on the database" in refused.stderr


@pytest.mark.parametrize("what", ["damaged", "foreign", "empty", "missing", "newer"])
async def test_what_is_no_sound_backup_is_refused_and_changes_nothing(
    tmp_path: Path, what: str
) -> None:
    async with town(tmp_path) as here:
        for _ in range(30):
            await here.battle("long " * 500, "short")
    database, copy = tmp_path / "twofold.db", tmp_path / "copy.db"
    back_up(database, copy, advance=unheard)
    before = database.read_bytes()
    content = bytearray(copy.read_bytes())
    if what == "damaged":
        content[len(content) // 2 : len(content) // 2 + 4096] = b"?" * 4096
        copy.write_bytes(content)
    elif what == "empty":
        copy.write_bytes(b"")
    elif what == "missing":
        copy.unlink()
    else:
        with closing(sqlite3.connect(copy)) as opened:
            if what == "foreign":
                opened.execute("DROP TABLE alembic_version")
            else:
                opened.execute("UPDATE alembic_version SET version_num = '9999'")
            opened.commit()
    with pytest.raises(StorageError):
        restore(copy, database, advance=unheard)
    assert database.read_bytes() == before
    assert not beside(tmp_path, "*.before-restore-*")
    assert not beside(tmp_path, ".*.part")


async def test_the_way_back_to_an_older_version_leaves_a_backup(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await vote(here, await here.battle(), 7)
    done = twofold(tmp_path, "rollback", "0004", "--yes")
    assert done.returncode == 0, done.stderr
    (kept,) = (tmp_path / "backups").iterdir()
    assert str(kept) in done.stdout
    assert votes(kept) == votes(tmp_path / "twofold.db") == 1
    refused = twofold(tmp_path, "rollback", "0009", "--yes")
    assert (refused.returncode, "Choose one of" in refused.stderr) == (1, True)
    assert "Traceback" not in refused.stderr
