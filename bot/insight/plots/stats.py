"""What else moves votes, how blind they are, how far they agree, where base models win."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.insight.meanings import MEANINGS
from bot.insight.plots.leaderboard import NOTHING, about, draw_nothing
from bot.insight.plots.rows import (
    LIKELY,
    Group,
    Row,
    draw_key,
    draw_rows,
    percent,
    share_axis,
)
from bot.insight.plots.sheet import Picture
from bot.insight.plots.theme import DARK, colour_of, shape_of
from bot.wording import TOO_FEW
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.insight.plots.sheet import Sheet
    from bot.insight.results import Agreeing, Blinding, Effect, Estimate, Place, Stats

_NEUTRAL = ("|", "", "neutral")
_ALARM = ("^", DARK.alarm, "look into it")
_RANGE = ("-", "", LIKELY)
_BASE = (shape_of(Kind.BASE), colour_of(Kind.BASE), "base models")


def overview(stats: Stats) -> Picture:
    """All of it in one picture, on one axis."""
    pairwise = stats.agreement and stats.agreement.pairwise
    sound = [
        *([_found(stats.blinding, "base model found", 0.5)] if stats.blinding else ()),
        *([_row("two voters agree", pairwise)] if pairwise else ()),
    ]
    groups = [
        Group(heading="Votes for …", rows=_effect_rows(stats.effects)),
        Group(heading="How often …", rows=sound),
        Group(heading="Base models win in …", rows=_place_rows(stats.topics, 0.5)),
    ]
    return _picture(
        "stats", "How sound the votes are", groups, about=about(stats.leaderboard), even=None
    )


def effects(found: Sequence[Effect]) -> Picture:
    """What besides the models moves votes."""
    return _picture(
        "effects", "What else moves votes", [Group(rows=_effect_rows(found))], even=None
    )


def blinding(found: Blinding | None) -> Picture:
    """How often the base model was told, and whether telling it changed the vote."""
    groups, below = [], ""
    if found is not None:
        preferred = [
            _row(words, estimate, kind=Kind.BASE) for words, estimate in found.preferred.items()
        ]
        guessed = [_found(found, "right")]
        groups = [
            Group(heading="Guesses which one is the base model", rows=guessed),
            Group(heading="Votes for the base model, by guess", rows=preferred),
        ]
        below = f"{found.right:,} right, {found.wrong:,} wrong, {found.not_sure:,} not sure."
    return _picture("blinding", "How blind the votes are", groups, below=below)


def agreement(channels: Mapping[str, Agreeing]) -> Picture:
    """How often two voters of a battle said the same, by the channel's name."""
    rows = [
        Row(
            name=name,
            estimate=found.pairwise,
            figure="" if math.isnan(found.alpha) else f"alpha {found.alpha:.2f}",
        )
        for name, found in channels.items()
    ]
    below = (
        "How often two voters said the same. Krippendorff's alpha is 0 by chance and 1 for always."
    )
    return _picture("agreement", "How far voters agree", [Group(rows=rows)], below=below, even=None)


def places(found: Sequence[Place], *, by: str) -> Picture:
    """Where base models win, by topic, language or what else `by` says."""
    return _picture(f"places-{by}", f"Base models by {by}", [Group(rows=_place_rows(found))])


def _picture(
    name: str,
    title: str,
    groups: Sequence[Group],
    *,
    about: str = "",
    below: str = "",
    even: float | None = 0.5,
) -> Picture:
    filled = [group for group in groups if group.rows]
    rows = [row for group in filled for row in group.rows]

    def draw(sheet: Sheet, top: float) -> float:
        if not rows:
            return draw_nothing(sheet, top)
        bottom = draw_rows(sheet, top, filled, share_axis(rows, even=even))
        return draw_key(sheet, sheet.note(bottom, below), _key(rows))

    words = " ".join(_words(row) for row in rows) or f"{NOTHING}."
    return Picture(name=name, title=title, about=about, words=words, draw=draw)


def _key(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    return [
        *([_BASE] if any(row.kind for row in rows) else ()),
        _RANGE,
        *([_NEUTRAL] if any(row.neutral is not None for row in rows) else ()),
        *([_ALARM] if any(row.alarm for row in rows) else ()),
    ]


def _words(row: Row) -> str:
    if not row.sure:
        return f"{row.name}: {TOO_FEW}."
    value, low, high = (
        percent(share) for share in (row.estimate.value, row.estimate.low, row.estimate.high)
    )
    neutral = "" if row.neutral is None else f", neutral is {percent(row.neutral)}"
    alarm = " Look into it." if row.alarm else ""
    return f"{row.name}: {value}, {low} to {high} likely{neutral}.{alarm}"


def _effect_rows(found: Sequence[Effect]) -> list[Row]:
    return [
        Row(
            name=MEANINGS[effect.name].label,
            estimate=effect.estimate,
            figure=percent(effect.estimate.value),
            neutral=effect.neutral,
            alarm=effect.alarm,
        )
        for effect in found
    ]


def _place_rows(found: Sequence[Place], neutral: float | None = None) -> list[Row]:
    return [_row(place.name, place.ahead, neutral, kind=Kind.BASE) for place in found]


def _found(blinding: Blinding, name: str, neutral: float | None = None) -> Row:
    return replace(_row(name, blinding.guessed, neutral), alarm=blinding.alarm)


def _row(
    name: str, estimate: Estimate, neutral: float | None = None, *, kind: Kind | None = None
) -> Row:
    return Row(
        name=name, estimate=estimate, figure=percent(estimate.value), neutral=neutral, kind=kind
    )
