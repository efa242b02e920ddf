"""What was found, as tables of text: every cell as it is read, with what it is sorted by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.insight.report.words import (
    interval,
    moved_by,
    percent,
    place,
    points,
    points_between,
    spoken,
)
from bot.insight.results import Estimate
from bot.wording import KIND_NAMES, TOO_FEW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bot.insight.results import (
        Agreeing,
        Blinding,
        Effect,
        Generation,
        Leaderboard,
        Line,
        Place,
        Stats,
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """`by` is what it is sorted by; numbers stand on the right, `quiet` ones are small print.

    `note` stands below, `kind` colours a contender, `mark` is `alarm` or `fine`.
    """

    text: str
    by: float | str | None = None
    quiet: bool = False
    note: str = ""
    kind: str = ""
    mark: str = ""

    @property
    def is_number(self) -> bool:
        return isinstance(self.by, float)

    @property
    def key(self) -> str:
        """What a script sorts by; nothing for what is not known."""
        if isinstance(self.by, float):
            return repr(self.by) if math.isfinite(self.by) else ""
        return self.text if self.by is None else self.by


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first cell of a row is its name. `sorted_by` is the column that the rows go by."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sorted_by: int | None = None
    rising: bool = False


def ranking(board: Leaderboard) -> Table:
    """The contenders, the best first."""
    return Table(
        id="ranking",
        caption="Ranking by blind votes, the best first",
        columns=(
            "Contender",
            "Place",
            "Ahead in",
            "Likely between",
            "Score",
            "Likely",
            "Won",
            "Lost",
            "Ties",
            "Both bad",
            "Battles",
            "Voters",
        ),
        rows=tuple(map(_line, board.lines)),
        sorted_by=4,
    )


def _line(line: Line) -> tuple[Cell, ...]:
    return (
        _contender(line),
        Cell(place(line), float(line.best)),
        *_share(line.ahead),
        Cell(points(line.score), float(line.score.value)),
        Cell(points_between(line.score), float(line.score.low), quiet=True),
        *map(
            _whole,
            (line.wins, line.losses, line.ties, line.both_bad, line.battles, line.voters),
        ),
    )


def _contender(line: Line) -> Cell:
    kind = line.entrant.kind
    return Cell(line.entrant.slug, note=KIND_NAMES[kind], kind=kind.value)


def descent(board: Leaderboard) -> Table | None:
    """Each line of descent, generation by generation; None where no tuned contender is ranked."""
    columns = (
        "Line of descent",
        "Generation",
        "Score",
        "Likely",
        "Ahead of its parent in",
        "Likely between",
        "Decided votes",
    )
    rows = tuple(_generation(one) for line in board.descent for one in line)
    caption = "Tuned contenders, each after what it was trained from"
    return Table(id="descent", caption=caption, columns=columns, rows=rows) if rows else None


def _generation(one: Generation) -> tuple[Cell, ...]:
    kind = one.entrant.kind
    against = one.over_parent or Estimate(math.nan, math.nan, math.nan)
    share = _share(against) if one.decided else (Cell("–", math.nan), Cell("–", math.nan))
    return (
        Cell(f"{'→ ' * bool(one.generation)}{one.entrant.slug}", kind=kind.value),
        _whole(one.generation),
        Cell(points(one.score), float(one.score.value)),
        Cell(points_between(one.score), float(one.score.low), quiet=True),
        *share,
        _whole(one.decided),
    )


def meetings(board: Leaderboard) -> Table:
    """Each pair that met."""
    rows = tuple(
        (
            Cell(meeting.first),
            Cell(meeting.second),
            *_share(meeting.ahead),
            *map(_whole, (meeting.wins, meeting.losses, meeting.undecided)),
        )
        for meeting in board.meetings
    )
    columns = ("First", "Second", "First ahead in", "Likely between", "Won", "Lost", "Undecided")
    return Table(
        id="meetings", caption="Who met whom, and how that went", columns=columns, rows=rows
    )


def styled(stats: Stats) -> Table | None:
    """The ranking beside the one without what length and markup do; None where there is none."""
    if stats.styled is None:
        return None
    plain = {line.entrant.slug: line for line in stats.leaderboard.lines}
    rows = tuple(
        (
            _contender(line),
            Cell(points(plain[line.entrant.slug].score), plain[line.entrant.slug].score.value),
            Cell(points(line.score), line.score.value),
            Cell(points_between(line.score), line.score.low, quiet=True),
            Cell(place(plain[line.entrant.slug]), float(plain[line.entrant.slug].best)),
            Cell(place(line), float(line.best)),
        )
        for line in stats.styled.lines
        if line.entrant.slug in plain
    )
    columns = (
        "Contender",
        "Score as voted",
        "Without style",
        "Likely",
        "Place as voted",
        "Place without style",
    )
    return Table(
        id="styled",
        caption="The same votes with the part of length and markup taken out",
        columns=columns,
        rows=rows,
        sorted_by=2,
    )


def effects(found: Iterable[Effect]) -> Table:
    """What moves votes besides the models."""
    rows = tuple(
        (
            Cell(moved_by(effect.name), note=effect.meaning),
            Cell(percent(effect.estimate.value), effect.estimate.value),
            Cell(interval(effect.estimate), effect.estimate.low, quiet=True),
            Cell(percent(effect.neutral), effect.neutral),
            _whole(effect.votes),
            _verdict(effect),
        )
        for effect in found
    )
    columns = ("Effect", "Share", "Likely between", "Without it", "Votes", "Verdict")
    return Table(
        id="effects", caption="What moves votes besides the models", columns=columns, rows=rows
    )


def _verdict(effect: Effect) -> Cell:
    if effect.alarm:
        return Cell("look into it", "0", mark="alarm")
    if not effect.estimate.known:
        return Cell(TOO_FEW, "2", quiet=True)
    return Cell("no alarm", "1", mark="fine")


def blinding(found: Blinding) -> Table:
    """Votes for the base model, by what voters took for it."""
    counts = {"right": found.right, "wrong": found.wrong, "not sure": found.not_sure}
    rows = tuple(
        (
            Cell(_GUESSES.get(name, name)),
            _whole(counts[name.replace("_", " ")])
            if name.replace("_", " ") in counts
            else Cell("–"),
            *_share(estimate),
        )
        for name, estimate in found.preferred.items()
    )
    return Table(
        id="blinding",
        caption="Decided votes for the base model, by what the voter took for it",
        columns=("Guess", "Guesses", "For the base model", "Likely between"),
        rows=rows,
    )


_GUESSES = {"right": "guessed right", "wrong": "guessed wrong", "not_sure": "not sure"}


def channels(found: Mapping[int, Agreeing], name: Callable[[int], str]) -> Table:
    """Agreement by channel; `name` is what a channel's id leaves as."""
    rows = tuple(
        (
            Cell(name(channel)),
            Cell(_alpha(agreeing.alpha), agreeing.alpha),
            *_share(agreeing.pairwise),
            _whole(agreeing.battles),
        )
        for channel, agreeing in sorted(found.items(), key=lambda item: -item[1].battles)
    )
    columns = (
        "Channel (hashed)",
        "Krippendorff’s alpha",
        "Pairs of voters that agree",
        "Likely between",
        "Battles",
    )
    return Table(
        id="channels",
        caption="How far voters of the same battle agree, by channel",
        columns=columns,
        rows=rows,
        sorted_by=4,
    )


def _alpha(alpha: float) -> str:
    return f"{alpha:.2f}".replace("-", "−") if math.isfinite(alpha) else "–"


def places(id: str, what: str, caption: str, found: Sequence[Place]) -> Table:  # noqa: A002
    """The base models, by topic or the like."""
    rows = tuple(
        (
            Cell(place_.name),
            *_share(place_.ahead),
            _whole(place_.votes),
            _whole(place_.battles),
        )
        for place_ in found
    )
    columns = (what, "Base model ahead in", "Likely between", "Votes", "Battles")
    return Table(id=id, caption=caption, columns=columns, rows=rows)


def days(stats: Stats) -> Table:
    """Votes by day, the newest first."""
    rows = tuple(
        (Cell(day.isoformat()), _whole(votes)) for day, votes in reversed(stats.votes_by_day)
    )
    return Table(
        id="days",
        caption="Votes by the day on which their battle closed",
        columns=("Day", "Votes"),
        rows=rows,
        sorted_by=0,
    )


def course(stats: Stats) -> Table:
    """The moving scores on the last day, and how far they went."""
    rows = []
    for slug, scores in stats.course.scores.items():
        told = [score for score in scores if math.isfinite(score)]
        if told:
            figures = (told[0], min(told), max(told), told[-1])
            rows.append((Cell(slug), *(Cell(f"{score:,.0f}", score) for score in figures)))
    rows.sort(key=lambda row: -float(row[-1].by or 0))
    return Table(
        id="course",
        caption="The moving score (Elo), the last one highest first",
        columns=("Contender", "First day", "Lowest", "Highest", "Last day"),
        rows=tuple(rows),
        sorted_by=4,
    )


def not_counted(board: Leaderboard) -> Table:
    """What was left out, by reason."""
    rows = tuple(
        (Cell(spoken(reason)), _whole(votes))
        for reason, votes in sorted(board.not_counted.items(), key=lambda item: -item[1])
    )
    return Table(
        id="not-counted",
        caption="Votes that were not counted, by reason",
        columns=("Reason", "Votes"),
        rows=rows,
        sorted_by=1,
    )


def _share(estimate: Estimate) -> tuple[Cell, Cell]:
    return (
        Cell(percent(estimate.value), float(estimate.value)),
        Cell(interval(estimate), float(estimate.low), quiet=True),
    )


def _whole(number: int) -> Cell:
    return Cell(f"{number:,}", float(number))
