"""The pictures of a report, as elements of its page."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from bot.insight.plots import (
    agreement,
    blinding,
    course,
    effects,
    generations,
    leaderboard,
    meetings,
    moving_picture,
    places,
    votes_by_day,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.insight.plots import Picture
    from bot.insight.results import Stats

FEW = 2
"""Contenders whose meetings the picture of who is ahead has already."""


class Drawn(NamedTuple):
    """A picture's `<svg>`, and what stands under it if there is something to say."""

    svg: Markup
    caption: str


def drawn(stats: Stats, channel: Callable[[int], str]) -> dict[str, Drawn]:
    """Every picture that there is something for, by name."""
    # What is drawn is escaped where it is written.
    return {
        name: Drawn(Markup(picture.svg()), caption)  # noqa: S704
        for name, picture, caption in _pictures(stats, channel)
    }


def moving(stats: Stats) -> str | None:
    """The address of a GIF of the moving scores, which holds it; None where nothing moves."""
    if len(stats.course.days) <= 1:
        return None
    picture = moving_picture(stats.course, stats.leaderboard.kinds)
    return f"data:image/gif;base64,{b64encode(picture).decode()}"


def _pictures(stats: Stats, channel: Callable[[int], str]) -> Iterator[tuple[str, Picture, str]]:
    board = stats.leaderboard
    yield "leaderboard", leaderboard(board), ""
    if board.descent:
        yield "generations", generations(board.descent), ""
    if len(board.lines) > FEW:
        yield "meetings", meetings(board), ""
    for by, found in (
        ("topic", stats.topics),
        ("language", stats.languages),
        ("template", stats.templates),
    ):
        if len(found) > 1:
            yield f"places-{by}", places(found, by=by), ""
    if len(stats.course.days) > 1:
        shown = course(stats.course, board.kinds)
        yield "course", shown, "The moving score (Elo) day by day."
    if stats.votes_by_day:
        yield "days", votes_by_day(stats.votes_by_day), "Votes by the day their battle closed."
    if stats.effects:
        yield "effects", effects(stats.effects), ""
    if stats.blinding is not None:
        yield "blinding", blinding(stats.blinding), ""
    if stats.channels:
        named = {channel(number): found for number, found in stats.channels.items()}
        yield "agreement", agreement(named), "Channels are named by keyed hashes of their ids."
