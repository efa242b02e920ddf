"""What holds of every transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Arena

    from storage.database import Database


async def test_readers_do_not_wait_for_a_writer(database: Database, arena: Arena) -> None:
    async with database._transactions.write(alone=True):
        assert await database.guilds.get(7) == {}
        await database.ping()


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def half_a_change() -> None:
        async with database._transactions.write() as connection:
            await connection.exec_driver_sql("UPDATE contenders SET slug = slug || '!'")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half_a_change()
    assert [contender.slug for contender in await database.contenders.all()] == ["tame", "wild"]
