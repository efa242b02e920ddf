"""All that is found of some votes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bot.insight.agreement import agreement, by_channel
from bot.insight.blinding import blinding
from bot.insight.choosing import chosen, counted
from bot.insight.course import course
from bot.insight.effects import effects
from bot.insight.leaderboard import leaderboard
from bot.insight.places import places
from bot.insight.results import Stats

if TYPE_CHECKING:
    from datetime import date

    from bot.insight.arena import Arena
    from bot.insight.counting import Counting


def stats(arena: Arena, counting: Counting) -> Stats:
    """The ranking, with and without style, and everything that puts it into perspective."""
    there = chosen(arena, counting)
    live = counted(there, counting)
    return Stats(
        leaderboard=leaderboard(there, counting),
        styled=None if counting.style else leaderboard(there, replace(counting, style=True)),
        effects=effects(there, counting),
        blinding=blinding(live, counting),
        agreement=agreement(live, counting),
        channels=by_channel(live, counting),
        topics=places(live, counting, "topic"),
        languages=places(live, counting, "language"),
        templates=places(live, counting, "template"),
        course=course(live, counting),
        votes_by_day=_by_day(live),
    )


def _by_day(live: Arena) -> tuple[tuple[date, int], ...]:
    days, votes = np.unique(live.day[live.of], return_counts=True)
    return tuple(zip(days.astype("datetime64[D]").tolist(), votes.tolist(), strict=True))
