"""Who is ahead, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.answers import utf16_length
from bot.insight.counting import Weights
from bot.wording import KIND_NAMES, TOO_FEW, count
from cogs._render import figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.insight.counting import Counting
    from bot.insight.results import Course, Estimate, Generation, Leaderboard, Line

CLOSE = 3
"""Contenders that are named where any of them may be ahead."""

EVEN = 0.5

ROOM = 3200
"""For the contenders, in UTF-16 units: head and small print have the rest."""

EMPTY = (
    "No battle with votes has closed here yet. Press a button under the answers: votes count "
    "once their battle closes."
)
NONE_CHOSEN = "No votes here are like that yet. Choose a longer time, or all topics."
NONE_COUNTED = "No vote is counted yet."
SIMULATED = "Simulated members: nobody has voted here yet."

ELO = "-# Elo goes with the latest votes: it shows what happened, and ranks nobody."

WHY = {
    "mirror battles": "on mirror battles",
    "control battles": "on control battles",
    "both answers bad": "for neither answer",
}
"""Reasons that need a word more after the number of votes."""


def head(board: Leaderboard) -> str:
    """The answer in a line, and what it is of."""
    if not board.votes:
        empty = NONE_CHOSEN if is_narrowed(board.counting) else EMPTY
        return "\n".join((NONE_COUNTED if board.not_counted else empty, *small_print(board)))
    return "\n".join(("### Leaderboard", verdict(board), *_chosen(board.counting)))


def body(board: Leaderboard, *, exact: bool = False) -> str:
    """A line or two for each contender, as far as there is room, and what was counted."""
    of = figures.out_of(*(line.ahead for line in board.lines if line.told))
    lines: list[str] = []
    room = ROOM
    for place, line in enumerate(board.lines, start=1):
        said = "\n".join(_line(line, place=place, of=of, exact=exact))
        room -= utf16_length(said) + 1
        if room < 0:
            lines.append(f"-# And {count(len(board.lines) - place + 1, 'contender')} behind these.")
            break
        lines.append(said)
    for told, said in enumerate(_descent(board, exact=exact)):
        room -= utf16_length(said) + 1
        if room < 0:
            left = count(len(board.descent) - told, "more line")
            lines.append(f"-# And {left} of descent.")
            break
        lines.append(said)
    if exact:
        lines.append(
            f"-# Two as strong as each other tie in {figures.percent_of(board.tie)} of votes."
        )
    return "\n".join((*lines, *small_print(board)))


def verdict(board: Leaderboard) -> str:
    """Who is ahead, where that can be told."""
    told = [line for line in board.lines if line.told]
    if not told:
        return "Too few votes to tell who is ahead."
    # The best one wins half or more against whomever it meets.
    leading = [line for line in told if line.best == 1 and not line.ahead.high < EVEN]
    if len(leading) == 1:
        return f"{named(leading[0])} is ahead."
    if not 0 < len(leading) <= CLOSE:
        return "Too close to tell who is ahead."
    *others, last = map(named, leading)
    return f"Too close to tell who is ahead: {', '.join(others)} or {last}."


def named(line: Line) -> str:
    """A contender's name, in bold."""
    return f"**{discord.utils.escape_markdown(line.entrant.slug)}**"


def alt(board: Leaderboard) -> str:
    """What the picture is of, for who does not see it."""
    names = ", ".join(line.entrant.slug for line in board.lines)
    beneath = " Beneath, the scores of tuned models over generations." if board.descent else ""
    ahead = f"Who is ahead, the best first: {names}"[:900]
    return f"{ahead}.{beneath} The numbers follow as text."


def alt_of_course(course: Course) -> str:
    """What the moving picture ends with, for who does not see it."""
    scores = {slug: path[-1] for slug, path in course.scores.items()}
    ends = (f"{slug} {scores[slug]:.0f}" for slug in sorted(scores, key=lambda slug: -scores[slug]))
    days = count(len(course.days), "day")
    return f"Moving picture: Elo scores over {days}, at the end {', '.join(ends)}"[:1000] + "."


def is_narrowed(counting: Counting) -> bool:
    """Whether some of a server's votes were left out by choice."""
    chosen = (counting.since, counting.topics, counting.templates, not counting.author_votes)
    return any(chosen)


def small_print(board: Leaderboard) -> Iterator[str]:
    """What was counted, what not, and how."""
    if board.counting.simulated:
        yield f"-# {SIMULATED}"
    if board.votes:
        votes, battles = count(board.votes, "blind vote"), count(board.battles, "closed battle")
        yield f"-# Counted: {votes}{figures.by(board.voters)} on {battles}."
    if board.not_counted:
        reasons = (f"{number:,} {WHY.get(why, why)}" for why, number in board.not_counted.items())
        yield f"-# Not counted: {', '.join(reasons)}."
    if board.votes:
        capped = " Who votes a lot counts less with each vote."
        yield f"-# {figures.LIKELY}{capped if board.counting.weights is Weights.CAPPED else ''}"


def _chosen(counting: Counting) -> Iterator[str]:
    said = []
    if counting.since is not None:
        said.append(f"since {counting.since.day} {counting.since:%B}")
    said += [f"topic: {topic}" for topic in counting.topics]
    if not counting.author_votes:
        said.append("without the votes of those who asked")
    if said:
        yield f"-# {said[0][0].upper()}{', '.join(said)[1:]}"


def _line(line: Line, *, place: int, of: int, exact: bool) -> Iterator[str]:
    name = discord.utils.escape_markdown(line.entrant.slug)
    yield f"**{place}. {name}** · {KIND_NAMES[line.entrant.kind]}"
    decided = line.wins + line.losses
    if line.told and line.ahead.known:
        ranks = f" · place {line.best} to {line.worst}" if line.best < line.worst else ""
        yield f"ahead in {figures.likely(line.ahead, of=of)}{ranks}"
    else:
        yield f"{line.wins:,} of {count(decided, 'vote')} so far: {TOO_FEW}"
    if exact:
        yield from _exactly(line)


def _descent(board: Leaderboard, *, exact: bool) -> Iterator[str]:
    """Each line of descent, with what every generation is better by than the one before.

    Who was told of in an earlier line is not told of again.
    """
    said = ["**From generation to generation**"]
    known: set[str] = set()
    for line in board.descent:
        for parent, one in zip((None, *line), line, strict=False):
            if one.entrant.slug not in known:
                said.append(_generation(one, parent, exact=exact))
        known |= {one.entrant.slug for one in line}
        yield "\n".join(said)
        said = []


def _generation(one: Generation, parent: Generation | None, *, exact: bool) -> str:
    escape = discord.utils.escape_markdown
    said = f"{escape(one.entrant.slug)} · {_points(one.score) if one.score.known else TOO_FEW}"
    if parent is None or one.over_parent is None:
        return said
    share = figures.percent if exact else figures.likely
    ahead = share(one.over_parent) if one.decided else "they have not met yet"
    return f"→ {said} · against {escape(parent.entrant.slug)}: {ahead}"


def _points(score: Estimate) -> str:
    return f"{score.value:.0f} points ({score.low:.0f} to {score.high:.0f})"


def _exactly(line: Line) -> Iterator[str]:
    if line.told:
        points = _points(line.score)
        share = f" · ahead {figures.percent(line.ahead)}" if line.wins + line.losses else ""
        yield f"-# {points}{share}"
    yield (
        f"-# {line.wins:,} won, {line.losses:,} lost, {count(line.ties, 'tie')}, "
        f"{line.both_bad:,} times both bad · {count(line.battles, 'battle')}, "
        f"{count(line.voters, 'known voter')}"
    )
