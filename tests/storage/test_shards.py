"""Each shard's process is given its own battles, and no others."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from bot.shards import Identifying
from storage.identifying import identify_turn
from storage.records import Closing
from storage.shards import Shards

if TYPE_CHECKING:
    from conftest import Arena

    from tests.postgres import Server

GUILDS = (None, *(n << 22 for n in range(1, 9)))


async def test_what_a_process_looks_for_by_itself_is_on_its_shards(arena: Arena) -> None:
    store = arena.database
    battles, ballots = store.battles, store.ballots
    shown, closed, unshown, left = {}, {}, {}, {}
    for number, guild_id in enumerate(GUILDS):
        shown[guild_id] = (await arena.open(guild_id=guild_id)).id
        await battles.shown(shown[guild_id], 10**18 + number)
        closed[guild_id] = (await arena.open(guild_id=guild_id)).id
        await battles.shown(closed[guild_id], 10**17 + number)
        await battles.close(closed[guild_id], because=Closing.TIME, at=arena.at(2))
        unshown[guild_id] = (await arena.open(guild_id=guild_id)).id
        left[guild_id] = (await arena.answering(guild_id=guild_id)).id

    seen: list[int | None] = []
    for ids in ({0, 3}, {1}, {2}):
        shards = Shards(frozenset(ids), 4)
        here = [guild_id for guild_id in GUILDS if shards.has(guild_id)]
        both = [one for g in here for one in (shown[g], unshown[g])]
        assert [b.id for b in await ballots.open(shards=shards)] == both
        assert list(await ballots.unrevealed(shards)) == [closed[g] for g in here]
        missing = await battles.unshown(shards=shards)
        assert [b.id for b in missing] == [unshown[g] for g in reversed(here)]
        lost = await battles.left_answering(at=arena.at(5), shards=shards)
        assert [b.id for b in lost] == [left[g] for g in here]
        seen += here
    assert sorted(seen, key=str) == sorted(GUILDS, key=str)


async def test_processes_on_one_server_take_turns(postgres: Server) -> None:
    url = postgres.url()
    begun: list[float] = []

    async def begin(identifying: Identifying) -> None:
        for shard in (0, 16):
            await identifying.wait(shard, concurrency=16)
            begun.append(time.monotonic())

    both = [Identifying(partial(identify_turn, url), seconds=0.3) for _ in range(2)]
    await asyncio.gather(*map(begin, both))
    for identifying in both:
        await identifying.close()
    begun.sort()
    assert min(later - begun[n] for n, later in enumerate(begun[1:])) >= 0.29
