"""Pictures of what the votes say, for Discord (`png`) and for a page (`svg`).

matplotlib is loaded when the first one is drawn, and no sooner. All of them may be drawn in
threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.insight.plots.course import course
from bot.insight.plots.days import votes_by_day
from bot.insight.plots.descent import generations
from bot.insight.plots.leaderboard import leaderboard
from bot.insight.plots.meetings import meetings
from bot.insight.plots.moving import moving_picture
from bot.insight.plots.sheet import Picture
from bot.insight.plots.stats import agreement, blinding, effects, overview, places

if TYPE_CHECKING:
    from bot.insight.results import Leaderboard, Stats

__all__ = [
    "Picture",
    "agreement",
    "blinding",
    "course",
    "effects",
    "generations",
    "leaderboard",
    "meetings",
    "moving_picture",
    "overview",
    "picture_of_leaderboard",
    "picture_of_stats",
    "places",
    "votes_by_day",
]


def picture_of_leaderboard(board: Leaderboard) -> bytes:
    """Who is ahead, and whether tuned contenders got better, as a PNG for Discord."""
    picture = leaderboard(board)
    if board.descent:
        picture = picture.above(generations(board.descent))
    return picture.png()


def picture_of_stats(stats: Stats) -> bytes:
    """What else is in the votes, as a PNG for Discord."""
    return overview(stats).png()
