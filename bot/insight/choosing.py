"""The votes that a figure counts, of all that there are."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from bot.insight.arena import BOTH_BAD, PURPOSES
from bot.insight.counting import BothBad
from storage.records import Purpose

if TYPE_CHECKING:
    from bot.insight.arena import Arena
    from bot.insight.counting import Counting


def chosen(arena: Arena, counting: Counting) -> Arena:
    """The battles of every purpose and all of their votes, where the rest is as chosen."""
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
    """What counts of `chosen`: the blind votes on live battles."""
    votes = arena.blind
    if not counting.author_votes:
        votes = votes & ~arena.by_author
    if counting.both_bad is BothBad.LEAVE_OUT:
        votes = votes & (arena.outcome != BOTH_BAD)
    live = arena.purpose == PURPOSES.index(Purpose.LIVE)
    return arena.keep(battles=live, votes=votes)


def ranked(arena: Arena, counting: Counting) -> Arena:
    """What says of `chosen` how good models are: `counted`, on prompts that neither learnt from."""
    live = counted(arena, counting)
    return live.keep(battles=~live.unranked)


def _days(day: date) -> int:
    return (day - date(1970, 1, 1)).days
