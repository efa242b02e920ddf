"""Which servers a process has, and when its sessions may begin."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import load
from bot.errors import ConfigError
from bot.shards import Identifying, read_shards, require_shared
from storage.database import database_url
from storage.identifying import identify_turn
from storage.shards import Shards

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "ids", "count"),
    [
        ("0-3/16", {0, 1, 2, 3}, 16),
        ("5/16", {5}, 16),
        ("0,2/4", {0, 2}, 4),
        (" 0 - 1, 3 / 4 ", {0, 1, 3}, 4),
        ("0/1", {0}, 1),
    ],
)
def test_shards_are_read_as_they_are_written(text: str, ids: set[int], count: int) -> None:
    assert read_shards(text) == Shards(frozenset(ids), count)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("4", "such as 0-3/16"),
        ("a/4", "such as 0-3/16"),
        ("0-/4", "such as 0-3/16"),
        ("-1/4", "such as 0-3/16"),
        ("0/0", "1 to 10000 shards"),
        ("4/4", "shard 4 is not among 4: they are numbered from 0"),
        ("3-1/4", "3-1 runs backwards; write 1-3"),
        ("0-2,1/4", "1 names a shard twice"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match="The setting shards") as caught:
        load(shards=text)
    assert says in caught.value.user_message


@given(st.integers(1, 64).flatmap(lambda n: st.tuples(st.sets(st.integers(0, n - 1)), st.just(n))))
def test_what_shards_say_of_themselves_can_be_read(made: tuple[set[int], int]) -> None:
    ids, count = made
    if ids:
        assert read_shards(str(Shards(frozenset(ids), count))) == Shards(frozenset(ids), count)


@given(st.integers(0, 2**63 - 1) | st.none(), st.integers(1, 64))
def test_every_server_is_on_one_shard_by_discords_rule(guild_id: int | None, count: int) -> None:
    here = [n for n in range(count) if Shards(frozenset({n}), count).has(guild_id)]
    assert here == [0 if guild_id is None else (guild_id >> 22) % count]


def test_processes_do_not_share_an_sqlite_file() -> None:
    some = Shards(frozenset({0}), 4)
    with pytest.raises(ConfigError, match="PostgreSQL URL, or give this process all of them: 0-3/"):
        require_shared(some, url=database_url("somewhere/twofold.db"))
    require_shared(some, url="postgresql+asyncpg://host/twofold")
    require_shared(Shards.all(4), url=database_url("somewhere/twofold.db"))


async def test_sessions_begin_one_after_another_in_each_turn(tmp_path: Path) -> None:
    identifying = Identifying(
        partial(identify_turn, database_url(tmp_path / "twofold.db")), seconds=0.2
    )
    begun: list[tuple[int, float]] = []

    async def begin(shard: int) -> None:
        await identifying.wait(shard, concurrency=2)
        begun.append((shard, time.monotonic()))

    await asyncio.gather(*map(begin, range(6)))
    await identifying.close()
    for number in (0, 1):
        at = [when for shard, when in begun if shard % 2 == number]
        assert min(later - at[n] for n, later in enumerate(at[1:])) >= 0.19
    assert begun[-1][1] - begun[0][1] < 0.19 * 5


async def test_a_turn_that_nobody_waits_for_any_more_is_passed_on(tmp_path: Path) -> None:
    identifying = Identifying(
        partial(identify_turn, database_url(tmp_path / "twofold.db")), seconds=0.05
    )
    await identifying.wait(0, concurrency=1)
    gone = asyncio.create_task(identifying.wait(1, concurrency=1))
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(2):
        await identifying.wait(2, concurrency=1)
    await identifying.close()


async def test_a_shard_whose_connection_would_not_last_passes_its_turn_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.shards.PATIENCE_SECONDS", 0.1)
    identifying = Identifying(
        partial(identify_turn, database_url(tmp_path / "twofold.db")), seconds=0.2
    )
    await identifying.wait(0, concurrency=1)
    with pytest.raises(TimeoutError):
        await identifying.wait(1, concurrency=1)
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    await identifying.wait(2, concurrency=1)
    assert time.monotonic() - begun < 0.15
    await identifying.close()


async def test_a_server_that_is_away_keeps_no_session_from_beginning() -> None:
    away = "postgresql+asyncpg://nobody@127.0.0.1:9/twofold"
    identifying = Identifying(partial(identify_turn, away), seconds=0.05)
    async with asyncio.timeout(5):
        await identifying.wait(0, concurrency=1)
        await identifying.wait(1, concurrency=1)
    await identifying.close()
