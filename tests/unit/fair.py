"""A database with closed battles to report of, hostile texts among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.records import Closing, Consent, Outcome
from tests.unit.records import NOON, bot_said, said, talk
from tests.unit.town import AUTHOR, GUILD, Town, town

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from storage.records import Battle

VOTERS = tuple(range(2**60 + 10, 2**60 + 18))
SECRETIVE = 2**60 + 99
"""Agreed to statistics, and not to be published."""

HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror="alert(1)" style="color:red">',
    "<!-- <script> --> {{ 7 * 7 }} {% raw %}",
    "\x1b[31mred\x1b[0m \x9b2J",
    "\u202ereversed \u2066 \u2028 line",
)


async def closed(
    at: Town,
    asked: str,
    *texts: str,
    author: int = AUTHOR,
    votes: tuple[int | Outcome, ...] = (0, 0, 1, 1, 1, 1, 1, Outcome.TIE),
    when: datetime = NOON,
) -> Battle:
    """A closed battle, on which the first of VOTERS gave these votes."""
    turns = (said(f"Alice says: {asked}", by=author, name="Alice"),)
    battle = await at.battle(*texts, author=author, conversation=talk(*turns))
    for voter, choice in zip(VOTERS, votes, strict=False):
        await at.vote(battle, voter, choice)
    await at.store.battles.close(battle.id, because=Closing.VOTES, at=when)
    return battle


async def fair(home: Path, *, battles: int = 30) -> None:
    """Fill a data folder: everybody agreed to be published but SECRETIVE."""
    async with town(home) as at:
        await at.store.guilds.update(GUILD, "consent_cap", "publish", by=1, at=NOON)
        await at.agree(AUTHOR, *VOTERS, scope=Consent.PUBLISH)
        await at.agree(SECRETIVE, scope=Consent.EVALUATE)
        for number in range(battles):
            hostile = HOSTILE[number % len(HOSTILE)]
            asked = f"number {number} about cats, {hostile}"
            await closed(at, asked, f"purr {hostile}", f"Certainly, <@{AUTHOR}> and Alice.")
        await closed(at, "an unpublished secret", "hush", "quiet", author=SECRETIVE)
        # evenly divided
        await closed(at, "tea or coffee", "tea", "coffee", votes=(0, 1, 0, 1))
        said_before = talk(bot_said("Hello."), said("unfinished business", by=AUTHOR, name="Alice"))
        await at.battle("open", "still", conversation=said_before)
