"""Backups that are made while members vote, and the way back from them."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from bot.alone import alone
from bot.errors import ConfigError
from bot.keeping.erased import Erased, erase_again
from storage.backup import back_up
from storage.database import Database, database_url
from storage.records import Outcome
from tests.unit.records import NOON
from tests.unit.town import town

if TYPE_CHECKING:
    from pathlib import Path

    from storage.records import Battle
    from tests.unit.town import Town

GONE = 2**60 + 2
HOUR, YEAR = timedelta(hours=1), timedelta(days=365)


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
    gone, there = GONE, 2**60 + 3
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


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("a line that is none", "cannot be read"),
        ("another key", "was written under another export.key"),
    ],
)
async def test_without_the_list_of_the_erased_nothing_is_put_back(
    tmp_path: Path, what: str, says: str
) -> None:
    async with town(tmp_path) as here:
        await vote(here, await here.battle(), GONE)
        made = twofold(tmp_path, "backup")
        await here.store.erasure.erase(GONE, at=NOON)
    erased = Erased(tmp_path)
    erased.note(GONE, at=NOON)
    if what == "another key":
        (tmp_path / "export.key").unlink()
    else:
        with (tmp_path / "erased.jsonl").open("a") as file:
            file.write('{"member": "ab')
    refused = twofold(tmp_path, "restore", made.stdout.strip(), "--yes")
    assert refused.returncode == 1
    assert says in refused.stderr
    assert votes(tmp_path / "twofold.db") == 0
    assert not beside(tmp_path, "*.before-restore-*") + beside(tmp_path, "*.restoring*")


async def test_what_a_full_disk_leaves_does_not_spoil_the_next_line(tmp_path: Path) -> None:
    torn = '{"member": "ab'
    (tmp_path / "erased.jsonl").write_text(torn)
    erased = Erased(tmp_path)
    erased.note(GONE, at=NOON)
    with pytest.raises(ConfigError):
        erased.among({GONE: NOON})
    lines = (tmp_path / "erased.jsonl").read_text().replace(torn, "")
    (tmp_path / "erased.jsonl").write_text(lines)
    assert erased.among({GONE: NOON}) == (GONE,)


def test_lists_from_before_keys_were_marked_are_read(tmp_path: Path) -> None:
    erased = Erased(tmp_path)
    erased.note(GONE, at=NOON)
    line = orjson.loads((tmp_path / "erased.jsonl").read_bytes())
    del line["key"]
    (tmp_path / "erased.jsonl").write_bytes(orjson.dumps(line) + b"\n")
    assert erased.among({GONE: NOON}) == (GONE,)


async def test_it_is_by_what_is_theirs_that_people_are_erased_again(tmp_path: Path) -> None:
    later, back, there = GONE + 1, GONE + 2, GONE + 3
    async with town(tmp_path) as here:
        battle = await here.battle()
        for voter in (GONE, later, there):
            await vote(here, battle, voter)
        await here.store.heard.note({0: NOON + YEAR})
        erased = Erased(tmp_path)
        for member in (GONE, later):
            erased.note(member, at=NOON + HOUR)
        # Who came back after an erasure, and has nothing from before it.
        erased.note(back, at=NOON - HOUR)
        await vote(here, battle, back)
        # A run that broke off after the first of them.
        await here.store.erasure.erase(GONE, at=NOON + YEAR)
        assert await erase_again(here.store, tmp_path, at=NOON + YEAR) == (later,)
        assert await erase_again(here.store, tmp_path, at=NOON + YEAR) == ()
        left = {vote.voter_id for vote in await here.store.votes.for_battle(battle.id)}
        assert left == {back, there}


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
    refused = twofold(tmp_path, "restore", str(copy), "--yes")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert database.read_bytes() == before
    assert not beside(tmp_path, "*.before-restore-*")
    assert not beside(tmp_path, ".*.part")
    assert not beside(tmp_path, "*.restoring*")


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
