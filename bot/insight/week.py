"""What a channel's week was like: who is ahead there, and which battles to look at again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bot.insight.agreement import tally
from bot.insight.arena import NOBODY, A, B
from bot.insight.choosing import chosen, counted
from bot.insight.counting import Counting
from bot.insight.leaderboard import leaderboard
from bot.insight.places import for_base
from bot.insight.results import Week

if TYPE_CHECKING:
    from datetime import date

    from bot.insight.arena import Arena
    from bot.insight.results import Line

UPSET_VOTES = 2
"""Votes that a winner has at least whose win is called an upset."""


def week(arena: Arena, channel_id: int, since: date, until: date) -> Week:
    """A channel's live battles that closed from `since` to `until`, and the blind votes on them.

    Scores are those of the channel's server up to `until`, and of contenders whose scores say
    something.
    """
    here = arena.channel == channel_id
    counting = Counting(guilds=tuple(np.unique(arena.guild[here]).tolist()), until=until)
    live = counted(chosen(arena, replace(counting, channels=(channel_id,), since=since)), counting)
    lines: list[Line] = []
    if len(live.of):
        met = {live.entrants[at].slug for at in np.unique(live.contender[live.of])}
        board = leaderboard(arena, counting)
        lines = [line for line in board.lines if line.told and line.entrant.slug in met]
        lines.sort(key=lambda line: -line.score.value)
    known = live.voter[live.voter != NOBODY]
    return Week(
        battles=len(live.battle),
        votes=len(live.of),
        voters=len(np.unique(known)),
        upset=_upset(live, lines),
        base=_base(live),
        closest=_closest(lines),
        ahead=lines[0].entrant.slug if lines else None,
    )


def _upset(live: Arena, lines: list[Line]) -> int | None:
    """The battle whose winner had the lower score by the most; then the clearest win."""
    scores = np.full(len(live.entrants) + 1, np.nan)
    at = {entrant.slug: index for index, entrant in enumerate(live.entrants)}
    for line in lines:
        scores[at[line.entrant.slug]] = line.score.value
    counts = tally(live)
    margin = counts[:, A] - counts[:, B]
    scored = scores[live.contender]
    behind = np.sign(margin) * (scored[:, 1] - scored[:, 0])
    upsets = np.flatnonzero((behind > 0) & (counts[:, : B + 1].max(axis=1) >= UPSET_VOTES))
    if not len(upsets):
        return None
    order = np.lexsort((np.abs(margin[upsets]), behind[upsets]))
    return int(live.battle[upsets[order[-1]]])


def _base(live: Arena) -> int | None:
    """The battle with the most votes for a base model's answer, then the fewest against."""
    decide, hits = for_base(live)
    size = len(live.battle)
    won = np.bincount(live.of[decide][hits], minlength=size)
    lost = np.bincount(live.of[decide][~hits], minlength=size)
    if not won.any():
        return None
    return int(live.battle[np.lexsort((-lost, won))[-1]])


def _closest(lines: list[Line]) -> tuple[str, str] | None:
    """Neighbours in the ranking; the one ahead comes first."""
    gaps = [
        (one.score.value - other.score.value, one.entrant.slug, other.entrant.slug)
        for one, other in pairwise(lines)
    ]
    return min(gaps)[1:] if gaps else None
