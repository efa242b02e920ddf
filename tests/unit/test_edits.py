"""One bucket's edits: the latest text, endings first, nothing cancelled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import discord
import pytest
from discord import ui

from cogs._edits import BURST, MOST_GROWING, OLD_BURST, Edits

TODAY = datetime(2026, 11, 1, 12, tzinfo=UTC)
FRESH, OLD = (discord.utils.time_snowflake(TODAY - timedelta(minutes=m)) for m in (1, 61))


def view(text: str) -> ui.LayoutView:
    return ui.LayoutView(timeout=None).add_item(ui.TextDisplay(text))


class Channel:
    """What Discord got to edit, in order, and when by the clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.edits: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.under_way = 0

    def clock(self) -> float:
        return self.now


class Message:
    """A message in a channel that takes edits while it is open."""

    def __init__(self, channel: Channel, id: int = 1, *, sent: int = FRESH) -> None:
        self.id = sent + id
        self._channel = channel

    async def edit(self, *, view: ui.LayoutView, allowed_mentions: discord.AllowedMentions) -> None:
        assert allowed_mentions.to_dict() == {"parse": []}
        self._channel.under_way += 1
        await self._channel.open.wait()
        self._channel.under_way -= 1
        self._channel.edits.append(view.children[0].content)

    async def delete(self) -> None:
        """Nobody looks."""


def edits_of(channel: Channel) -> Edits:
    return Edits(clock=channel.clock, now=lambda: TODAY)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def channel() -> Channel:
    return Channel()


async def test_of_texts_that_wait_only_the_latest_is_sent(channel: Channel) -> None:
    stream = edits_of(channel).lane(1).add(Message(channel))
    channel.now += 60
    for text in ("old", "newer", "newest"):
        stream.submit(lambda text=text: view(text))
    await settled()
    assert channel.edits == ["newest"]


async def test_nothing_is_sent_where_there_is_nothing_new(channel: Channel) -> None:
    lane = edits_of(channel).lane(1)
    streams = [lane.add(Message(channel)) for _ in range(2)]
    channel.now += 60
    streams[0].submit(lambda: None)
    streams[1].submit(lambda: view("second"))
    await settled()
    assert channel.edits == ["second"]


async def test_an_ending_does_not_wait_for_what_grows(channel: Channel) -> None:
    lane = edits_of(channel).lane(1)
    grows, ends = (lane.add(Message(channel, number)) for number in (1, 2))
    grows.submit(lambda: view("more"))
    await settled()
    await ends.finish(view("the end"))
    assert channel.edits == ["the end"]


async def test_an_edit_under_way_is_let_through_before_the_ending(channel: Channel) -> None:
    stream = edits_of(channel).lane(1).add(Message(channel), just_sent=False)
    channel.open.clear()
    stream.submit(lambda: view("more"))
    await settled()
    assert channel.under_way == 1
    ending = asyncio.create_task(stream.finish(view("the end")))
    stream.submit(lambda: view("too late"))
    await settled()
    channel.open.set()
    await ending
    assert channel.edits == ["more", "the end"]


async def test_who_no_longer_waits_for_the_ending_has_it_sent_all_the_same(
    channel: Channel,
) -> None:
    stream = edits_of(channel).lane(1).add(Message(channel))
    channel.open.clear()
    ending = asyncio.create_task(stream.finish(view("the end")))
    await settled()
    ending.cancel()
    channel.open.set()
    await settled()
    assert channel.edits == ["the end"]


async def test_channels_do_not_wait_for_each_other(channel: Channel) -> None:
    edits, other = edits_of(channel), Channel()
    channel.open.clear()
    stuck = asyncio.create_task(edits.lane(1).add(Message(channel)).finish(view("here")))
    await edits.lane(2).add(Message(other)).finish(view("there"))
    assert other.edits == ["there"]
    assert not channel.edits
    channel.open.set()
    await stuck


async def test_a_full_window_holds_even_endings_back(channel: Channel) -> None:
    lane = edits_of(channel).lane(1)
    endings = [
        asyncio.create_task(lane.add(Message(channel, number)).finish(view(str(number))))
        for number in range(BURST + 1)
    ]
    await settled()
    await settled()
    assert len(channel.edits) == BURST
    assert not endings[-1].done()
    endings[-1].cancel()


async def test_only_so_many_grow_in_a_bucket(channel: Channel) -> None:
    lane = edits_of(channel).lane(1)
    assert [lane.begin_growing() for _ in range(MOST_GROWING + 1)] == [True] * MOST_GROWING + [
        False
    ]
    lane.end_growing()
    assert lane.begin_growing()


async def test_a_bucket_that_is_idle_is_forgotten(channel: Channel) -> None:
    edits = edits_of(channel)
    idle, busy = edits.lane(1), edits.lane(2)
    stream = busy.add(Message(channel))
    edits.lane(3)
    assert edits.lane(2) is busy
    assert edits.lane(1) is not idle
    busy.remove(stream)


async def test_an_ending_that_waits_is_sent_though_its_stage_is_left(channel: Channel) -> None:
    lane = edits_of(channel).lane(1)
    other, stream = lane.add(Message(channel), just_sent=False), lane.add(Message(channel))
    channel.open.clear()
    other.submit(lambda: view("more"))
    await settled()
    ending = asyncio.create_task(stream.finish(view("the end")))
    await settled()
    ending.cancel()
    await settled()
    lane.remove(stream)
    channel.open.set()
    await settled()
    assert channel.edits == ["more", "the end"]
    lane.remove(other)
    channel.now += 60
    assert lane.idle


class Closed(Message):
    """A message whose client is closed already."""

    async def edit(self, **_: object) -> None:
        raise RuntimeError("Session is closed")


async def test_a_fault_of_any_kind_ends_the_wait_and_nobody_elses(channel: Channel) -> None:
    lane = edits_of(channel).lane(1)
    ends, another = lane.add(Closed(channel)), lane.add(Message(channel))
    with pytest.raises(RuntimeError, match="Session is closed"):
        await asyncio.wait_for(ends.finish(view("the end")), 1)
    await asyncio.wait_for(another.finish(view("another")), 1)
    assert channel.edits == ["another"]


async def test_what_cannot_be_rendered_is_given_up_alone(channel: Channel) -> None:
    lane = edits_of(channel).lane(1)
    broken, whole = (lane.add(Message(channel), just_sent=False) for _ in range(2))
    broken.submit(lambda: view(str(1 // 0)))
    whole.submit(lambda: view("more"))
    await settled()
    assert broken.lost
    assert channel.edits == ["more"]


async def test_old_messages_wait_longer_and_let_younger_ones_pass(channel: Channel) -> None:
    lane = edits_of(channel).lane(1)
    old = [
        asyncio.create_task(lane.add(Message(channel, n, sent=OLD)).finish(view(f"old {n}")))
        for n in range(OLD_BURST + 1)
    ]
    await settled()
    assert channel.edits == [f"old {n}" for n in range(OLD_BURST)]
    await asyncio.wait_for(lane.add(Message(channel)).finish(view("young")), 1)
    grows = lane.add(Message(channel), just_sent=False)
    channel.now += 1.2
    grows.submit(lambda: view("grows"))
    await settled()
    assert channel.edits[OLD_BURST:] == ["young", "grows"]
    assert not old[-1].done()
    old[-1].cancel()
