"""PostgreSQL: what is told when it cannot be used, and how it is found again."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING

import pytest
from conftest import CONTENDERS, START, Arena
from sqlalchemy import make_url

from storage.database import Database, database_url, file_of
from storage.errors import DatabaseBusy, DatabaseTooNew, DatabaseUnreachable, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Server

SECRET = "s3same-open"


@pytest.fixture
def own(postgres: Server) -> Iterator[str]:
    """Name a database of this test's own, without tables."""
    with postgres.another() as url:
        yield url


async def refusal(url: str, kind: type[StorageError] = StorageError) -> str:
    with pytest.raises(StorageError) as caught:
        async with Database.open(url):
            pass
    assert type(caught.value) is kind
    told = caught.value.user_message
    log = "".join(traceback.format_exception(caught.value))
    assert SECRET not in log
    assert told.endswith(".")
    return told


def test_a_server_is_named_by_a_url_without_its_driver() -> None:
    driven = "postgresql+asyncpg://me:pw@host:5433/votes"
    assert database_url("postgresql://me:pw@host:5433/votes") == driven
    assert database_url("postgres://me:pw@host:5433/votes") == driven
    assert database_url(driven) == driven
    assert file_of(driven) is None


@pytest.mark.parametrize(
    ("user", "database", "advice"),
    [
        (f"locked:{SECRET}", "postgres", "may not be used so by this user; make the user its own"),
        (f"locked:{SECRET}x", "postgres", "refuses this user or password; correct TWOFOLD_DATAB"),
        (f"nobody:{SECRET}", "postgres", "refuses this user or password"),
        (f"postgres:{SECRET}", "nowhere", "is not there; make it on the server with `createdb`"),
        ("postgres", "postgres?sslmode=odd", "is not written as one; correct TWOFOLD_DATABASE"),
        ("postgres", "postgres?channel=1", "does not know a part of its URL"),
    ],
)
async def test_what_the_server_refuses_is_told(
    postgres: Server, user: str, database: str, advice: str
) -> None:
    postgres.run(
        "DROP ROLE IF EXISTS locked",
        f"CREATE ROLE locked LOGIN PASSWORD '{SECRET}'",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    )
    name, _, more = database.partition("?")
    url = postgres.url(name, user=user)
    told = await refusal(f"{url}&{more}" if more else url)
    assert advice in told
    assert name in told


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
async def test_a_server_that_does_not_answer_is_told_with_its_host(host: str) -> None:
    url = f"postgresql+asyncpg://me:{SECRET}@{host}/votes"
    assert f"votes on {host} does not answer" in await refusal(url, DatabaseUnreachable)


async def test_a_url_that_cannot_be_read_tells_nothing_of_itself() -> None:
    told = await refusal(f"postgresql://me:{SECRET}@host:port/votes")
    assert "neither a path nor a database URL" in told


async def test_a_driver_that_is_missing_is_named(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    assert "pip install 'twofold[postgresql]'" in await refusal(own)


async def test_another_programs_database_is_left_alone(postgres: Server, own: str) -> None:
    name = make_url(own).database
    postgres.run("CREATE TABLE bookmarks (id int)", database=name)
    assert "belongs to another program" in await refusal(own)
    assert postgres.run(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=name
    ) == [("bookmarks",)]


async def test_a_newer_programs_database_is_left_alone(postgres: Server, own: str) -> None:
    async with Database.open(own):
        pass
    name = make_url(own).database
    postgres.run("UPDATE alembic_version SET version_num = '9999'", database=name)
    assert "A newer Twofold wrote the database" in await refusal(own, DatabaseTooNew)


async def test_what_is_opened_for_reading_cannot_write(own: str) -> None:
    async with Database.open(own):
        pass
    async with Database.open(own, only_read=True) as store:
        await store.ping()
        with pytest.raises(StorageError, match="only lets it be read"):
            await store.contenders.register(CONTENDERS, at=START)


async def test_all_connections_in_use_is_told(postgres: Server, own: str) -> None:
    async with Database.open(own):
        pass
    name = make_url(own).database
    postgres.run("DROP ROLE IF EXISTS few", "CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    url = postgres.url(name, user="few")
    assert "all are in use. Raise its max_connections" in await refusal(url, DatabaseBusy)


async def test_a_full_disk_of_the_servers_is_no_lack_of_memory(postgres: Server, own: str) -> None:
    async with Database.open(own) as store:
        postgres.run(
            "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE disk_full; END $$",
            "CREATE TRIGGER fill BEFORE INSERT ON contenders EXECUTE FUNCTION fill()",
            database=make_url(own).database,
        )
        with pytest.raises(StorageError, match="has no room to grow; free some space") as fault:
            await store.contenders.register(CONTENDERS, at=START)
        assert not fault.value.retryable


async def test_a_fault_tells_the_log_nothing_that_anybody_said(postgres: Server, own: str) -> None:
    said = "a secret"
    async with Database.open(own) as store:
        name = make_url(own).database
        postgres.run("ALTER TABLE battles ADD CONSTRAINT mute CHECK (prompt = '')", database=name)
        with pytest.raises(StorageError, match="please report this") as fault:
            await Arena(store).answering(said)
    log = "".join(traceback.format_exception(fault.value))
    assert "INSERT INTO battles" in log
    assert "mute" in log
    assert said not in log
    assert str(2**60 + 1) not in log


async def test_a_lock_that_is_kept_elsewhere_is_told_and_passes(own: str) -> None:
    async with Database.open(own) as store, Database.open(own) as other:
        await store.contenders.register(CONTENDERS, at=START)
        arena = Arena(store)
        battle = await arena.open()

        async def hasty() -> None:
            async with store._transactions.write() as connection:
                await connection.exec_driver_sql("SET LOCAL lock_timeout = 50")
                await connection.exec_driver_sql("UPDATE battles SET failure = 'late'")

        async with other._transactions.write(alone=True):
            with pytest.raises(DatabaseBusy, match="in use elsewhere") as caught:
                await hasty()
        assert caught.value.retryable
        assert await store.battles.get(battle.id) == battle


async def test_a_server_that_was_restarted_is_found_again(postgres: Server, own: str) -> None:
    async with Database.open(own) as store:
        await store.contenders.register(CONTENDERS, at=START)
        arena = Arena(store)
        battle = await arena.open()
        await asyncio.to_thread(postgres.stop)
        with pytest.raises(DatabaseUnreachable) as away:
            await store.battles.get(battle.id)
        assert away.value.retryable
        await asyncio.to_thread(postgres.start)
        assert await store.battles.get(battle.id) == battle


async def test_what_a_connection_that_breaks_was_about_is_not_half_done(
    postgres: Server, own: str
) -> None:
    async with Database.open(own) as store:
        await store.contenders.register(CONTENDERS, at=START)

        async def broken_off() -> None:
            async with store._transactions.write() as connection:
                await connection.exec_driver_sql("UPDATE contenders SET slug = slug || '!'")
                mine = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
                await asyncio.to_thread(postgres.run, f"SELECT pg_terminate_backend({mine})")
                await connection.exec_driver_sql("SELECT 1")

        with pytest.raises(DatabaseUnreachable):
            await broken_off()
        assert [found.slug for found in await store.contenders.all()] == ["tame", "wild"]
