"""What holds of every transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from conftest import START

from storage.database import Database, database_url
from storage.errors import DatabaseBusy

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Arena


async def test_readers_do_not_wait_for_a_writer(database: Database, arena: Arena) -> None:
    async with database._transactions.write(alone=True):
        assert await database.guilds.get(7) == {}
        await database.ping()


async def test_what_another_program_keeps_writers_waiting_is_told_as_waiting(
    tmp_path: Path,
) -> None:
    heard: list[tuple[str, float, float]] = []

    def timed(mode: str, waited: float, took: float) -> None:
        heard.append((mode, waited, took))

    file = tmp_path / "twofold.db"
    async with Database.open(database_url(file), timed=timed) as database:

        async def write() -> None:
            await database.guilds.update(7, "channels", [1], by=1, at=START)

        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            heard.clear()
            gave_up = await asyncio.gather(write(), write(), return_exceptions=True)
            assert list(map(type, gave_up)) == [DatabaseBusy] * 2
            waiting = asyncio.create_task(write())
            await asyncio.sleep(0.5)
            other.execute("ROLLBACK")
            await waiting
    assert [mode for mode, _, _ in heard] == ["write"] * 3
    assert all(waited > limit for (_, waited, _), limit in zip(heard, (4, 4, 0.4), strict=True))
    assert max(took for _, _, took in heard) < 0.4


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def half_a_change() -> None:
        async with database._transactions.write() as connection:
            await connection.exec_driver_sql("UPDATE contenders SET slug = slug || '!'")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half_a_change()
    assert [contender.slug for contender in await database.contenders.all()] == ["tame", "wild"]
