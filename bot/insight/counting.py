"""Which votes a figure counts: every choice as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from storage.records import Purpose

if TYPE_CHECKING:
    from bot.insight.arena import Arena


class BothBad(StrEnum):
    """What a vote for neither answer is to a ranking."""

    TIE = "tie"
    LEAVE_OUT = "leave_out"


class Weights(StrEnum):
    """What a vote of somebody counts who voted n times."""

    CAPPED = "capped"
    EQUAL = "equal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Live battles and blind votes only, whatever else is chosen.

    Nothing named means all. `capped` weights are 1/√n: so that nobody decides alone, and still
    who votes more says more. `style` takes out what length and markup do.
    """

    guilds: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    templates: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    author_votes: bool = True
    both_bad: BothBad = BothBad.TIE
    weights: Weights = Weights.CAPPED
    style: bool = False
    simulated: bool = False


def chosen(arena: Arena, counting: Counting) -> Arena:
    """The battles of every purpose and all of their votes, where the rest is as chosen."""
    import numpy as np  # noqa: PLC0415 - the command line has the choices without the numbers

    kept = np.ones(len(arena.battle), bool)
    if counting.guilds:
        kept &= np.isin(arena.guild, counting.guilds)
    if counting.channels:
        kept &= np.isin(arena.channel, counting.channels)
    for column, names, wanted in (
        (arena.template, arena.templates, counting.templates),
        (arena.topic, arena.topics, counting.topics),
        (arena.language, arena.languages, counting.languages),
    ):
        if wanted:
            kept &= np.isin(column, [at for at, name in enumerate(names) if name in wanted])
    if counting.since is not None:
        kept &= arena.day >= _days(counting.since)
    if counting.until is not None:
        kept &= arena.day <= _days(counting.until)
    return arena if kept.all() else arena.keep(battles=kept)


def counted(arena: Arena, counting: Counting) -> Arena:
    """What rankings count of `chosen`: the blind votes on live battles."""
    from bot.insight.arena import PURPOSES  # noqa: PLC0415 - as above

    votes = arena.blind if counting.author_votes else arena.blind & ~arena.by_author
    return arena.keep(battles=arena.purpose == PURPOSES.index(Purpose.LIVE), votes=votes)


def _days(day: date) -> int:
    return (day - date(1970, 1, 1)).days
