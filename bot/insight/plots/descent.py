"""Scores over generations: each tuned contender after what it was trained from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.insight.plots.course import DASHES, apart, reach, ticks
from bot.insight.plots.leaderboard import draw_nothing, key_of
from bot.insight.plots.rows import LIKELY, NAMES, draw_key
from bot.insight.plots.sheet import LEADING, Picture
from bot.insight.plots.theme import MARGIN, SMALL, WIDTH, colour_of, shape_of
from bot.wording import TOO_FEW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.insight.plots.sheet import Sheet
    from bot.insight.results import Generation

    Lines = Sequence[Sequence[Generation]]

TITLE = "Score over generations"
MOST = 6
"""Lines whose marks can still be told apart."""

HEIGHT = 360
BESIDE = 22
"""Pixels between the marks of two lines in one generation."""


def generations(lines: Lines) -> Picture:
    """The points of each generation with their likely ranges, from the base model on."""
    shown = [line for line in lines if any(one.score.known for one in line)][:MOST]
    words = " ".join(_words(one) for one in _each(shown))

    def draw(sheet: Sheet, top: float) -> float:
        if not shown:
            return draw_nothing(sheet, top)
        bottom = _draw_chart(sheet, top, shown)
        if len(lines) > len(shown):
            bottom = sheet.note(bottom, f"{len(lines) - len(shown)} more lines are not shown.")
        key = [*key_of([one.entrant.kind for one in _each(shown)]), ("-", "", LIKELY)]
        return draw_key(sheet, bottom, key)

    return Picture(
        name="generations", title=TITLE, words=words or "Nothing to show yet.", draw=draw
    )


def _each(lines: Lines) -> list[Generation]:
    """Everybody once, although lines may begin with the same ones."""
    return list({one.entrant.slug: one for line in lines for one in line}.values())


def _words(one: Generation) -> str:
    where = f"Generation {one.generation}, {one.entrant.slug}"
    if not one.score.known:
        return f"{where}: {TOO_FEW}."
    score = one.score
    return f"{where}: {score.value:.0f} points, {score.low:.0f} to {score.high:.0f} likely."


def _draw_chart(sheet: Sheet, top: float, lines: Lines) -> float:
    names = {line[-1].entrant.slug: line[-1].entrant.slug for line in lines}
    labels = {slug: sheet.broken(name, NAMES, SMALL) for slug, name in names.items()}
    heights = {slug: len(label) * SMALL * LEADING + 8 for slug, label in labels.items()}
    room = max(sheet.width(words, SMALL) for label in labels.values() for words in label)
    chart = _Chart.of(lines, top + SMALL / 2, sum(heights.values()), beside=room)
    chart.left += sheet.width("0000", SMALL)
    for tick in ticks(chart.low, chart.high):
        y = chart.y(tick)
        sheet.line([chart.left, chart.right], [y, y], colour=sheet.theme.faint, width=1, layer=0)
        words = f"{tick}"
        sheet.text(chart.left - 10, y, words, size=SMALL, colour=sheet.theme.quiet, across="right")
    places = _places(chart, lines)
    ends = {}
    for at, line in enumerate(lines):
        path = [places[one.entrant.slug] for one in line if one.score.known]
        xs, ys = [x for x, _ in path], [chart.y(one.score.value) for _, one in path]
        sheet.line(xs, ys, colour=sheet.theme.quiet, width=3, dash=DASHES[at % len(DASHES)])
        ends[line[-1].entrant.slug] = xs[-1], ys[-1]
    for x, one in places.values():
        _draw_mark(sheet, chart, x, one)
    wanted = apart({slug: y for slug, (_, y) in ends.items()}, heights, chart.bottom)
    for slug, (x, y) in ends.items():
        end = chart.right + 28
        sheet.line([x + 16, end], [y, wanted[slug]], colour=sheet.theme.quiet, width=1)
        sheet.lines(end + 8, wanted[slug], labels[slug], size=SMALL)
    return _draw_generations(sheet, chart)


@dataclass(slots=True, kw_only=True)
class _Chart:
    """Where the marks are drawn: its edges in pixels, from the lowest to the highest points."""

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float
    generations: int

    @classmethod
    def of(cls, lines: Lines, top: float, least: float, *, beside: float) -> _Chart:
        """At least so high, with room `beside` it for names."""
        scores = [one.score for one in _each(lines) if one.score.known]
        low, high = reach({"": [end for score in scores for end in (score.low, score.high)]})
        return cls(
            left=MARGIN + 14,
            right=WIDTH - MARGIN - beside - 44,
            top=top,
            bottom=top + max(HEIGHT, least),
            low=low,
            high=high,
            generations=max(map(len, lines)),
        )

    def x(self, generation: int) -> float:
        """The middle of a generation."""
        return self.left + (self.right - self.left) * (generation + 0.5) / self.generations

    def y(self, points: float) -> float:
        """The height of so many points."""
        return self.bottom - (self.bottom - self.top) * (points - self.low) / (self.high - self.low)


def _places(chart: _Chart, lines: Lines) -> dict[str, tuple[float, Generation]]:
    """Where everybody stands: lines beside each other, but for those who are in several."""
    found: dict[str, tuple[float, Generation]] = {}
    shared = Counter(one.entrant.slug for line in lines for one in line)
    for at, line in enumerate(lines):
        aside = BESIDE * (at - (len(lines) - 1) / 2)
        for one in line:
            if one.score.known:
                x = chart.x(one.generation)
                alone = shared[one.entrant.slug] == 1
                found[one.entrant.slug] = x + aside * alone, one
    return found


def _draw_mark(sheet: Sheet, chart: _Chart, x: float, one: Generation) -> None:
    ends = [chart.y(one.score.low), chart.y(one.score.high)]
    sheet.line([x, x], ends, colour=sheet.theme.ink, width=4)
    for y in ends:
        sheet.line([x - 8, x + 8], [y, y], colour=sheet.theme.ink, width=3)
    kind = one.entrant.kind
    sheet.mark(x, chart.y(one.score.value), shape_of(kind), colour=colour_of(kind))


def _draw_generations(sheet: Sheet, chart: _Chart) -> float:
    y = chart.bottom + SMALL * 0.9
    for number in range(chart.generations):
        words = f"{number}" if number else "untuned"
        sheet.text(chart.x(number), y, words, size=SMALL, colour=sheet.theme.quiet, across="center")
    return sheet.note(y + SMALL * 0.8, "Generations, each trained from the one before.")
