"""Where raw completion wins: the base models against all others, place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from bot.insight.arena import UNKNOWN, A, B
from bot.insight.choosing import chosen, ranked
from bot.insight.clustering import share
from bot.insight.results import Place
from storage.records import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bot.insight.arena import Arena
    from bot.insight.counting import Counting

    By = Literal["topic", "language", "template", "channel", "guild"]

NO_NAME = "unknown"
"""What is called so has no topic, or a language that nobody could tell."""

NO_GUILD = "direct messages"

MOST = 25
"""Places that are told, those with the most votes."""


def for_base(arena: Arena) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which votes decide between a base model and another, and which of these are for it."""
    raw = np.array([entrant.kind is Kind.BASE for entrant in arena.entrants], bool)[arena.contender]
    decide = (arena.outcome <= B) & (raw[:, 0] != raw[:, 1])[arena.of]
    return decide, (arena.outcome[decide] == A) == raw[:, 0][arena.of[decide]]


def places(arena: Arena, counting: Counting, by: By = "topic") -> tuple[Place, ...]:
    """The base models' share of decided votes in each place, the best first.

    Those where there are too few voters to tell come last; channels and guilds are named by
    their ids. Votes between two base models say nothing here.
    """
    live = ranked(chosen(arena, counting), counting)
    decide, hits = for_base(live)
    names, of_battle = _named(live, by)
    battle, voter = live.of[decide], live.voter[decide]
    place = of_battle[battle]
    order = np.argsort(place, kind="stable")
    votes = np.bincount(place, minlength=len(names))
    ends = np.cumsum(votes)
    voted = np.bincount(battle, minlength=len(of_battle)) > 0
    battles = np.bincount(of_battle[voted], minlength=len(names)).tolist()
    found = []
    for index in np.argsort(-votes, kind="stable")[:MOST]:
        here = order[ends[index] - votes[index] : ends[index]]
        if len(here):
            ahead = share(hits[here], voter[here], weights=counting.weights)
            found.append(
                Place(name=names[index], ahead=ahead, votes=len(here), battles=battles[index])
            )
    return tuple(sorted(found, key=lambda at: (np.isnan(at.ahead.low), -at.ahead.value)))


def _named(arena: Arena, by: By) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """All places by name, and the place of each battle."""
    if by in {"channel", "guild"}:
        ids, place = np.unique(arena.guild if by == "guild" else arena.channel, return_inverse=True)
        return tuple(str(number) if number else NO_GUILD for number in ids.tolist()), place
    words, column = {
        "topic": (arena.topics, arena.topic),
        "language": (arena.languages, arena.language),
        "template": (arena.templates, arena.template),
    }[by]
    return (*words, NO_NAME), np.where(column == UNKNOWN, len(words), column)
