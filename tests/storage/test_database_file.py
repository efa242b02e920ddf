"""Opening a database: what is prepared, what is refused, and what is left untouched."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, text

from storage import transactions
from storage.database import Database, database_url, was_cut_off
from storage.errors import DatabaseBusy, DatabaseTooNew, StorageError
from storage.faults import told_plainly

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Arena, Raw

pytestmark = pytest.mark.sqlite("what is done with its file; test_server.py has the others")

NEWER = "UPDATE alembic_version SET version_num = '9999'"


async def opened(path: Path) -> None:
    async with Database.open(database_url(path)):
        pass


def test_a_home_folder_that_nobody_has_is_told() -> None:
    with pytest.raises(StorageError, match="Write the whole path"):
        database_url("~nobody-has-this/twofold.db")


async def refusal(path: Path) -> StorageError:
    """Open a file that cannot be opened; the error, which must be fit for a person."""
    with pytest.raises(StorageError) as caught:
        await opened(path)
    sentence = caught.value.user_message
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "sqlite" not in sentence.lower()
    return caught.value


def test_a_path_or_a_url_names_a_database(tmp_path: Path) -> None:
    assert database_url("/data/t.db") == "sqlite+aiosqlite:////data/t.db"
    assert database_url(Path("t.db")) == "sqlite+aiosqlite:///t.db"
    assert database_url("~/t.db") == f"sqlite+aiosqlite:///{Path.home()}/t.db"
    assert database_url("sqlite:////data/t.db") == "sqlite+aiosqlite:////data/t.db"
    assert database_url("sqlite+aiosqlite:///t.db") == "sqlite+aiosqlite:///t.db"
    assert database_url("postgresql+asyncpg://me@host/db") == "postgresql+asyncpg://me@host/db"


async def test_folders_are_made_and_odd_names_are_kept(
    tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    path = tmp_path / "a" / "b c" / "50% ü#.db"
    await opened(path)
    assert list(contents(path.parent)) == [path.name]


@pytest.mark.parametrize(("brief", "waits"), [(False, 5000), (True, 0)])
async def test_every_connection_is_durable_and_checks_references(
    database: Database, *, brief: bool, waits: int
) -> None:
    expected = {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": waits,
        "synchronous": 2,
        "secure_delete": 1,
    }
    rooms = database._transactions
    async with (
        rooms.read(brief=brief) as first,
        rooms.read(brief=brief) as second,
        rooms.write(brief=brief) as third,
    ):
        for connection in (first, second, third):
            for pragma, value in expected.items():
                assert await connection.scalar(text(f"PRAGMA {pragma}")) == value, pragma


async def test_a_newer_file_is_left_byte_identical(
    path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.execute(NEWER)
    before = contents(path.parent)
    assert isinstance(await refusal(path), DatabaseTooNew)
    assert contents(path.parent) == before


async def test_a_newer_file_without_a_write_ahead_log_is_left_byte_identical(
    path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.execute("PRAGMA journal_mode = DELETE")
        newer.execute(NEWER)
    before = contents(path.parent)
    assert isinstance(await refusal(path), DatabaseTooNew)
    assert contents(path.parent) == before


async def test_a_newer_file_that_was_killed_is_left_byte_identical(
    path: Path, tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    await opened(path)
    killed = tmp_path / "killed"
    with closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.execute(NEWER)
        # The revision stands in the write-ahead log only, as after a kill.
        shutil.copytree(path.parent, killed, ignore=shutil.ignore_patterns("*-shm"))
    before = contents(killed)
    assert set(before) == {path.name, f"{path.name}-wal"}
    assert before[f"{path.name}-wal"]
    assert isinstance(await refusal(killed / path.name), DatabaseTooNew)
    after = contents(killed)
    assert {name: after[name] for name in before} == before


async def test_another_programs_database_is_left_alone(
    tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    with closing(sqlite3.connect(tmp_path / "places.db")) as other:
        other.execute("CREATE TABLE bookmarks (id)")
    before = contents(tmp_path)
    assert "another program" in (await refusal(tmp_path / "places.db")).user_message
    assert contents(tmp_path) == before


async def test_a_file_that_is_no_database_is_left_alone(
    tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look like a header " * 9)
    before = contents(tmp_path)
    assert "is not a database" in (await refusal(path)).user_message
    assert contents(tmp_path) == before


async def test_a_file_tells_whether_it_was_closed(path: Path) -> None:
    url = database_url(path)
    assert not was_cut_off(url)
    cut_off = path.with_name("cut_off.db")
    async with Database.open(url) as store:
        await store.guilds.update(7, "channels", [1], by=1, at=datetime.now(UTC))
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{cut_off}{end}")
    assert not was_cut_off(url)
    assert was_cut_off(database_url(cut_off))


async def test_a_damaged_file_is_told(path: Path) -> None:
    await opened(path)
    # The first page keeps its header, so that the file still passes for a database.
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3996)
    assert "is damaged" in (await refusal(path)).user_message


async def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.db").mkdir()
    assert "cannot be opened" in (await refusal(tmp_path / "t.db")).user_message


async def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "folder" in (await refusal(tmp_path / "file" / "t.db")).user_message


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("sqlite+aiosqlite://", "must name a file"),
        ("sqlite+aiosqlite:///:memory:", "must name a file"),
        ("sqlite+aiosqlite:///file:t.db?uri=true", "must name a file"),
        ("no url", "neither a path nor"),
        ("nosuchbase://me:secret@host/db", "no driver"),
    ],
)
async def test_a_url_that_cannot_work_is_told(url: str, advice: str) -> None:
    with pytest.raises(StorageError, match=advice) as caught:
        async with Database.open(url):
            pass
    assert "secret" not in caught.value.user_message


def test_a_connection_that_breaks_is_told() -> None:
    with (
        pytest.raises(StorageError, match="here cannot be reached"),
        told_plainly("here"),
    ):
        raise ConnectionRefusedError


async def test_a_lock_that_is_kept_elsewhere_is_told_and_passes(
    database: Database, arena: Arena, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = database._transactions._engine
    monkeypatch.setattr(transactions, "_PRAGMAS", ("busy_timeout = 50",))
    await engine.dispose()
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusy) as caught:
        await arena.answering()
    assert caught.value.retryable
    assert "locked" not in caught.value.user_message
    raw.execute("ROLLBACK")
    await arena.answering()


async def test_a_full_disk_is_told_and_nothing_is_half_stored(
    database: Database, arena: Arena
) -> None:
    battle = await arena.answering()
    engines = (
        database._transactions._engine.sync_engine,
        database._transactions._brief._engine,
    )

    # SQLite's own limit raises the very fault of a disk without room.
    def shrink(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    for engine in engines:
        event.listen(engine, "connect", shrink)
    await database._transactions.dispose()
    with pytest.raises(StorageError, match="free some space"):
        await database.battles.open(battle.id, arena.answers("x" * 100_000), at=arena.at())
    assert await database.battles.get(battle.id) == battle


OPEN = """
import asyncio, sys
from storage.database import Database, database_url
from storage.errors import StorageError

async def main():
    async with Database.open(database_url(sys.argv[1])):
        pass

try:
    asyncio.run(main())
except StorageError as refusal:
    print(refusal.user_message)
"""

# Root may write everything; without these two capabilities it may not.
POWERLESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX")
@pytest.mark.parametrize(
    ("file_mode", "folder_mode"),
    [
        pytest.param(0o444, 0o755, id="the-file"),
        pytest.param(0o644, 0o555, id="the-folder"),
        pytest.param(None, 0o555, id="the-folder-of-a-new-file"),
    ],
)
def test_what_may_not_be_written_is_told(
    path: Path, file_mode: int | None, folder_mode: int
) -> None:
    path.parent.mkdir()
    if file_mode is not None:
        asyncio.run(opened(path))
        path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    told = _without_powers(OPEN, path)
    path.parent.chmod(0o755)
    assert str(path) in told
    assert "writable" in told


def _without_powers(script: str, path: Path) -> str:
    """Run a script as one whom permissions bind; what it prints."""
    command: tuple[str, ...] = (sys.executable, "-c", script, str(path))
    if os.geteuid() == 0:
        if shutil.which(POWERLESS[0]) is None:
            pytest.skip("root cannot give up its powers without setpriv")
        command = (*POWERLESS, *command)
    return subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


async def test_a_fault_tells_the_log_nothing_that_anybody_said(arena: Arena, raw: Raw) -> None:
    raw.execute("CREATE TRIGGER t BEFORE INSERT ON battles BEGIN SELECT raise(ABORT, 'no'); END")
    said = "a secret"
    with pytest.raises(StorageError) as fault:
        await arena.answering(said)
    log = "".join(traceback.format_exception(fault.value))
    assert "INSERT INTO battles" in log
    assert said not in log
    assert str(2**60 + 1) not in log


async def test_what_is_opened_for_reading_is_read_beside_a_writer_and_never_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.db"
    await opened(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with Database.open(database_url(path), only_read=True) as store:
            await store.ping()
    async with Database.open(database_url(path), only_read=True) as store:
        with pytest.raises(StorageError):
            await store.erasure.erase(1, at=datetime.now(UTC))


async def test_what_an_older_program_left_is_not_migrated_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as file:
        file.executescript((Path(__file__).parent / "databases" / "0004.sql").read_text())
    with pytest.raises(StorageError, match="older Twofold left it"):
        async with Database.open(database_url(path), only_read=True):
            pass
    await opened(path)
    async with Database.open(database_url(path), only_read=True) as store:
        await store.ping()
