"""Turns of channels at their weekly digest, on a real file."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Arena

MONDAY = date(2026, 11, 2)
NEXT = MONDAY + timedelta(days=7)


async def take(arena: Arena, *, channel: int = 1, week: date = MONDAY, after: int = 0) -> bool:
    """Take a turn, where one of more than two minutes ago without a message is lost."""
    digests = arena.database.digests
    return await digests.take(channel, week, at=arena.at(after), lost=arena.at(after - 120))


async def test_one_of_many_gets_the_turn_where_there_is_a_message(arena: Arena) -> None:
    assert await take(arena)
    await arena.database.digests.sent(1, MONDAY, message_id=9)
    assert not any(await asyncio.gather(*(take(arena) for _ in range(5))))
    assert await take(arena, channel=2)
    assert await take(arena, week=NEXT)


async def test_what_was_broken_off_is_taken_up_again_while_that_can_be_told(
    arena: Arena,
) -> None:
    assert await take(arena)
    assert await take(arena, after=100)
    assert not await take(arena, after=121)


async def test_had_are_turns_with_a_message_and_those_that_are_lost(arena: Arena) -> None:
    digests = arena.database.digests
    for channel, after in ((1, 0), (2, 0), (3, 200)):
        assert await take(arena, channel=channel, after=after)
    await digests.sent(1, MONDAY, message_id=9)
    assert await digests.had(MONDAY, lost=arena.at(0)) == {1}
    assert await digests.had(MONDAY, lost=arena.at(100)) == {1, 2}
    assert await digests.had(NEXT, lost=arena.at(100)) == set()


async def test_a_turn_that_came_to_nothing_is_given_back(arena: Arena) -> None:
    await take(arena)
    await arena.database.digests.give_back(1, MONDAY)
    assert await take(arena, after=1000)
