"""The weekly digest, in a simulated Discord: when, where, what it says, and only once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import discord
import pytest

from bot.answers import utf16_length
from bot.client import TwofoldClient
from storage.records import NOBODY
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts
from tests.behaviour.test_insight import LOST, VOTERS, WON, agree, community, fought, picture
from tests.unit.records import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.behaviour.conftest import OpenTown

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
"""The first day of the week that is told of."""

SATURDAY = MONDAY + timedelta(days=5)
MORNING = MONDAY + timedelta(days=7, hours=8)
HOUR = 3601.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def town(open_town: OpenTown, clock: Clock) -> AsyncIterator[Town]:
    """A town whose lounge gets a digest, on the evening before it is due."""
    clock.now = MORNING - timedelta(hours=12)
    async with open_town(clock=clock) as opened:
        opened.env.settle_timeout = 30.0  # an hour has sixty sweeps
        await agree(opened, *VOTERS)
        await opened.services.guilds.set(opened.guild.id, "digests", [opened.lounge.id], by=NOBODY)
        yield opened


async def hour(town: Town, clock: Clock, now: datetime) -> list[discord.Message]:
    """It is that time, and the next round is made; what the bot has posted in the lounge."""
    clock.now = now
    await town.env.advance_time(HOUR)
    await town.env.settle()
    return town.mine()


async def started(town: Town, clock: Clock, now: datetime) -> list[discord.Message]:
    """The same with a bot that is started at that time, which makes a round at once."""
    clock.now = now
    await town.env.restart_bot(TwofoldClient(town.services))
    await town.env.settle()
    return town.mine()


async def test_a_week_is_told_once_on_monday_morning(town: Town, clock: Clock) -> None:
    await community(town, closed=SATURDAY)
    assert not await hour(town, clock, MORNING - timedelta(hours=1))
    (posted,) = await hour(town, clock, MORNING)
    said = texts(posted)
    assert "### The week here, 2 to 8 November" in said
    assert "70 votes by at least 7 members on 10 battles." in said
    assert f"**{INSTRUCT}** is ahead." in said
    assert picture(posted).description
    assert len(posted.attachments) == 1  # a day of votes, in which nothing moves
    assert len(await hour(town, clock, MORNING + timedelta(hours=1))) == 1
    assert len(await started(town, clock, MORNING + timedelta(hours=2))) == 1


async def test_a_bot_that_was_away_in_the_morning_tells_it_when_it_is_back(
    town: Town, clock: Clock
) -> None:
    await community(town, closed=SATURDAY)
    late = MORNING + timedelta(days=1, hours=9)
    assert len(await started(town, clock, late)) == 1
    assert len(await started(town, clock, late + timedelta(days=7))) == 1  # of a week of nothing


async def test_days_later_it_is_old_news(town: Town, clock: Clock) -> None:
    await community(town, closed=SATURDAY)
    assert not await started(town, clock, MORNING + timedelta(days=4))


async def test_each_week_has_its_own(town: Town, clock: Clock) -> None:
    await community(town, closed=SATURDAY)
    await started(town, clock, MORNING)
    await community(town, closed=SATURDAY + timedelta(days=7))
    _, second = await started(town, clock, MORNING + timedelta(days=7))
    assert "### The week here, 9 to 15 November" in texts(second)
    assert "70 votes" in texts(second)
    assert [file.filename for file in second.attachments] == ["leaderboard.png", "scores.gif"]


async def test_a_quiet_week_and_other_channels_are_not_told_of(town: Town, clock: Clock) -> None:
    for _ in range(4):
        await fought(town, WON, LOST, closed=SATURDAY)
    for _ in range(5):
        await fought(town, WON, LOST, closed=SATURDAY, channel=town.hall.id)
        await fought(town, WON, LOST, closed=SATURDAY - timedelta(days=7))
    assert not await started(town, clock, MORNING)
    assert not town.mine(town.hall)


async def test_an_upset_and_the_best_raw_completion_are_linked(town: Town, clock: Clock) -> None:
    await agree(town, town.alice.id)
    await community(town, closed=SATURDAY)
    text = f"salt, @everyone, <@{town.bob.id}> and **more** ```salt"
    upset = await fought(town, *[WON] * 6, closed=SATURDAY, said_by_base=text)
    (posted,) = await started(town, clock, MORNING)
    said = texts(posted)
    link = f"https://discord.com/channels/{town.guild.id}/{town.lounge.id}/{upset.shown_message_id}"
    link = f"([#{upset.id}]({link}))."
    assert f"{BASE} beat {INSTRUCT}, 6 to 0, though it ranks lower {link}" in said
    assert f"**Best raw completion**: {BASE}, 6 votes {link}\n> salt, " in said
    assert "```" not in said
    assert f"<@{town.bob.id}>" not in said
    assert not posted.mentions
    assert not posted.mention_everyone


async def test_nothing_is_quoted_of_texts_that_are_not_kept(town: Town, clock: Clock) -> None:
    for _ in range(6):
        await fought(town, *[WON] * 7, closed=SATURDAY, said_by_base="a secret")
    clock.now = MORNING
    await town.services.retention.sweep()  # alice, who asked, has agreed to nothing
    (posted,) = await started(town, clock, MORNING)
    assert "**Best raw completion**" in texts(posted)
    assert "secret" not in texts(posted)


async def test_the_longest_digest_fits(town: Town, clock: Clock) -> None:
    await agree(town, town.alice.id)
    for _ in range(6):
        await fought(town, *[WON] * 7, closed=SATURDAY, said_by_base="*" * 1800)
    (posted,) = await started(town, clock, MORNING)
    assert utf16_length(texts(posted)) <= 4000


async def test_where_it_may_not_write_it_says_so_once_in_the_log(
    town: Town, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    await community(town, closed=SATURDAY)
    live = town.env.bot.get_channel(town.lounge.id)
    await live.set_permissions(live.guild.default_role, attach_files=False)
    await town.env.settle()
    for later in range(2):
        assert not await started(town, clock, MORNING + timedelta(hours=later))
    assert capsys.readouterr().out.count("no digest: I lack permissions") == 1


async def test_what_a_sudden_end_broke_off_is_posted_while_discord_knows_its_nonce(
    town: Town, clock: Clock
) -> None:
    await community(town, closed=SATURDAY)
    clock.now = MORNING
    assert await town.services.digests.take(town.lounge.id, MONDAY.date())
    assert not await started(town, clock, MORNING + timedelta(minutes=3))
    assert len(await started(town, clock, MORNING + timedelta(minutes=1))) == 1


async def test_what_discord_could_not_take_is_tried_again(town: Town, clock: Clock) -> None:
    await community(town, closed=SATURDAY)
    route = f"/channels/{town.lounge.id}/messages"
    town.env.inject_error("POST", route, status=400)
    assert not await hour(town, clock, MORNING)
    assert len(await hour(town, clock, MORNING + timedelta(hours=1))) == 1


async def test_its_channel_is_set_in_the_settings_and_is_no_forum(town: Town) -> None:
    shown = await town.admin.slash(town.lounge, "settings", setting="digests")
    (menu,) = [
        c
        for row in shown.response.message.components
        for c in getattr(row, "children", ())
        for c in getattr(c, "children", (c,))
        if getattr(c, "type", None) is discord.ComponentType.channel_select
    ]
    assert discord.ChannelType.forum not in menu.channel_types
