"""Scores over time: one chart for a few contenders, a strip for each of many."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bot.insight.plots.leaderboard import MEAN, MOST, NOTHING, draw_nothing, key_of
from bot.insight.plots.rows import GAP, NAMES, draw_key
from bot.insight.plots.sheet import LEADING, Picture
from bot.insight.plots.theme import MARGIN, SMALL, TEXT, WIDTH, colour_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from bot.insight.plots.sheet import Sheet
    from bot.insight.results import Course
    from storage.records import Kind

    Scores = Mapping[str, Sequence[float]]
    Kinds = Mapping[str, Kind]

TITLE = "Scores over time (Elo)"
FEW = 6
"""Contenders whose lines can still be told apart in one chart."""

HEIGHT, STRIP = 420, 64
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
"""Of contenders of one kind, one after the other."""


def course(found: Course, kinds: Kinds) -> Picture:
    """The scores of each contender, the last one the highest first."""
    scores = ranked(found)
    words = " ".join(f"{name}: {path[-1]:.0f} points at the end." for name, path in scores.items())
    few = len(scores) <= FEW

    def draw(sheet: Sheet, top: float) -> float:
        if not scores:
            return draw_nothing(sheet, top)
        bottom = (_draw_chart if few else _draw_strips)(sheet, top, found.days, scores, kinds)
        return draw_key(sheet, bottom, key_of([kinds[name] for name in scores if name in kinds]))

    return Picture(name="course", title=TITLE, words=words or f"{NOTHING}.", draw=draw)


def ranked(found: Course) -> dict[str, tuple[float, ...]]:
    """The paths of those that have a score, by the last one."""
    named = [item for item in found.scores.items() if item[1] and not math.isnan(item[1][-1])]
    return dict(sorted(named, key=lambda item: -item[1][-1])[:MOST])


def reach(scores: Scores) -> tuple[float, float]:
    """From below the lowest score to above the highest."""
    known = [score for path in scores.values() for score in path if not math.isnan(score)]
    low, high = min(*known, MEAN - 20), max(*known, MEAN + 20)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def ticks(low: float, high: float, *, most: int = 6) -> range:
    """Round scores between these."""
    steps = (size * 10**power for power in range(1, 9) for size in (1, 2, 5))
    step = next(step for step in steps if (high - low) / step <= most)
    return range(math.ceil(low / step) * step, math.floor(high) + 1, step)


def day_words(day: date) -> str:
    """`3 Nov 2026`."""
    return f"{day.day} {day:%b %Y}"


def draw_days(sheet: Sheet, y: float, left: float, right: float, days: Sequence[date]) -> float:
    """Name the first day and the last one under a chart; tells where that ends."""
    first, last, quiet = min(days), max(days), sheet.theme.quiet
    y += SMALL * 0.9
    if first == last:
        middle = (left + right) / 2
        sheet.text(middle, y, day_words(first), size=SMALL, colour=quiet, across="center")
    else:
        sheet.text(left, y, day_words(first), size=SMALL, colour=quiet)
        sheet.text(right, y, day_words(last), size=SMALL, colour=quiet, across="right")
    return y + SMALL * 0.8


def _points(
    days: Sequence[date],
    path: Sequence[float],
    across: tuple[float, float],
    up: tuple[float, float, float, float],
) -> tuple[list[float], list[float]]:
    """Pixels of a path between these of the days, and from the top and bottom ones of scores."""
    (left, right), (top, bottom, low, high) = across, up
    span = max(1, (days[-1] - days[0]).days)
    known = [(day, score) for day, score in zip(days, path, strict=True) if not math.isnan(score)]
    xs = [left + (right - left) * (day - days[0]).days / span for day, _ in known]
    ys = [bottom - (bottom - top) * (score - low) / (high - low) for _, score in known]
    return xs, ys


def _draw_chart(
    sheet: Sheet, top: float, days: Sequence[date], scores: Scores, kinds: Kinds
) -> float:
    theme = sheet.theme
    labels = {name: sheet.broken(name, NAMES - 40, SMALL) for name in scores}
    heights = {name: len(lines) * SMALL * LEADING + 8 for name, lines in labels.items()}
    room = max(sheet.width(line, SMALL) for lines in labels.values() for line in lines)
    left, right = MARGIN + sheet.width("0000", SMALL) + 14, WIDTH - MARGIN - room - 44
    top, (low, high) = top + SMALL / 2, reach(scores)
    bottom = top + max(HEIGHT, sum(heights.values()))
    for tick in ticks(low, high):
        y = bottom - (bottom - top) * (tick - low) / (high - low)
        sheet.line([left, right], [y, y], colour=theme.faint, width=1, layer=0)
        sheet.text(left - 10, y, f"{tick}", size=SMALL, colour=theme.quiet, across="right")
    paths = {
        name: _points(days, path, (left, right), (top, bottom, low, high))
        for name, path in scores.items()
    }
    places = apart({name: ys[-1] for name, (_, ys) in paths.items()}, heights, bottom)
    seen: list[Kind | None] = []
    for name, (xs, ys) in paths.items():
        kind = kinds.get(name)
        dash = DASHES[seen.count(kind) % len(DASHES)]
        seen.append(kind)
        _draw_path(sheet, xs, ys, kind=kind, dash=dash)
        sheet.line([xs[-1] + 6, right + 28], [ys[-1], places[name]], colour=theme.quiet, width=1)
        sheet.lines(right + 36, places[name], labels[name], size=SMALL)
    return draw_days(sheet, bottom, left, right, days)


def _draw_path(
    sheet: Sheet,
    xs: Sequence[float],
    ys: Sequence[float],
    *,
    kind: Kind | None,
    dash: str | tuple[int, tuple[float, ...]] = "-",
) -> None:
    """A rim in ink keeps light and dark lines visible anywhere."""
    if len(xs) == 1:
        sheet.mark(xs[0], ys[0], shape_of(kind), colour=colour_of(kind))
    if dash == "-":
        sheet.line(xs, ys, colour=sheet.theme.ink, width=5)
    sheet.line(xs, ys, colour=colour_of(kind), width=3.5, dash=dash, layer=3)


def apart(
    wanted: Mapping[str, float], heights: Mapping[str, float], bottom: float
) -> dict[str, float]:
    """Where labels go that would stand at these heights: near to them, without touching."""
    placed: dict[str, float] = {}
    edge = -math.inf
    for name in sorted(wanted, key=lambda name: wanted[name]):
        placed[name] = max(edge + heights[name] / 2, wanted[name])
        edge = placed[name] + heights[name] / 2
    edge = bottom + SMALL
    for name in sorted(placed, key=lambda name: -placed[name]):
        placed[name] = min(placed[name], edge - heights[name] / 2)
        edge = placed[name] - heights[name] / 2
    return placed


def _draw_strips(
    sheet: Sheet, top: float, days: Sequence[date], scores: Scores, kinds: Kinds
) -> float:
    theme, (low, high) = sheet.theme, reach(scores)
    labels = {name: sheet.broken(name, NAMES) for name in scores}
    left = MARGIN + 2 * GAP + max(sheet.width(line) for lines in labels.values() for line in lines)
    right = WIDTH - MARGIN - 2 * GAP - sheet.width("0000", bold=True)
    for name, path in scores.items():
        bottom = top + max(STRIP, len(labels[name]) * TEXT * LEADING + 12)
        middle = (top + bottom) / 2
        inner = (middle - STRIP / 2 + 5, middle + STRIP / 2 - 5, low, high)
        even = inner[1] - (inner[1] - inner[0]) * (MEAN - low) / (high - low)
        sheet.line([left, right], [even, even], colour=theme.faint, width=1, layer=0)
        sheet.lines(MARGIN, middle, labels[name])
        xs, ys = _points(days, path, (left, right), inner)
        fill = colour_of(kinds.get(name))
        sheet.area([xs[0], *xs, xs[-1]], [even, *ys, even], fill=fill, opacity=0.4)
        _draw_path(sheet, xs, ys, kind=kinds.get(name))
        words = f"{path[-1]:.0f}"
        sheet.text(WIDTH - MARGIN, middle, words, bold=True, across="right")
        top = bottom
    bottom = draw_days(sheet, top, left, right, days)
    words = f"The line behind each is {MEAN}; heights are from {low:.0f} to {high:.0f}."
    return sheet.note(bottom, words)
