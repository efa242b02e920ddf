"""An encrypted file: nothing of it is read without its key, and the way there and back."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import traceback
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import CONTENDERS, KEY, START, Arena, past
from pydantic import SecretStr
from sqlalchemy import event, select, text
from test_moving import fill

from storage import cipher
from storage.backup import back_up, put_in_place, require_sound
from storage.database import Database, database_url
from storage.encrypting import opens, rewrite
from storage.errors import DatabaseBusy, StorageError
from storage.moving import move
from storage.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER = SecretStr("c0de" * 16)
MARKER = "whoever reads this has read it from the disk"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file in a folder of its own."""
    return tmp_path / "data" / "twofold.db"


async def filled(path: Path, key: SecretStr | None, *, size: int = 1) -> None:
    async with Database.open(database_url(path), key=key) as store:
        await store.contenders.register(CONTENDERS, at=START)
        arena = Arena(store)
        for _ in range(size):
            await arena.open(MARKER)


def held(path: Path, key: SecretStr | None) -> dict[str, list[str]]:
    """All rows of all tables."""
    with past(database_url(path), key) as connection:
        found = {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in metadata.sorted_tables
        }
    connection.engine.dispose()
    return found


async def refusal(path: Path, key: SecretStr | None) -> str:
    with pytest.raises(StorageError) as caught:
        async with Database.open(database_url(path), key=key):
            pass
    told = "".join(traceback.format_exception(caught.value))
    assert not any(one.get_secret_value() in told for one in (KEY, OTHER))
    return caught.value.user_message


@pytest.mark.parametrize("key", [KEY, None])
async def test_what_was_said_is_in_no_file(
    path: Path, key: SecretStr | None, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    async with Database.open(database_url(path), key=key) as store:
        await store.contenders.register(CONTENDERS, at=START)
        await Arena(store).open(MARKER)
        written = contents(path.parent)
        assert set(written) >= {path.name, f"{path.name}-wal"}
        copy = path.with_name("copy.db")
        back_up(path, copy, key=key, advance=lambda _, __: None)
    written |= {f"{name} at the end": read for name, read in contents(path.parent).items()}
    found = {name for name, read in written.items() if MARKER.encode() in read}
    if key is None:
        assert found == {f"{path.name}-wal", f"{path.name} at the end", "copy.db at the end"}
    else:
        assert found == set()
        assert not any(b"battles" in read for read in written.values())


@pytest.mark.parametrize("brief", [False, True])
async def test_every_connection_is_encrypted_and_makes_no_other_files(
    path: Path, *, brief: bool
) -> None:
    async with Database.open(database_url(path), key=KEY) as store:
        rooms = store._transactions
        async with rooms.read(brief=brief) as first, rooms.write(brief=brief) as second:
            for connection in (first, second):
                assert await connection.scalar(text("PRAGMA cipher_status")) == "1"
                assert await connection.scalar(text("PRAGMA temp_store")) == 2


@pytest.mark.parametrize(
    ("made_with", "key", "says"),
    [
        (KEY, None, "set TWOFOLD_DATABASE_KEY to its key"),
        (KEY, OTHER, "does not open with this key"),
        (None, KEY, "`twofold encrypt"),
    ],
    ids=["no-key", "another-key", "not-encrypted"],
)
async def test_a_file_of_another_key_is_told_and_left_alone(
    path: Path,
    made_with: SecretStr | None,
    key: SecretStr | None,
    says: str,
    contents: Callable[[Path], dict[str, bytes]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    await filled(path, made_with)
    before = contents(path.parent)
    assert says in await refusal(path, key)
    with pytest.raises(StorageError, match=says):
        back_up(path, path.with_name("copy.db"), key=key, advance=lambda _, __: None)
    assert contents(path.parent) == before
    assert capfd.readouterr().err == "", "SQLCipher tells nobody but us"


async def test_without_sqlcipher_it_is_told_how_to_have_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sqlcipher3", None)
    assert "pip install 'twofold[encrypted]'" in await refusal(path, KEY)


def test_a_key_is_no_passphrase() -> None:
    for wrong in ("", "correct horse battery staple", "5eed" * 15, f"{'5eed' * 16}\n", "g" * 64):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            cipher.require_raw(SecretStr(wrong))
    assert cipher.require_raw(KEY) is KEY


def test_what_somebody_changed_in_the_file_is_noticed(path: Path) -> None:
    asyncio.run(filled(path, KEY, size=60))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"changed")
    with pytest.raises(StorageError, match="is damaged"):
        require_sound(path, KEY)


async def test_a_lock_and_a_full_disk_are_told_as_ever(path: Path) -> None:
    async with Database.open(database_url(path), key=KEY):
        pass

    def shrink(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("PRAGMA busy_timeout = 50")

    async with Database.open(database_url(path), key=KEY) as store:
        rooms = store._transactions
        for engine in (rooms._engine.sync_engine, rooms._brief._engine):
            event.listen(engine, "connect", shrink)
        await rooms.dispose()
        arena = Arena(store)
        with pytest.raises(StorageError, match="free some space"):
            await arena.answering("x" * 100_000)
        with closing(cipher.connect(path, key=KEY, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseBusy):
                await arena.answering()


async def test_a_backup_made_while_others_write_is_put_back(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    await filled(path, KEY, size=100)
    async with Database.open(database_url(path), key=KEY) as store:
        arena = Arena(store)
        arena._numbers = iter(range(1000, 9000))
        copying = asyncio.ensure_future(
            asyncio.to_thread(back_up, path, copy, key=KEY, advance=lambda _, __: None)
        )
        during = 0
        while not copying.done():
            during += 1
            await arena.open("meanwhile")
        await copying
    with pytest.raises(StorageError, match="not open with this key"):
        back_up(copy, path, key=OTHER, advance=lambda _, __: None)
    before = put_in_place(copy, path)
    battles = len(held(path, KEY)["battles"])
    assert 100 <= battles <= 100 + during
    assert len(held(before, KEY)["battles"]) == 100 + during > 100
    assert len(held(path, KEY)["turns"]) == battles, "both are of one transaction"


async def test_there_and_back_it_holds_the_same(path: Path) -> None:
    await fill(database_url(path))
    at_first = held(path, None)
    for was, key in ((None, KEY), (KEY, OTHER), (OTHER, None)):
        assert opens(path, was)
        assert not opens(path, key)
        before = await rewrite(path, key=key, was=was)
        assert opens(path, key)
        assert opens(before, was)
        assert held(path, key) == held(before, was) == at_first
    assert {file.name for file in path.parent.iterdir()} == {
        path.name,
        *(f"{path.name}.before-encrypt-{number}" for number in (1, 2, 3)),
    }


def test_what_is_written_is_its_owners_alone(path: Path) -> None:
    asyncio.run(filled(path, None))
    path.chmod(0o644)
    asyncio.run(rewrite(path, key=KEY, was=None))
    assert path.stat().st_mode & 0o077 == 0


async def test_a_file_of_another_key_is_not_rewritten(
    path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    await filled(path, KEY)
    before = contents(path.parent)
    for was in (None, OTHER):
        with pytest.raises(StorageError):
            await rewrite(path, key=None, was=was)
    assert contents(path.parent) == before


async def test_what_another_program_has_open_is_not_rewritten(path: Path) -> None:
    await filled(path, None)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("SELECT count(*) FROM battles").fetchone()
        with pytest.raises(DatabaseBusy, match="has the database"):
            await rewrite(path, key=KEY, was=None)
    assert opens(path, None)
    await rewrite(path, key=KEY, was=None)
    assert opens(path, KEY)


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from pydantic import SecretStr
from storage import encrypting

kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
path, key, when = Path(sys.argv[1]), SecretStr(sys.argv[2]), sys.argv[3]

def advance(done, total):
    if when != "linked" and done >= float(when) * total:
        kill()

def link(file, before, link=os.link):
    link(file, before)
    kill()

if when == "linked":
    os.link = link
asyncio.run(encrypting.rewrite(path, key=key, was=None, advance=advance))
"""


@pytest.mark.parametrize("when", ["0", "0.5", "1", "linked"])
def test_who_is_killed_meanwhile_has_the_database_as_it_was(path: Path, when: str) -> None:
    asyncio.run(filled(path, None, size=20))
    before = held(path, None)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), KEY.get_secret_value(), when],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert held(path, None) == before
    asyncio.run(rewrite(path, key=KEY, was=None))
    assert held(path, KEY) == before
    assert not list(path.parent.glob(".*")), "nothing that was half written is left"


async def test_an_encrypted_file_moves(path: Path, tmp_path: Path) -> None:
    await filled(path, KEY)
    new = tmp_path / "new.db"
    await move(database_url(path), database_url(new), keys=(KEY, OTHER))
    assert held(new, OTHER) == held(path, KEY)
