"""How many votes there were, day by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.insight.plots.course import day_words, draw_days
from bot.insight.plots.leaderboard import NOTHING, draw_nothing
from bot.insight.plots.sheet import Picture
from bot.insight.plots.theme import MARGIN, SMALL, WIDTH
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from bot.insight.plots.sheet import Sheet

HEIGHT = 260
MOST_LINES = 4
THIN = 4
"""Bars that are no wider than that, in pixels, touch each other."""


def votes_by_day(days: Sequence[tuple[date, int]]) -> Picture:
    """A bar for each day; days that are left out had no votes."""
    votes = {day: number for day, number in days if number}
    words = f"{NOTHING}."
    if votes:
        words = (
            f"{count(sum(votes.values()), 'vote')} from {day_words(min(votes))} to "
            f"{day_words(max(votes))}, at most {max(votes.values()):,} on a day."
        )
    return Picture(
        name="days",
        title="Votes by day",
        words=words,
        draw=lambda sheet, top: _draw(sheet, top, votes) if votes else draw_nothing(sheet, top),
    )


def _draw(sheet: Sheet, top: float, votes: Mapping[date, int]) -> float:
    theme, first, most = sheet.theme, min(votes), max(votes.values())
    lines = _lines(most)
    room = sheet.width(f"{lines[-1]:,}", SMALL)
    left, right = MARGIN + room + 14, WIDTH - MARGIN
    top, bottom = top + SMALL / 2, top + SMALL / 2 + HEIGHT
    for number in lines:
        y = bottom - HEIGHT * number / most
        sheet.line([left, right], [y, y], colour=theme.faint, width=1, layer=0)
        sheet.text(left - 10, y, f"{number:,}", size=SMALL, colour=theme.quiet, across="right")
    wide = (right - left) / ((max(votes) - first).days + 1)
    gap = min(4.0, wide / 8) if wide > THIN else 0.0
    xs, ys = [left], [bottom]
    for day, number in sorted(votes.items()):
        start, end = (left + wide * ((day - first).days + side) for side in (0, 1))
        y = bottom - HEIGHT * number / most
        xs += [start + gap, start + gap, end - gap, end - gap]
        ys += [bottom, y, y, bottom]
    sheet.area(xs, ys, fill=theme.heat)
    sheet.line([left, right], [bottom, bottom], colour=theme.quiet, width=1)
    return draw_days(sheet, bottom, left, right, list(votes))


def _lines(most: int) -> range:
    steps = (size * 10**power for power in range(12) for size in (1, 2, 5))
    return range(0, most + 1, next(step for step in steps if most / step <= MOST_LINES))
