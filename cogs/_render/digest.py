"""A channel's week, in words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import discord

from bot.answers import shorten
from bot.moderation import moderated
from bot.wording import count
from cogs._render import figures, insight
from cogs._render import leaderboard as board_views
from cogs._render.layout import address
from storage.records import Choice, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from discord import File
    from discord.ui import LayoutView

    from bot.closing import Result
    from bot.digest import Digest
    from storage.records import Answer

QUOTED = 300
"""UTF-16 units of an answer that are quoted."""

PAIR = 2
"""Contenders of whom nobody needs to be told that they are the closest."""

SMALL_PRINT = (
    "-# Pictures are of the whole server, so far. Counted are blind votes on battles that have "
    "closed; `/leaderboard` has the numbers."
)


def digest(told: Digest, ranking: bytes, moving: bytes | None) -> tuple[LayoutView, list[File]]:
    """The message, with the server's ranking as a picture and, where it has any, its course."""
    still = insight.picture(ranking, "leaderboard.png", alt=board_views.alt(told.board))
    parts: list[str | File] = ["\n".join(_head(told)), still]
    parts += filter(None, map("\n".join, (_ranking(told), _raw(told.base))))
    if moving is not None:
        alt = board_views.alt_of_course(told.course)
        parts += [insight.picture(moving, "scores.gif", alt=alt), board_views.ELO]
    view = insight.pictured(*parts, SMALL_PRINT)
    return view, [part for part in parts if isinstance(part, discord.File)]


def _head(told: Digest) -> Iterator[str]:
    week, sunday = told.week, told.monday + timedelta(days=6)
    month = "" if told.monday.month == sunday.month else f" {told.monday:%B}"
    yield f"### The week here, {told.monday.day}{month} to {sunday.day} {sunday:%B}"
    votes, battles = count(week.votes, "vote"), count(week.battles, "battle")
    yield f"{votes}{figures.by(week.voters)} on {battles}."


def _ranking(told: Digest) -> Iterator[str]:
    yield board_views.verdict(told.board)
    if told.week.closest is not None and len(told.board.lines) > PAIR:
        first, second = (_escaped(name) for name in told.week.closest)
        yield f"**Closest contenders**: {first} and {second}."
    if told.upset is not None:
        yield _upset(told.upset)


def _upset(result: Result) -> str:
    winner, loser = sorted(
        result.battle.answers, key=lambda answer: -result.tally[Choice(answer.side.value)]
    )
    score = " to ".join(f"{result.tally[Choice(answer.side.value)]}" for answer in (winner, loser))
    return (
        f"**Upset of the week**: {_escaped(winner.contender)} beat {_escaped(loser.contender)}, "
        f"{score}, though it ranks lower ({_link(result)})."
    )


def _raw(result: Result | None) -> Iterator[str]:
    """The raw completion that most preferred; in words only where it is still kept."""
    if result is None:
        return
    raw = next(answer for answer in result.battle.answers if answer.kind is Kind.BASE)
    votes = count(result.tally[Choice(raw.side.value)], "vote")
    yield f"**Best raw completion**: {_escaped(raw.contender)}, {votes} ({_link(result)})."
    if raw.shown and not moderated(raw):
        yield f"> {_quote(raw)}"


def _quote(answer: Answer) -> str:
    words = shorten(" ".join(answer.shown.split()), QUOTED)
    return discord.utils.escape_mentions(_escaped(words))


def _link(result: Result) -> str:
    battle = result.battle
    if battle.shown_message_id is None:
        return f"#{battle.id}"
    return f"[#{battle.id}]({address(battle, battle.shown_message_id)})"


def _escaped(text: str) -> str:
    return discord.utils.escape_markdown(text)
