"""Who may vote: everybody who can see the ballot, but for bots and whom a server leaves out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.errors import VoteRefused

if TYPE_CHECKING:
    from datetime import datetime

    from bot.guilds import GuildSettings
    from bot.rating import Rater
    from bot.voting import Press
    from storage.records import Battle


def check_may_vote(press: Press, battle: Battle, settings: GuildSettings, *, now: datetime) -> None:
    """Raise VoteRefused unless the one who pressed may vote under these settings."""
    if press.voter_is_bot:
        raise VoteRefused("Bots cannot vote.")
    if press.voter_id == battle.author_id and not settings.authors_vote:
        raise VoteRefused("Here, whoever asked does not vote on the answers.")
    check_old_enough(press, settings, now=now)


def check_old_enough(voter: Press | Rater, settings: GuildSettings, *, now: datetime) -> None:
    """Raise VoteRefused where the account or the membership is younger than a server asks for.

    An age that is not known is too young wherever one is asked for.
    """
    if _younger(voter.account_created_at, settings.account_days, now):
        days = _days(settings.account_days)
        raise VoteRefused(f"Here, only accounts that are at least {days} old can vote.")
    if _younger(voter.joined_at, settings.membership_days, now):
        days = _days(settings.membership_days)
        raise VoteRefused(f"Here, only members who joined at least {days} ago can vote.")


def _younger(since: datetime | None, days: int, now: datetime) -> bool:
    return days > 0 and (since is None or now - since < timedelta(days=days))


def _days(number: int) -> str:
    return "a day" if number == 1 else f"{number} days"
