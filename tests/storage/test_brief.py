"""Brief transactions: as durable as others, and never in the way of the event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from storage.guilds import FRESH, GuildStore
from storage.records import Outcome

if TYPE_CHECKING:
    from conftest import Arena, Raw

    from storage.database import Database
    from storage.votes import CastVote

VOTES = "SELECT count(*) FROM votes"


async def cast(arena: Arena, battle_id: int, voter_id: int = 1) -> CastVote | None:
    return await arena.database.votes.cast(
        battle_id=battle_id,
        voter_id=voter_id,
        outcome=Outcome.TIE,
        winner_answer_id=None,
        by_author=False,
        at=arena.at(2),
    )


@pytest.mark.sqlite("a server locks rows, and nobody all of them")
async def test_a_lock_held_elsewhere_holds_up_the_vote_but_not_the_loop(
    arena: Arena, raw: Raw
) -> None:
    battle = await arena.open()
    raw.execute("BEGIN IMMEDIATE")
    voting = asyncio.create_task(cast(arena, battle.id))
    loop = asyncio.get_running_loop()
    longest, before = 0.0, loop.time()
    for _ in range(30):
        await asyncio.sleep(0.01)
        longest, before = max(longest, loop.time() - before), loop.time()
    assert not voting.done()
    assert longest < 0.25
    assert await arena.database.battles.get(battle.id) == battle
    raw.execute("ROLLBACK")
    assert await voting is not None
    assert raw.execute(VOTES) == [(1,)]


async def test_a_failure_leaves_nothing_and_the_next_can_write(arena: Arena, raw: Raw) -> None:
    battle = await arena.open()
    with pytest.raises(RuntimeError):
        await _fail_after_deleting(arena.database)
    assert await arena.database.battles.get(battle.id) == battle
    assert await cast(arena, battle.id) is not None
    assert raw.execute(VOTES) == [(1,)]


async def test_whoever_is_cancelled_leaves_the_connection_to_the_next(
    arena: Arena, raw: Raw
) -> None:
    battle = await arena.open()
    kept = 0
    for voter in range(1, 41):
        voting = asyncio.create_task(cast(arena, battle.id, voter))
        for _ in range(voter % 8):
            await asyncio.sleep(0)
        voting.cancel()
        with suppress(asyncio.CancelledError):
            await voting
            kept += 1
    assert await cast(arena, battle.id, 99) is not None
    ((stored,),) = raw.execute(VOTES)
    assert kept + 1 <= stored <= 41


async def test_settings_changed_by_another_process_are_heard_of(arena: Arena, raw: Raw) -> None:
    now = 100.0
    guilds = GuildStore(arena.database._transactions, clock=lambda: now)
    await guilds.update(7, "template", "raw", by=1, at=arena.at())
    assert await guilds.get(7) == {"template": "raw"}
    raw.execute("""UPDATE guilds SET settings = '{"template": "irc"}'""")
    now += FRESH
    assert await guilds.get(7) == {"template": "irc"}


async def _fail_after_deleting(database: Database) -> None:
    async with database._transactions.write(brief=True) as connection:
        await connection.execute(text("DELETE FROM turns"))
        raise RuntimeError
