"""Battles in a minute, for a member and for a server."""

from __future__ import annotations

import tracemalloc

import pytest

from bot.errors import LimitReached
from bot.guilds import GuildSettings
from bot.limits import BattleLimits

OPEN = GuildSettings()


def count(
    limits: BattleLimits,
    member: int,
    guild: int | None,
    settings: GuildSettings,
    channel: int = 5,
) -> int:
    """How many battles are let in before the first that is not."""
    for number in range(100):
        try:
            limits.admit(member_id=member, channel_id=channel, guild_id=guild, settings=settings)
        except LimitReached:
            return number
    return 100


def test_a_member_has_one_limit_wherever_they_ask() -> None:
    limits = BattleLimits(member=4, channel=99, guild=50)
    assert count(limits, 1, 7, OPEN) == 4
    assert count(limits, 1, 8, OPEN) == 0
    assert count(limits, 1, None, OPEN) == 0
    assert count(limits, 2, 7, OPEN) == 4


def test_a_server_has_a_limit_for_all_its_members() -> None:
    limits = BattleLimits(member=4, channel=99, guild=6)
    assert [count(limits, member, 7, OPEN) for member in (1, 2, 3)] == [4, 2, 0]
    assert count(limits, 3, 8, OPEN) == 4


def test_a_channel_leaves_room_for_the_others_of_its_server() -> None:
    limits = BattleLimits(member=4, channel=5, guild=6)
    assert [count(limits, member, 7, OPEN, channel=1) for member in (1, 2)] == [4, 1]
    assert count(limits, 3, 7, OPEN, channel=2) == 1
    lower = GuildSettings(channel_limit=2)
    assert count(BattleLimits(member=4, channel=5, guild=6), 1, 7, lower) == 2


def test_admins_can_only_lower_what_the_operator_allows() -> None:
    lower = GuildSettings(member_limit=2, guild_limit=3)
    higher = GuildSettings(member_limit=40, guild_limit=50)
    assert count(BattleLimits(member=4, channel=99, guild=6), 1, 7, lower) == 2
    assert count(BattleLimits(member=4, channel=99, guild=6), 1, 7, higher) == 4
    limits = BattleLimits(member=4, channel=99, guild=6)
    assert [count(limits, member, 7, higher) for member in (1, 2)] == [4, 2]


def test_who_is_turned_away_by_one_limit_uses_up_no_other() -> None:
    limits = BattleLimits(member=1, channel=99, guild=3)
    assert count(limits, 1, 7, OPEN) == 1
    assert count(limits, 1, 7, OPEN) == 0
    assert [count(limits, member, 7, OPEN) for member in (2, 3, 4)] == [1, 1, 0]


def test_it_says_when_to_try_again_and_is_news_once() -> None:
    limits = BattleLimits(member=1, channel=99, guild=3)
    limits.admit(member_id=1, channel_id=5, guild_id=7, settings=OPEN)
    told = []
    for _ in range(3):
        with pytest.raises(
            LimitReached, match=r"You have asked 1 time .*again in \d+ seconds"
        ) as at:
            limits.admit(member_id=1, channel_id=5, guild_id=7, settings=OPEN)
        told.append(at.value.news)
    assert told == [True, False, False]


def test_a_minute_later_one_may_ask_again() -> None:
    now = [0.0]
    limits = BattleLimits(member=2, channel=99, guild=9, clock=lambda: now[0])
    assert count(limits, 1, 7, OPEN) == 2
    now[0] = 61
    assert count(limits, 1, 7, OPEN) == 2


def test_a_limit_counts_what_was_asked_before_it_was_set() -> None:
    limits = BattleLimits(member=9, channel=99, guild=9)
    assert count(limits, 1, 7, GuildSettings(guild_limit=4)) == 4
    assert count(limits, 2, 7, GuildSettings(guild_limit=3)) == 0
    assert count(limits, 1, 7, GuildSettings(member_limit=4)) == 0


def test_who_asked_long_ago_is_forgotten() -> None:
    now = [0.0]
    limits = BattleLimits(member=1, channel=99, guild=9, clock=lambda: now[0])
    held = []
    tracemalloc.start()
    try:
        for minute in range(3):
            now[0] = minute * 61.0
            for member in range(1000 * minute, 1000 * minute + 500):
                limits.admit(member_id=member, channel_id=member, guild_id=member, settings=OPEN)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[2] < 1.5 * held[0]
