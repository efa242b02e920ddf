"""What the votes say so far, and what this bot is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.ranking import wilson
from bot.wording import count
from cogs._render.layout import KIND_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from storage.records import Standing

MOST = 14
"""Contenders: a line each of at most 64 characters of name, and two of numbers."""

EMPTY = (
    "No battle with votes has closed yet. Press a button under the answers: votes count here "
    "once their battle closes."
)
BLIND = "No vote is counted yet: counted are those that were given before the reveal."


def leaderboard(standings: Sequence[Standing], *, not_blind: int) -> str:
    """Counts and intervals, in words; the first ones, where a message does not hold all."""
    if not standings:
        return "\n".join((BLIND if not_blind else EMPTY, *_not_counted(not_blind)))
    ranked = sorted(standings, key=_win_share, reverse=True)
    lines = ["### Leaderboard", *(_standing(standing) for standing in ranked[:MOST])]
    if len(ranked) > MOST:
        lines.append(f"-# And {count(len(ranked) - MOST, 'contender')} behind these.")
    lines.append("-# A likely range is right 19 times out of 20.")
    return "\n".join((*lines, *_not_counted(not_blind)))


def about(version: str) -> str:
    """What this is, for a member."""
    return f"""\
**Twofold** answers every message twice, with two different language models.
One of them was only taught to continue text, the other to be an assistant. They appear as A \
and B, sides by coin: vote for the better one, then you are told which was which.
Messages that start with `//` are not answered.
What is kept of you, and for what, is yours to say: `/privacy`.
-# Twofold {version} · Apache-2.0"""


def _not_counted(not_blind: int) -> Iterator[str]:
    if not_blind:
        were = "was" if not_blind == 1 else "were"
        yield f"-# {count(not_blind, 'vote')} {were} given after the reveal and not counted."


def _standing(standing: Standing) -> str:
    name = f"**{discord.utils.escape_markdown(standing.contender)}** · {KIND_NAMES[standing.kind]}"
    rest = f"-# {count(standing.ties, 'tie')}, {standing.both_bad} times both bad"
    return f"{name}\n{_ahead(standing.wins, standing.wins + standing.losses)}\n{rest}"


def _ahead(wins: int, decided: int) -> str:
    if not decided:
        return "neither ahead nor behind yet"
    interval = wilson(wins, decided)
    low, high = (round(bound * decided) for bound in (interval.low, interval.high))
    evenly_matched = interval.low <= 0.5 <= interval.high  # noqa: PLR2004 - even odds
    verdict = ": too few votes to tell" if evenly_matched else ""
    return f"ahead in {wins} of {count(decided, 'vote')}, {low} to {high} likely{verdict}"


def _win_share(standing: Standing) -> float:
    decided = standing.wins + standing.losses
    return standing.wins / decided if decided else 0.0
