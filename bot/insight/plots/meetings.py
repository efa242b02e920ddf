"""Who beats whom, as a table of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.insight.plots.leaderboard import MOST, NOTHING, draw_nothing
from bot.insight.plots.rows import percent
from bot.insight.plots.sheet import LEADING, Picture
from bot.insight.plots.theme import MARGIN, SMALL, WIDTH
from bot.insight.results import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.insight.plots.sheet import Sheet
    from bot.insight.results import Leaderboard

    Corners = tuple[float, float, float, float]
    Shares = Mapping[tuple[str, str], Estimate]

EVEN = 0.5
NAMES = 280
WIDEST, LOWEST = 96, 44
"""Of a cell, in pixels."""

FIGURES = 40
"""Cells narrower than that have no number in them."""


def meetings(board: Leaderboard) -> Picture:
    """Each row's share of decided votes against each column; filled where the row is ahead."""
    names = [line.entrant.slug for line in board.lines[:MOST]]
    shares: dict[tuple[str, str], Estimate] = {}
    for meeting in board.meetings:
        ahead = meeting.ahead
        if 0 <= ahead.value <= 1:
            behind = Estimate(1 - ahead.value, 1 - ahead.high, 1 - ahead.low)
            shares[meeting.first, meeting.second] = ahead
            shares[meeting.second, meeting.first] = behind
    words = " ".join(
        f"{first} wins {percent(share.value)} of decided votes against {second}."
        for (first, second), share in shares.items()
        if (share.value, first) > (EVEN, second)
    )
    return Picture(
        name="meetings",
        title="Who beats whom",
        words=words or f"{NOTHING}.",
        draw=lambda sheet, top: (
            _draw(sheet, top, names, shares) if shares else draw_nothing(sheet, top)
        ),
    )


def _draw(sheet: Sheet, top: float, names: Sequence[str], shares: Shares) -> float:
    quiet = sheet.theme.quiet
    labels = [sheet.broken(name, NAMES, SMALL) for name in names]
    number = sheet.width("00 ", SMALL)
    widest = max(sheet.width(line, SMALL) for label in labels for line in label)
    left = MARGIN + number + widest + 16
    cell = min(WIDEST, (WIDTH - MARGIN - left) / len(names))
    every = 1 if cell > sheet.width("00", SMALL) else 2
    for column in range(0, len(names), every):
        x = left + cell * (column + 0.5)
        sheet.text(x, top + SMALL * 0.7, f"{column + 1}", size=SMALL, colour=quiet, across="center")
    top += SMALL * 1.6
    for row, (name, label) in enumerate(zip(names, labels, strict=True)):
        bottom = top + max(LOWEST, len(label) * SMALL * LEADING + 8)
        middle = (top + bottom) / 2
        sheet.text(MARGIN, middle, f"{row + 1}", size=SMALL, colour=quiet)
        sheet.lines(MARGIN + number, middle, label, size=SMALL)
        for column, other in enumerate(names):
            corners = (left + cell * column, top, left + cell * (column + 1), bottom)
            if row == column:
                sheet.box(_within(corners, 1.5), fill=sheet.theme.faint)
            elif share := shares.get((name, other)):
                _draw_cell(sheet, corners, share)
        top = bottom
    return sheet.note(
        top + 6,
        "Share of decided votes (%) that the row won against the column; filled where it is "
        "ahead, and smaller where that may be chance.",
    )


def _draw_cell(sheet: Sheet, corners: Corners, share: Estimate) -> None:
    left, top, right, bottom = corners
    ahead = share.value - EVEN
    chance = share.spans(EVEN)
    if ahead > 0:
        inset = min(7, (right - left) / 4) if chance else 1.5
        opacity = min(0.85, 0.25 + 1.4 * ahead)
        sheet.box(_within(corners, inset), fill=sheet.theme.heat, opacity=opacity)
    if right - left >= FIGURES:
        sheet.text(
            (left + right) / 2, (top + bottom) / 2, f"{100 * share.value:.0f}",
            size=SMALL, bold=not chance, across="center",
            colour=sheet.theme.ink if ahead > 0 else sheet.theme.quiet,
        )  # fmt: skip


def _within(corners: Corners, inset: float) -> Corners:
    left, top, right, bottom = corners
    return left + inset, top + inset, right - inset, bottom - inset
