"""A server's database has one process for each shard, also after the server was away."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from bot.alone import alone
from storage import claims, server
from storage.claims import claimed
from storage.errors import DatabaseTaken, DatabaseUnreachable
from storage.locks import Lock
from storage.shards import EVERY, Shards

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.postgres import Server


def some(*ids: int, count: int = 4) -> Shards:
    return Shards(frozenset(ids), count)


@pytest.fixture
def url(postgres: Server) -> str:
    """Name a database, which may be empty."""
    return postgres.url()


async def refused(url: str, shards: Shards) -> str:
    with pytest.raises(DatabaseTaken) as caught:
        async with claimed(url, shards, wait_seconds=0):
            pass
    return caught.value.user_message


async def test_shards_are_had_beside_each_other_and_each_by_one(url: str) -> None:
    async with (
        claimed(url, some(0, 1), wait_seconds=0),
        claimed(url, some(2), wait_seconds=0),
    ):
        assert "has shard 1 on the database postgres" in await refused(url, some(1, 3))
        assert "counts 4 shards, and this one 8" in await refused(url, some(7, count=8))
        assert "Stop it first" in await refused(url, EVERY)
        async with claimed(url, some(3), wait_seconds=0):
            pass
    async with claimed(url, EVERY, wait_seconds=0):
        assert "Stop it first" in await refused(url, EVERY)
        assert "start it with --shards as well" in await refused(url, some(0))


async def test_one_that_is_ending_is_waited_for(url: str) -> None:
    async with AsyncExitStack() as ending:
        await ending.enter_async_context(claimed(url, EVERY, wait_seconds=0))
        coming = asyncio.create_task(_had(url))
        await asyncio.sleep(0.1)
        assert not coming.done()
        await ending.aclose()
        await coming


async def test_what_a_restarted_server_forgot_is_claimed_again(url: str, postgres: Server) -> None:
    async with claimed(url, EVERY, wait_seconds=0):
        for again in (postgres.stop, postgres.start):
            await asyncio.to_thread(again)
        await _until(postgres, "granted")
        assert "Stop it first" in await refused(url, EVERY)


async def test_a_connection_that_was_cut_keeps_nobody_out_who_had_it(
    url: str, postgres: Server
) -> None:
    async with claimed(url, some(0), wait_seconds=0):
        await asyncio.to_thread(_cut, postgres)
        await _until(postgres, "granted")
        assert "has shard 0" in await refused(url, some(0))


async def test_a_connection_that_is_dead_on_one_side_takes_nothing_from_who_had_it(
    url: str, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_PING", 0.1)
    monkeypatch.setattr(server, "CONNECTS_WITHIN", 0.5)
    async with claimed(url, EVERY, wait_seconds=0):
        ((before,),) = postgres.run(f"SELECT pid {HOLDERS}")
        os.kill(before, signal.SIGSTOP)  # it neither answers nor ends, and holds its locks
        try:
            await asyncio.sleep(1.5)
        finally:
            os.kill(before, signal.SIGCONT)
        await _until(postgres, f"granted AND pid <> {before}")


async def test_who_lost_it_to_another_ends(url: str, postgres: Server) -> None:
    async def owner(other: Connection) -> None:
        async with claimed(url, EVERY, wait_seconds=0):
            # It waits in the server, which gives it the lock before anybody can ask again.
            taking = asyncio.to_thread(other.execute, f"SELECT pg_advisory_lock({Lock.WHOLE}, 0)")
            waiting = asyncio.create_task(taking)
            await _until(postgres, "NOT granted")
            await asyncio.to_thread(_cut, postgres)
            await waiting
            await asyncio.sleep(30)

    with postgres.connected() as other, pytest.raises(DatabaseTaken, match="Stop it first"):
        await owner(other)


async def test_a_cancelled_owner_is_cancelled(url: str) -> None:
    task = asyncio.create_task(_had(url, seconds=60))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _had(url)


async def test_a_program_has_the_database_alone(url: str) -> None:
    async with alone(url, shards=some(0), wait_seconds=0):
        with pytest.raises(DatabaseTaken):
            async with alone(url, wait_seconds=0):
                pass


async def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(DatabaseUnreachable):
        async with claimed("postgresql+asyncpg://me@127.0.0.1:1/db", EVERY, wait_seconds=0):
            pass


async def _had(url: str, *, seconds: float = 0) -> None:
    async with claimed(url, EVERY, wait_seconds=20):
        await asyncio.sleep(seconds)


HOLDERS = "FROM pg_locks WHERE locktype = 'advisory'"


def _cut(postgres: Server) -> None:
    postgres.run(f"SELECT pg_terminate_backend(pid) {HOLDERS} AND granted")


async def _until(postgres: Server, holds: str) -> None:
    for _ in range(200):
        if await asyncio.to_thread(postgres.run, f"SELECT 1 {HOLDERS} AND {holds}"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody has it")
