"""How much is to happen, where, when, and under which rules of the server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.records import Consent

CHANNELS = 3
CLOSING_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is to happen, where and when. `first_id` is that of the ids to be used.

    `readers` judge the texts that they see, and ask what goes with that. So many prompts are
    written `at_once`.
    """

    battles: int
    guild_id: int
    begin: datetime
    days: int
    first_id: int
    readers: bool = False
    at_once: int = 1


def ids_for(battles: int, members: int) -> int:
    """How many ids a community takes: for channels, members and messages."""
    return CHANNELS + members + 3 * battles


def settings_for(votes: float) -> dict[str, object]:
    """What holds in the server meanwhile, whatever its admins set."""
    return {
        "channels": (),
        "contenders": (),
        "closing_votes": min(100, max(2, round(1.6 * votes))),
        "closing_hours": CLOSING_HOURS,
        "authors_vote": True,
        "account_days": 0,
        "membership_days": 0,
        "mirror_share": 50,
        "control_share": 4,
        "consent_cap": Consent.PUBLISH.value,
        "redaction": False,
        "moderation": "off",
        "others": "as_they_are",
        "showing": "at_once",
    }


@dataclass(slots=True)
class Clock:
    """A time that only the simulation moves, and never back."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def move_to(self, moment: datetime) -> None:
        """Let it be then, if it is not later already."""
        self.now = max(self.now, moment)

    def run(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += timedelta(seconds=seconds)
