"""Rows of names, each with a mark where its figure is and a whisker as far as it may be off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.insight.plots.sheet import LEADING
from bot.insight.plots.theme import MARGIN, SMALL, TEXT, WIDTH, colour_of, shape_of
from bot.wording import TOO_FEW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.insight.plots.sheet import Sheet
    from bot.insight.results import Estimate
    from storage.records import Kind

ROW = 46
GAP = 18
NAMES = 300
"""Names may take that much of the width; longer ones are broken."""

LIKELY = "likely range"

LEAST = 0.2
"""Of an axis of shares: less would make much of little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`figure` is what stands at the right, `neutral` where the mark would be by chance alone."""

    name: str
    estimate: Estimate
    figure: str = ""
    neutral: float | None = None
    kind: Kind | None = None
    alarm: bool = False
    told: bool = True

    @property
    def sure(self) -> bool:
        """Whether there is a range to draw."""
        return self.told and self.estimate.known


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows under a heading of their own."""

    heading: str = ""
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From `low` to `high`, with names for some values between, and a line where all is even."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    even: float | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Where names end and marks and figures begin; values become pixels."""

    axis: Axis
    left: float
    right: float

    @classmethod
    def of(cls, sheet: Sheet, rows: Sequence[Row], axis: Axis) -> Columns:
        """As narrow as the names allow."""
        lines = [line for row in rows for line in sheet.broken(row.name, NAMES)]
        names = max(sheet.width(line) for line in lines)
        figures = max(sheet.width(row.figure, bold=True) for row in rows)
        return cls(axis, MARGIN + names + 2 * GAP, WIDTH - MARGIN - figures - 2 * GAP)

    def at(self, value: float) -> float:
        """The pixel of this value, at the border where it lies beyond."""
        part = (value - self.axis.low) / (self.axis.high - self.axis.low)
        return self.left + (self.right - self.left) * min(max(part, 0.0), 1.0)


def percent(share: float) -> str:
    """`31 %`."""
    return f"{100 * share:.0f} %"


def share_axis(rows: Iterable[Row], *, even: float | None = 0.5) -> Axis:
    """Per cent, as far as the rows reach."""
    ends = [] if even is None else [even]
    for row in rows:
        ends += [row.estimate.low, row.estimate.high] if row.sure else []
        ends += [] if row.neutral is None or not row.sure else [row.neutral]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    if high - low < LEAST:
        low, high = (low + high - LEAST) / 2, (low + high + LEAST) / 2
    step = next((step for step in (0.05, 0.1, 0.2) if (high - low) / step <= 3.5), 0.25)  # noqa: PLR2004
    low, high = max(0.0, low - step / 4), min(1.0, high + step / 4)
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    ticks = [(at * step, percent(at * step)) for at in numbers]
    return Axis(low=low, high=high, ticks=ticks, even=even)


def draw_rows(
    sheet: Sheet, top: float, groups: Sequence[Group], axis: Axis, *, above: str = ""
) -> float:
    """Draw all groups on one axis; tells where they end. `above` are words over the figures."""
    columns = Columns.of(sheet, [row for group in groups for row in group.rows], axis)
    quiet = sheet.theme.quiet
    told = any(row.sure for group in groups for row in group.rows)
    if axis.even is not None and told:
        y, at = top + SMALL / 2, columns.at(axis.even)
        sheet.text(at, y, "even", size=SMALL, colour=quiet, across="center")
        sheet.text(WIDTH - MARGIN, y, above, size=SMALL, colour=quiet, across="right")
        top += SMALL * 1.2
    for group in groups:
        if group.heading:
            top += GAP * (group is not groups[0])
            sheet.text(MARGIN, top + TEXT * 0.7, group.heading, bold=True)
            top += TEXT * 1.5
        for row in group.rows:
            top = _draw_row(sheet, top, row, columns)
    if not told:
        return top
    for value, words in axis.ticks:
        at = columns.at(value)
        sheet.text(at, top + SMALL * 0.8, words, size=SMALL, colour=quiet, across="center")
    return top + SMALL * 1.7


def _draw_row(sheet: Sheet, top: float, row: Row, columns: Columns) -> float:
    theme = sheet.theme
    lines = sheet.broken(row.name, NAMES)
    bottom = top + max(ROW, len(lines) * TEXT * LEADING + 12)
    middle, right = (top + bottom) / 2, WIDTH - MARGIN
    if not row.sure:
        sheet.lines(MARGIN, middle, lines, colour=theme.quiet)
        sheet.text(right, middle, TOO_FEW, size=SMALL, colour=theme.quiet, across="right")
        return bottom
    _draw_grid(sheet, top, bottom, columns)
    sheet.lines(MARGIN, middle, lines)
    sheet.text(right, middle, row.figure, bold=True, across="right")
    if row.neutral is not None:
        at = columns.at(row.neutral)
        sheet.line([at, at], [middle - 15, middle + 15], colour=theme.quiet, width=3)
    _draw_whisker(sheet, middle, row, columns)
    return bottom


def _draw_grid(sheet: Sheet, top: float, bottom: float, columns: Columns) -> None:
    axis, theme = columns.axis, sheet.theme
    for value, _ in axis.ticks:
        if value != axis.even:
            at = columns.at(value)
            sheet.line([at, at], [top, bottom], colour=theme.faint, width=1, layer=0)
    if axis.even is not None:
        at = columns.at(axis.even)
        sheet.line([at, at], [top, bottom], colour=theme.quiet, dash=(0, (2, 1.5)), layer=1)


def _draw_whisker(sheet: Sheet, y: float, row: Row, columns: Columns) -> None:
    axis, theme = columns.axis, sheet.theme
    ends = (row.estimate.low, row.estimate.high)
    sheet.line([columns.at(end) for end in ends], [y, y], colour=theme.ink, width=4)
    for end, arrow in zip(ends, "<>", strict=True):
        at = columns.at(end)
        if axis.low <= end <= axis.high:
            sheet.line([at, at], [y - 8, y + 8], colour=theme.ink, width=3)
        else:
            sheet.mark(at, y, arrow, colour=theme.ink, size=10)
    shape, colour = ("^", theme.alarm) if row.alarm else (shape_of(row.kind), colour_of(row.kind))
    size = 21 if row.alarm else 17
    sheet.mark(columns.at(row.estimate.value), y, shape, colour=colour, size=size)


def draw_key(sheet: Sheet, top: float, entries: Sequence[tuple[str, str, str]]) -> float:
    """Say what marks mean: shape, colour and words of each; `|` and `-` are lines."""
    theme = sheet.theme
    if not entries:
        return top
    x, y = float(MARGIN), top + SMALL
    for shape, colour, words in entries:
        reach = 36 + sheet.width(words, SMALL)
        if x + reach > WIDTH - MARGIN and x > MARGIN:
            x, y = float(MARGIN), y + SMALL * 1.6
        if shape == "-":
            sheet.line([x + 2, x + 24], [y, y], colour=theme.ink, width=4)
        elif shape == "|":
            sheet.line([x + 13, x + 13], [y - 12, y + 12], colour=theme.quiet, width=3)
        else:
            sheet.mark(x + 13, y, shape, colour=colour)
        sheet.text(x + 36, y, words, size=SMALL, colour=theme.quiet)
        x += reach + 24
    return y + SMALL * 0.7
