"""How far a shard heard, across sessions and processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.catching_up import DISORDER, MOST_BACK, CatchingUpService
from tests.unit.test_battles import services

if TYPE_CHECKING:
    from pathlib import Path

    from bot.app import Services

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


async def process(opened: Services, at: datetime = NOON) -> CatchingUpService:
    service = CatchingUpService(
        heard=opened.store.heard,
        guilds=opened.guilds,
        battles=opened.battles,
        clock=lambda: at,
    )
    await service.start()
    return service


def since(service: CatchingUpService, shard_id: int = 0) -> datetime | None:
    gap = service.gap(shard_id)
    return gap and gap.since + DISORDER


async def test_nothing_was_missed_before_the_first_session(tmp_path: Path) -> None:
    async with services(tmp_path) as opened:
        service = await process(opened)
        assert since(service) is None
        service.interrupted(0)
        assert since(service) == NOON


async def test_a_lost_session_missed_what_came_after_the_last_message(tmp_path: Path) -> None:
    async with services(tmp_path) as opened:
        service = await process(opened, LATER)
        service.hears(0, 1, NOON)
        service.hears(1, 2, LATER)
        service.interrupted(0)
        service.hears(0, 3, LATER)
        assert since(service) == NOON
        assert since(service, 1) is None
        assert not await service.missed(3, LATER)
        assert await service.missed(4, LATER)


async def test_another_process_begins_where_the_gap_of_the_last_one_began(tmp_path: Path) -> None:
    async with services(tmp_path) as opened:
        service = await process(opened)
        service.hears(0, 1, NOON)
        await service.keep()
        service.interrupted(0)
        service.hears(0, 2, LATER)
        await service.keep()  # what was missed is not answered yet
        service = await process(opened, LATER)
        service.interrupted(0)
        assert since(service) == NOON


async def test_a_shard_that_is_new_begins_where_the_others_of_before_ended(tmp_path: Path) -> None:
    async with services(tmp_path) as opened:
        service = await process(opened)
        service.hears(0, 1, NOON)
        await service.keep()
        service = await process(opened, LATER)  # with two shards now, and servers on both
        service.interrupted(0)
        service.interrupted(1)
        assert since(service, 0) == since(service, 1) == NOON


async def test_what_is_caught_up_is_not_looked_for_again(tmp_path: Path) -> None:
    async with services(tmp_path) as opened:
        service = await process(opened)
        service.hears(0, 1, NOON)
        service.interrupted(0)
        gap = service.gap(0)
        service.hears(0, 2, LATER)
        service.interrupted(0)  # another one, while the first is made up for
        service.caught_up(0, gap)
        assert since(service) == LATER
        service.caught_up(0, service.gap(0))
        await service.keep()
        assert await opened.store.heard.until() == {0: LATER}


async def test_what_is_older_than_a_quarter_of_an_hour_is_past(tmp_path: Path) -> None:
    async with services(tmp_path) as opened:
        service = await process(opened, NOON + timedelta(hours=1))
        service.hears(0, 1, NOON)
        service.interrupted(0)
        assert service.gap(0).since == NOON + timedelta(hours=1) - MOST_BACK
        assert not await service.missed(4, LATER)  # though it was found before it was too old


async def test_a_channel_counts_from_when_it_was_enabled(tmp_path: Path) -> None:
    async with services(tmp_path) as opened:
        await opened.guilds.set(7, "channels", [11], by=1)
        await opened.guilds.set(7, "channels", [11, 12], by=1)
        service = await process(opened)
        (second, first) = await opened.guilds.history(7)
        assert await service.enabled_since(7, 11) == first.at
        assert await service.enabled_since(7, 12) == second.at
        assert await service.enabled_since(7, 13) is None
