"""The ranking of contenders."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bot.insight import davidson, design
from bot.insight.arena import BOTH_BAD, NOBODY, PURPOSES
from bot.insight.choosing import chosen, ranked
from bot.insight.clustering import weigh
from bot.insight.counting import BothBad
from bot.insight.descent import descent
from bot.insight.meetings import Meetings
from bot.insight.ranks import Ranks
from bot.insight.results import Leaderboard, Line, Meeting
from storage.records import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from numpy.typing import NDArray

    from bot.insight.arena import Arena, Entrant
    from bot.insight.counting import Counting
    from bot.insight.design import Indexes

_SAID = np.array([design.WIN, design.LOSS, design.TIE, design.TIE])
"""What a vote is to the ranking, by what it said."""


def leaderboard(arena: Arena, counting: Counting) -> Leaderboard:
    """Rank the contenders of all live battles that `counting` chooses.

    Scores are by Davidson's model, see `davidson.fit`; who is told of, and their ranks, as in
    `ranks.Ranks`. With `counting.style` length and markup are in the model too.
    """
    there = chosen(arena, counting)
    part = ranked(there, counting)
    voted = np.bincount(part.of, minlength=len(part.battle)) > 0
    days = part.day[voted]
    entrants = np.flatnonzero(np.bincount(part.contender.ravel()))
    place = np.zeros(len(arena.entrants), np.intp)
    place[entrants] = range(len(entrants))
    ends = place[part.first], place[part.second]
    meetings = Meetings(
        *ends, part.outcome, part.voter, count=len(entrants), weights=counting.weights
    )
    fit = _fit(part, ends, len(entrants), counting)
    ranks = Ranks(fit, meetings.votes())
    names = [arena.entrants[at] for at in entrants.tolist()]
    battles = np.bincount(part.contender[voted].ravel(), minlength=len(arena.entrants))[entrants]
    lines = tuple(
        _line(one, names[one], ranks, meetings, fit.voters, battles) for one in ranks.order
    )
    met = tuple(_meetings(ranks.order, names, meetings))
    return Leaderboard(
        counting=counting,
        lines=lines,
        meetings=met,
        votes=len(part.of),
        battles=int(voted.sum()),
        voters=int((np.bincount(part.voter[part.voter != NOBODY]) > 0).sum()),
        tie=fit.tie,
        not_counted=_not_counted(there, counting),
        first_day=_date(days.min()) if len(days) else None,
        last_day=_date(days.max()) if len(days) else None,
        descent=descent(arena.entrants, lines, met),
    )


def _fit(
    part: Arena, ends: tuple[Indexes, Indexes], count: int, counting: Counting
) -> davidson.Fit:
    first, second = ends
    return davidson.fit(
        first,
        second,
        _SAID[part.outcome],
        count=count,
        voter=part.voter,
        weight=weigh(part.voter, counting.weights),
        features=_style(part)[part.of] if counting.style else None,
    )


def _line(
    one: int,
    entrant: Entrant,
    ranks: Ranks,
    meetings: Meetings,
    voters: NDArray[np.int64],
    battles: NDArray[np.int64],
) -> Line:
    return Line(
        entrant=entrant,
        score=ranks.score(one),
        best=ranks.best(one),
        worst=ranks.worst(one),
        ahead=meetings.ahead(one),
        wins=int(meetings.wins[one].sum()),
        losses=int(meetings.wins[:, one].sum()),
        ties=int(meetings.ties[one].sum()),
        both_bad=int(meetings.bad[one].sum()),
        battles=int(battles[one]),
        voters=int(voters[one]),
        told=bool(ranks.told[one]),
    )


def _meetings(order: list[int], names: list[Entrant], meetings: Meetings) -> Iterator[Meeting]:
    """Of each two that met, the better one first."""
    votes = meetings.votes()
    for first, second in combinations(order, 2):
        if votes[first, second]:
            yield Meeting(
                first=names[first].slug,
                second=names[second].slug,
                ahead=meetings.between(first, second),
                wins=int(meetings.wins[first, second]),
                losses=int(meetings.wins[second, first]),
                undecided=int(meetings.ties[first, second] + meetings.bad[first, second]),
            )


def _style(part: Arena) -> NDArray[np.float64]:
    """How much longer, and more marked up, A is than B, from -1 to 1; 0 where unknown."""
    columns = []
    for style in (part.characters, part.markup):
        a, b = style.T.astype(np.float64)
        known = (a >= 0) & (b >= 0) & (a + b > 0)
        columns.append(np.where(known, (a - b) / np.where(known, a + b, 1), 0))
    return np.column_stack(columns)


def _not_counted(there: Arena, counting: Counting) -> dict[str, int]:
    """Votes that are left out, by the first reason that there is."""
    purpose = there.purpose[there.of]
    live = purpose == PURPOSES.index(Purpose.LIVE)
    learnt = live & there.unranked[there.of]
    live = live & ~learnt
    author = there.by_author & (not counting.author_votes)
    bad = (there.outcome == BOTH_BAD) & (counting.both_bad is BothBad.LEAVE_OUT)
    reasons = {
        "mirror battles": purpose == PURPOSES.index(Purpose.MIRROR),
        "control battles": purpose == PURPOSES.index(Purpose.CONTROL),
        "on prompts that a tuned model learnt from": learnt,
        "given after the reveal": live & ~there.blind,
        "by the prompt's author": live & there.blind & author,
        "both answers bad": live & there.blind & ~author & bad,
    }
    return {reason: int(votes.sum()) for reason, votes in reasons.items() if votes.any()}


def _date(day: np.int32) -> date:
    found: date = np.datetime64(int(day), "D").astype(object)
    return found
