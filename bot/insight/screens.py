"""What was found, on a terminal: first in words, then the exact figures in tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from bot.insight.counting import Weights
from bot.insight.meanings import MEANINGS
from bot.insight.report import tables
from bot.insight.report.words import ahead, percent, place, spoken
from bot.wording import KIND_NAMES, TOO_FEW, count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from bot.insight.report.tables import Cell
    from bot.insight.report.tables import Table as Figures
    from bot.insight.results import Leaderboard, Line, Stats

MEETINGS = 6
"""So many pairs are shown where nobody asks for them."""

_GAP = 2
_GOES_FIRST = (
    "Place as voted",
    "Place without style",
    "Place",
    "Ahead in",
    "Likely between",
    "Battles",
    "Voters",
    "Both bad",
    "Ties",
)
"""What a narrow table does without: the first three are told in words as well."""

_COLOURS = {"base": "yellow", "instruct": "blue", "tuned": "green"}
_WEIGHTS = {
    Weights.CAPPED: "A vote weighs less the more its voter gave: one of n votes counts 1/√n.",
    Weights.EQUAL: "Every vote weighs the same, so that who votes most decides most.",
}


def leaderboard(board: Leaderboard, *, met: bool = False) -> Iterator[RenderableType]:
    """Who is ahead. `met` shows every pair, however many there are."""
    for line in board.lines:
        yield _in_words(line)
    yield ""
    yield _Fitting(tables.ranking(board))
    if (descent := tables.descent(board)) is not None:
        yield ""
        yield _Fitting(descent)
    if board.meetings and (met or 1 < len(board.meetings) <= MEETINGS):
        yield ""
        yield _Fitting(tables.meetings(board))
    yield ""
    yield from _counted(board)


def stats(found: Stats) -> Iterator[RenderableType]:
    """All that puts the ranking into perspective."""
    board = found.leaderboard
    for line in board.lines:
        yield _in_words(line)
    for effect in found.effects:
        if effect.alarm:
            advice = f"{effect.meaning} {MEANINGS[effect.name].advice}"
            yield f"[bold red]Look into it:[/] {escape(spoken(effect.name))}. {escape(advice)}"
    for figures in _figures(found):
        yield ""
        yield _Fitting(figures)
    yield ""
    if found.agreement is not None:
        yield _agreement(found)
    yield from _counted(board)


def _figures(found: Stats) -> Iterator[Figures]:
    if found.effects:
        yield tables.effects(found.effects)
    if found.blinding is not None:
        yield tables.blinding(found.blinding)
    for what, there in (
        ("Topic", found.topics),
        ("Language", found.languages),
        ("Template", found.templates),
    ):
        if there:
            caption = f"Base models against others, by {what.lower()}"
            yield tables.places(what.lower(), what, caption, there)
    if (styled := tables.styled(found)) is not None:
        yield styled


def _in_words(line: Line) -> str:
    said = ahead(line.ahead) if line.told else TOO_FEW
    colour = _COLOURS[line.entrant.kind]
    slug = escape(line.entrant.slug)
    return f"{place(line):>7}  [bold {colour}]{slug}[/] ({KIND_NAMES[line.entrant.kind]}): {said}"


def _agreement(found: Stats) -> str:
    agreeing = found.agreement
    if agreeing is None or not agreeing.pairwise.known:
        return f"How far voters agree: {TOO_FEW}."
    words = f"Two voters of a battle say the same in {percent(agreeing.pairwise.value)} of cases"
    if agreeing.alpha == agreeing.alpha:
        words += f"; Krippendorff’s alpha is {agreeing.alpha:.2f}"
    if agreeing.split:
        first = ", ".join(map(str, agreeing.split[:MEETINGS]))
        words += f". Voters are evenly divided on the battles {first}"
        words += " and others" if len(agreeing.split) > MEETINGS else ""
    return f"{words}."


def _counted(board: Leaderboard) -> Iterator[str]:
    """What the figures rest on, and what they leave out."""
    voters = count(board.voters, "voter")
    what = "simulated vote" if board.counting.simulated else "blind vote"
    yield (
        f"Counted: {count(board.votes, what)} of {voters} on {count(board.battles, 'battle')}"
        f", {board.first_day} to {board.last_day}. {_WEIGHTS[board.counting.weights]}"
    )
    yield f"Two contenders that are equally good tie in {percent(board.tie)} of votes."
    left_out = sorted(board.not_counted.items(), key=lambda item: -item[1])
    if left_out:
        reasons = ", ".join(f"{votes:,} {spoken(reason)}" for reason, votes in left_out)
        yield f"Votes that are not counted: {reasons}."
    yield "Likely ranges hold in 95 of 100 cases and take the votes of one voter together."


@dataclass(frozen=True, slots=True)
class _Fitting:
    """A table that leaves columns away where the terminal is too narrow for all of them."""

    figures: Figures

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        figures = self.figures
        kept = list(range(len(figures.columns)))
        widths = [_width(figures, index) for index in kept]
        for name in _GOES_FIRST:
            if sum(widths[index] for index in kept) <= options.max_width + _GAP:
                break
            kept = [index for index in kept if figures.columns[index] != name]
        yield _table(figures, kept)


def _table(figures: Figures, kept: Sequence[int]) -> Table:
    table = Table(
        title=figures.caption,
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, _GAP, 0, 0),
    )
    rows = figures.rows
    for index in kept:
        numbers = bool(rows) and all(row[index].is_number for row in rows)
        table.add_column(
            figures.columns[index],
            justify="right" if numbers else "left",
            no_wrap=index == 0,
            vertical="bottom",
        )
    for row in rows:
        table.add_row(*(_cell(row[index]) for index in kept))
    return table


def _width(figures: Figures, index: int) -> int:
    """Of a column whose heading may be broken between words, with the gap after it."""
    words = figures.columns[index].split()
    return max(map(len, (*words, *(row[index].text for row in figures.rows)))) + _GAP


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.mark == "alarm":
        return f"[bold red]{text}[/]"
    return f"[{_COLOURS[cell.kind]}]{text}[/]" if cell.kind else text
