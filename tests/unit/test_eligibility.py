"""Who may vote, to the day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.eligibility import check_may_vote
from bot.errors import VoteRefused
from bot.guilds import GuildSettings
from bot.voting import Press
from storage.records import Choice
from tests.unit.records import NOON, battle

WEEK = timedelta(days=7)
MOMENT = timedelta(seconds=1)


def refused(press: dict[str, object] | None = None, **settings: object) -> bool:
    known = {"account_created_at": NOON - WEEK, "joined_at": NOON - WEEK, "voter_is_bot": False}
    where = {"battle_id": 1, "choice": Choice.A, "guild_id": 5, "channel_id": 6, "voter_id": 8}
    pressed = Press(**where | known | (press or {}))
    try:
        check_may_vote(pressed, battle(), GuildSettings(**settings), now=NOON)
    except VoteRefused:
        return True
    return False


def test_everybody_may_but_bots() -> None:
    assert not refused()
    assert not refused({"voter_id": battle().author_id})
    assert not refused({"account_created_at": None, "joined_at": None})
    assert refused({"voter_is_bot": True})


def test_a_server_may_leave_authors_out() -> None:
    assert refused({"voter_id": battle().author_id}, authors_vote=False)
    assert not refused(authors_vote=False)


@pytest.mark.parametrize(
    ("setting", "since"),
    [("account_days", "account_created_at"), ("membership_days", "joined_at")],
)
def test_an_age_counts_to_the_day_and_an_unknown_one_as_too_young(setting: str, since: str) -> None:
    assert not refused(**{setting: 7})
    assert refused({since: NOON - WEEK + MOMENT}, **{setting: 7})
    assert refused({since: None}, **{setting: 7})
