"""Votes that are kept in memory: always all that there are, and none that was erased."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bot.errors import StorageError
from bot.insight.counting import Counting
from bot.insight.kept import ANEW, OVERLAP, KeptArena
from bot.insight.service import InsightService
from storage.database import Database, database_url
from storage.records import Closing, Outcome
from tests.unit.records import NOON, Clock
from tests.unit.town import GUILD, town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.insight.arena import Arena
    from storage.records import Battle
    from tests.unit.town import Town

VOTERS = (11, 12, 13)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as opened:
        yield opened


@pytest.fixture
def kept(here: Town, clock: Clock) -> KeptArena:
    return KeptArena(here.store.arena, clock=clock)


async def fought(
    here: Town, *choices: int | Outcome, at: datetime = NOON, **which: object
) -> Battle:
    """A closed battle; the voters chose the base model's answer, 0, or the other's."""
    battle = await here.battle(**which)
    for voter, choice in zip(VOTERS, choices, strict=False):
        await here.vote(battle, voter, choice)
    assert await here.store.battles.close(battle.id, because=Closing.TIME, at=at)
    return battle


def simulate(home: Path, *battles: Battle) -> None:
    """Say that these were made up."""
    with closing(sqlite3.connect(home / "twofold.db")) as connection, connection:
        for battle in battles:
            connection.execute("UPDATE battles SET simulated = 1 WHERE id = ?", [battle.id])


def said(arena: Arena) -> list[tuple[int, int | None, int]]:
    """Each vote's battle, voter and outcome."""
    voters = [None if number < 0 else int(arena.ids[number]) for number in arena.voter]
    battles = arena.battle[arena.of].tolist()
    return sorted(zip(battles, voters, arena.outcome.tolist(), strict=True), key=str)


async def test_what_closed_since_is_added_to_what_was_read(here: Town, kept: KeptArena) -> None:
    assert len((await kept.get()).battle) == 0
    first = await fought(here, 0, 1)
    before = await kept.get()
    assert before is await kept.get(), "nothing is read again"
    open_ = await here.battle()
    await here.vote(open_, 11, 0)
    assert before is await kept.get(), "open battles are nowhere"
    second = await fought(here, Outcome.TIE)
    after = await kept.get()
    assert after.battle.tolist() == [first.id, second.id]
    assert said(after) == [(first.id, 11, 0), (first.id, 12, 1), (second.id, 11, 2)]
    assert said(before) == [(first.id, 11, 0), (first.id, 12, 1)], "an arena never changes"


async def test_kept_votes_are_as_if_all_were_read_anew(
    here: Town, kept: KeptArena, clock: Clock
) -> None:
    flipped = [await here.battle(flipped=True), await here.battle()]
    for number in range(6):
        await fought(here, number % 2, at=NOON + timedelta(minutes=number))
        await kept.get()
    for battle in flipped:
        await here.store.battles.close(
            battle.id, because=Closing.TIME, at=NOON + timedelta(hours=1)
        )
    grown = await kept.get()
    anew = await KeptArena(here.store.arena, clock=clock).get()
    assert grown.battle.tolist() == anew.battle.tolist() == sorted(anew.battle.tolist())
    assert said(grown) == said(anew)
    assert grown.contender.tolist() == anew.contender.tolist()
    assert grown.first.tolist() == anew.first.tolist()


async def test_a_battle_may_close_a_little_earlier_than_one_that_is_known(
    here: Town, kept: KeptArena
) -> None:
    late = await fought(here, 0)
    await kept.get()
    early = await fought(here, 1, at=NOON - OVERLAP / 2)
    assert (await kept.get()).battle.tolist() == [late.id, early.id]


async def test_one_that_says_it_closed_long_ago_is_not_missed_either(
    here: Town, kept: KeptArena
) -> None:
    late = await fought(here, 0)
    await kept.get()
    early = await fought(here, 1, at=NOON - timedelta(days=30))
    arena = await kept.get()
    assert said(arena) == [(late.id, 11, 0), (early.id, 11, 1)]


async def test_nothing_is_left_of_an_erased_voter(here: Town, kept: KeptArena) -> None:
    battle = await fought(here, 0, 1)
    assert 12 in (await kept.get()).ids
    found = await kept.result("votes", lambda arena: len(arena.of))
    await here.store.erasure.erase(12, at=NOON)
    arena = await kept.get()
    assert said(arena) == [(battle.id, 11, 0)]
    assert arena.ids.tolist() == [11]
    assert (found, await kept.result("votes", lambda arena: len(arena.of))) == (2, 1)


async def test_wiped_battles_still_count(here: Town, kept: KeptArena) -> None:
    battle = await fought(here, 0)
    await kept.get()
    await here.store.erasure.erase(battle.author_id, at=NOON)
    assert said(await kept.get()) == [(battle.id, 11, 0)]
    assert (await here.store.battles.get(battle.id)).wiped_because is not None


async def test_who_did_not_agree_is_forgotten_with_time(
    here: Town, kept: KeptArena, clock: Clock, tmp_path: Path
) -> None:
    battle = await fought(here, 0)
    await kept.get()
    with closing(sqlite3.connect(tmp_path / "twofold.db")) as connection, connection:
        connection.execute("UPDATE votes SET voter_id = -id")
    clock.now += ANEW + timedelta(seconds=1)
    assert said(await kept.get()) == [(battle.id, None, 0)]


async def test_what_is_asked_for_at_once_is_read_and_found_once(
    here: Town, kept: KeptArena
) -> None:
    await fought(here, 0, 1)
    arenas = await asyncio.gather(*(kept.get() for _ in range(5)))
    assert len({id(arena) for arena in arenas}) == 1
    found = await asyncio.gather(*(kept.result("key", lambda _: object()) for _ in range(5)))
    assert len(set(map(id, found))) == 1
    assert await kept.result("other", lambda _: object()) is not found[0]


async def test_who_leaves_while_it_is_read_takes_nothing_from_others(
    here: Town, kept: KeptArena, clock: Clock
) -> None:
    await fought(here, 0, 1)
    before = said(await kept.get())
    clock.now += ANEW + timedelta(seconds=1)
    for turns in range(12):
        left = asyncio.create_task(kept.get())
        for _ in range(turns):
            await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])
    third = await fought(here, Outcome.BOTH_BAD)
    assert said(await kept.get()) == [*before, (third.id, 11, 3)]


@pytest.fixture
def service(here: Town, clock: Clock) -> InsightService:
    return InsightService(store=here.store.arena, clock=clock)


async def test_a_guild_without_votes_is_shown_its_simulated_ones_until_it_has_some(
    here: Town, service: InsightService, tmp_path: Path
) -> None:
    imagined = await fought(here, 0, 0, 0)
    simulate(tmp_path, imagined)
    counting = Counting(guilds=(GUILD,))
    board = await service.leaderboard(counting)
    assert (board.votes, board.counting.simulated) == (3, True)
    assert (await service.stats(counting)).leaderboard.counting.simulated
    elsewhere = await service.leaderboard(Counting(guilds=(GUILD + 1,)))
    assert (elsewhere.votes, elsewhere.counting.simulated) == (0, False)
    await fought(here, 1)
    board = await service.leaderboard(counting)
    assert (board.votes, board.counting.simulated) == (1, False)
    imagined_ = await service.leaderboard(Counting(guilds=(GUILD,), simulated=True))
    assert (imagined_.votes, imagined_.counting.simulated) == (3, True)


async def test_one_guild_does_not_see_anothers_votes(here: Town, service: InsightService) -> None:
    await fought(here, 0, 0)
    await fought(here, 1, guild=GUILD + 1)
    await fought(here, 1, guild=None)
    votes = [
        (await service.leaderboard(Counting(guilds=guilds))).votes
        for guilds in ((GUILD,), (GUILD + 1,), ())
    ]
    assert votes == [2, 1, 4]


async def test_what_was_found_is_kept_until_there_is_something_new(
    here: Town, service: InsightService
) -> None:
    await fought(here, 0)
    counting = Counting(guilds=(GUILD,))
    board = await service.leaderboard(counting)
    assert await service.leaderboard(Counting(guilds=(GUILD,))) is board
    await fought(here, 0)
    assert (await service.leaderboard(counting)).votes == 2


async def test_a_members_own_figures_and_a_channels_week(
    here: Town, service: InsightService
) -> None:
    await fought(here, 0, 0)
    own = await service.own(11, GUILD)
    assert (own.votes, own.decided, own.base) == (1, 1, 1.0)
    assert (await service.own(11, GUILD + 1)).votes == 0
    assert (await service.own(11, None)).votes == 1
    days = {"since": NOON.date() - timedelta(days=6), "until": NOON.date()}
    week = await service.week(6, **days)
    assert (week.battles, week.votes, week.voters) == (1, 2, 2)
    assert (await service.week(7, **days)).battles == 0
    assert (await service.week(6, since=date(2020, 1, 1), until=date(2020, 1, 7))).votes == 0


async def test_the_first_reading_begins_before_anybody_asks(
    here: Town, service: InsightService
) -> None:
    await fought(here, 0)
    service.begin()
    await asyncio.wait_for(service._reading, timeout=30)
    assert len((await service.arena()).battle) == 1
    await service.close()


async def test_closing_ends_a_reading_without_noise(
    here: Town, service: InsightService, caplog: pytest.LogCaptureFixture
) -> None:
    await fought(here, 0)
    await service.close()
    service.begin()
    await asyncio.sleep(0)
    await service.close()
    assert service._reading.cancelled()
    assert caplog.records == []


async def test_a_database_that_cannot_be_read_is_told_to_who_asks(
    tmp_path: Path, clock: Clock
) -> None:
    async with Database.open(database_url(tmp_path / "twofold.db")) as store:
        service = InsightService(store=store.arena, clock=clock)
        with closing(sqlite3.connect(tmp_path / "twofold.db")) as connection, connection:
            connection.execute("DROP TABLE recounts")
        service.begin()
        await asyncio.wait([service._reading])
        assert service._reading.exception() is None
        with pytest.raises(StorageError):
            await service.leaderboard(Counting())
        await service.close()
