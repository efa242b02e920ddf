"""Who is ahead: a row for each contender, or one bar where there are two."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from bot.insight.plots.rows import (
    LIKELY,
    NAMES,
    Axis,
    Group,
    Row,
    draw_key,
    draw_rows,
    percent,
)
from bot.insight.plots.sheet import LEADING, Picture
from bot.insight.plots.theme import (
    MARGIN,
    SMALL,
    TEXT,
    TITLE,
    WIDTH,
    colour_of,
    ink_on,
    shape_of,
)
from bot.wording import TOO_FEW, count
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.insight.plots.sheet import Sheet
    from bot.insight.results import Estimate, Leaderboard, Line

MOST = 20
"""Contenders in one picture."""

PAIR = 2
MEAN = 1000
TICKS = (
    (0.01, 0.1, 0.5, 0.9, 0.99),
    (0.1, 0.25, 0.5, 0.75, 0.9),
    (0.3, 0.4, 0.5, 0.6, 0.7),
)
"""Shares that an axis of points has names for: the finest of these that are not too close."""

CLOSEST = 0.22
"""Two names of an axis, as a part of all of it."""

LEAST = 75
"""Points to each side of the mean that an axis has: less would make much of little."""

NOTHING = "Nothing to show yet"


def leaderboard(board: Leaderboard) -> Picture:
    """Scores with their likely ranges, or the one share that two contenders come down to."""
    draw = {0: draw_nothing, PAIR: lambda sheet, top: _draw_two(sheet, top, board.lines)}
    return Picture(
        name="leaderboard",
        title="Who is ahead",
        about=about(board),
        words=" ".join(_words(line) for line in board.lines[:MOST]) or f"{NOTHING}.",
        draw=draw.get(len(board.lines), lambda sheet, top: _draw_many(sheet, top, board)),
    )


def about(board: Leaderboard) -> str:
    """What was counted, in a line."""
    if not board.votes:
        return ""
    votes, voters = count(board.votes, "vote"), count(board.voters, "voter")
    counted = f"{votes} by {voters} on {count(board.battles, 'battle')}"
    return f"Simulated: {counted}" if board.counting.simulated else counted


def draw_nothing(sheet: Sheet, top: float) -> float:
    """Say that there is nothing, and when there will be."""
    middle = top + 2 * TITLE
    words = "Votes count once their battle has closed."
    quiet = sheet.theme.quiet
    sheet.text(WIDTH / 2, middle, NOTHING, bold=True, across="center")
    sheet.text(WIDTH / 2, middle + TEXT * 1.6, words, size=SMALL, colour=quiet, across="center")
    return middle + TEXT * 1.6 + TITLE


def key_of(kinds: Sequence[Kind]) -> list[tuple[str, str, str]]:
    """The marks of these kinds, for a key."""
    return [(shape_of(kind), colour_of(kind), f"{kind} model") for kind in Kind if kind in kinds]


def _words(line: Line) -> str:
    name, score = line.entrant.slug, line.score
    if not line.told or math.isnan(score.low):
        return f"{name}: {TOO_FEW}."
    return f"{name}: {score.value:.0f} points, {score.low:.0f} to {score.high:.0f} likely."


def _draw_many(sheet: Sheet, top: float, board: Leaderboard) -> float:
    rows = [
        Row(
            name=line.entrant.slug,
            estimate=line.score,
            figure=f"{line.score.value:.0f}",
            kind=line.entrant.kind,
            told=line.told,
        )
        for line in board.lines[:MOST]
    ]
    bottom = draw_rows(sheet, top, [Group(rows=rows)], _axis(rows), above="points")
    told = any(row.sure for row in rows)
    words = "Share of decided votes won against an average one." if told else ""
    if len(board.lines) > MOST:
        words += f" {len(board.lines) - MOST} more are behind these."
    kinds = [line.entrant.kind for line in board.lines[:MOST]]
    key = [*key_of(kinds), ("-", "", LIKELY)] if told else []
    return draw_key(sheet, sheet.note(bottom, words.strip()), key)


def _axis(rows: Sequence[Row]) -> Axis:
    """Points, named by the share of votes that so many more of them win.

    One range that is very wide does not squeeze the others: it ends in an arrow.
    """
    told = [row.estimate for row in rows if row.sure]
    room = 2 * max((abs(estimate.value - MEAN) for estimate in told), default=0) + 150
    below = min(room, max(LEAST, *(MEAN - estimate.low for estimate in told), 0))
    above = min(room, max(LEAST, *(estimate.high - MEAN for estimate in told), 0))
    low, high = MEAN - 1.05 * below, MEAN + 1.05 * above
    names = [{MEAN + _points(share): percent(share) for share in shares} for shares in TICKS]
    apart = [min(b - a for a, b in pairwise(named)) >= CLOSEST * (high - low) for named in names]
    finest = max((at for at, far in enumerate(apart) if far), default=0)
    ticks = [(at, words) for at, words in names[finest].items() if low <= at <= high]
    return Axis(low=low, high=high, ticks=ticks, even=MEAN)


def _points(share: float) -> float:
    """How many points more win this share of decided votes: 400 make ten to one."""
    return 400 * math.log10(share / (1 - share))


def _draw_two(sheet: Sheet, top: float, lines: Sequence[Line]) -> float:
    """The first one's share from the left, the other's from the right."""
    theme, left, right = sheet.theme, MARGIN, WIDTH - MARGIN
    middle = (left + right) / 2
    top = _draw_names(sheet, top, [line.entrant.slug for line in lines]) + 32
    bottom = top + 92
    told = lines[0].told and math.isfinite(lines[0].ahead.low)
    if told:
        _draw_shares(sheet, (top, bottom), lines)
        under = ink_on(colour_of(lines[lines[0].ahead.value < 0.5].entrant.kind))  # noqa: PLR2004
        sheet.line([middle, middle], [top, bottom], colour=under, dash=(0, (2, 1.5)))
    else:
        sheet.box((left, top, right, bottom), fill=theme.faint)
        sheet.text(middle, bottom + 34, TOO_FEW, size=SMALL, colour=theme.quiet, across="center")
    sheet.line([middle, middle], [top - 10, top], colour=theme.ink)
    sheet.text(middle, top - 20, "even", size=SMALL, colour=theme.quiet, across="center")
    bottom += 34 + SMALL / 2
    if told:
        bottom = _draw_range(sheet, bottom - SMALL, lines[0].ahead)
    first = lines[0]
    decided, ties = count(first.wins + first.losses, "decided vote"), count(first.ties, "tie")
    bottom = sheet.note(bottom + 10, f"{decided}, {ties}, {first.both_bad:,} times both bad.")
    return draw_key(sheet, bottom, key_of([line.entrant.kind for line in lines]))


def _draw_names(sheet: Sheet, top: float, names: Sequence[str]) -> float:
    broken = [sheet.broken(name, NAMES + 50) for name in names]
    bottom = top + max(len(lines) for lines in broken) * TEXT * LEADING
    for lines, x, across in zip(broken, (MARGIN, WIDTH - MARGIN), ("left", "right"), strict=True):
        sheet.lines(x, bottom - len(lines) * TEXT * LEADING / 2, lines, across=across)
    return bottom


def _draw_shares(sheet: Sheet, across: tuple[float, float], lines: Sequence[Line]) -> None:
    left, right = MARGIN, WIDTH - MARGIN
    (top, bottom), share = across, lines[0].ahead.value
    border = left + (right - left) * share
    parts = ((left, border, share, "left", 18), (border, right, 1 - share, "right", -18))
    for line, (start, end, part, side, inset) in zip(lines, parts, strict=True):
        fill, words = colour_of(line.entrant.kind), percent(part)
        sheet.box((start, top, end, bottom), fill=fill)
        if end - start > sheet.width(words, TITLE, bold=True) + 2 * abs(inset):
            x, y = (start if side == "left" else end) + inset, (top + bottom) / 2
            sheet.text(x, y, words, size=TITLE, bold=True, colour=ink_on(fill), across=side)
    sheet.line([border, border], [top, bottom], colour=sheet.theme.ink, width=3)


def _draw_range(sheet: Sheet, y: float, ahead: Estimate) -> float:
    theme, left, right = sheet.theme, MARGIN, WIDTH - MARGIN
    low, at, high = (
        left + (right - left) * share for share in (ahead.low, ahead.value, ahead.high)
    )
    sheet.line([low, high], [y, y], colour=theme.ink, width=4)
    for end in (low, high):
        sheet.line([end, end], [y - 9, y + 9], colour=theme.ink, width=3)
    sheet.mark(at, y, "o", colour=theme.ink, size=13)
    words = f"{100 * ahead.low:.0f} to {percent(ahead.high)} likely"
    half = sheet.width(words, SMALL) / 2
    x = min(max((low + high) / 2, left + half), right - half)
    sheet.text(x, y + 32, words, size=SMALL, colour=theme.quiet, across="center")
    return y + 32 + SMALL / 2
