"""What moves votes besides the models: where an answer stands, its style, who asked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bot.insight.agreement import tally
from bot.insight.arena import NOBODY, PURPOSES, TIE, UNKNOWN, A, B
from bot.insight.choosing import chosen, counted
from bot.insight.clustering import share, weigh
from bot.insight.places import for_base
from bot.insight.results import Effect, Estimate
from storage.records import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bot.insight.arena import Arena
    from bot.insight.counting import Counting, Weights


def effects(arena: Arena, counting: Counting) -> tuple[Effect, ...]:
    """Every effect that there are votes for, always in the same order.

    All of blind votes, but for the second ones on mirrors. Those of authors are compared with
    the others' even where `counting` leaves them out, and mirrors and controls are read for
    nothing else than this.
    """
    there = chosen(arena, counting)
    live = counted(there, counting)
    everybody = live
    if not counting.author_votes:
        everybody = counted(there, replace(counting, author_votes=True))
    found = (
        *_side(live, counting.weights),
        *_style(live, counting.weights),
        *_author(everybody, counting.weights),
        *_mirror(there, counting.weights),
        *_control(there, counting),
    )
    return tuple(effect for effect in found if effect.votes)


def _side(live: Arena, weights: Weights) -> Iterator[Effect]:
    hits, voter = _seen_first(live)
    yield Effect(
        name="side",
        meaning="Votes for the answer that was seen first.",
        estimate=share(hits, voter, weights=weights),
        neutral=0.5,
        harmless=0.03,
        votes=len(hits),
    )


def _seen_first(arena: Arena) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Which decided votes are for the answer seen first, and their voters.

    Answers that go on from a battle keep its sides: no coin put them there.
    """
    thrown = (arena.outcome <= B) & ~arena.goes_on[arena.of]
    return (arena.outcome == A)[thrown] != arena.swapped[thrown], arena.voter[thrown]


def _style(live: Arena, weights: Weights) -> Iterator[Effect]:
    """Of what voters see in a text, and of speed, which they should not.

    A contender that is both longer and better wins with longer answers although nobody
    minds length. So neutral is what the votes would give if it were by chance with which of
    a pair's answers they went: each pair's own win rate stays as it is. A contender that is
    always the longer one shows no effect for that reason. `Stats.styled` has the ranking
    without length and markup.
    """
    decided = live.keep(votes=live.outcome <= B)
    first, second = decided.first.astype(np.intp), decided.second
    ordered = first <= second
    pair = np.minimum(first, second) * len(live.entrants) + np.maximum(first, second)
    won = (decided.outcome == A) == ordered
    for name, meaning, more in (
        ("length", "Votes for the longer answer", _more(live.characters)),
        ("markup", "Votes for the answer with more markup", _more(live.markup)),
        ("speed", "Votes for the answer that was made faster", -_more(live.seconds)),
    ):
        of_vote = more[decided.of]
        some = of_vote != 0
        had = ((of_vote > 0) == ordered)[some]
        voter = decided.voter[some]
        yield Effect(
            name=name,
            meaning=f"{meaning}; neutral is what the models' own win rates explain.",
            estimate=share(won[some] == had, voter, weights=weights),
            neutral=_by_chance(pair[some], won[some], had, weight=weigh(voter, weights)),
            harmless=0.05,
            votes=len(had),
        )


def _more(column: NDArray[np.int32 | np.float32]) -> NDArray[np.int8]:
    """Where each battle has more of it: 1 on A, -1 on B, 0 for as much or not known."""
    a, b = column[:, 0], column[:, 1]
    known = (a >= 0) & (b >= 0)
    found: NDArray[np.int8] = (known & (a > b)).astype(np.int8) - (known & (a < b))
    return found


def _by_chance(
    pair: NDArray[np.intp],
    won: NDArray[np.bool_],
    had: NDArray[np.bool_],
    *,
    weight: NDArray[np.float64],
) -> float:
    """How often who `had` more would have won, were it chance in which of a pair's votes.

    `won` and `had` are of the one of two contenders that has the lower number.
    """
    if not len(pair):
        return math.nan
    rate = np.bincount(pair, weight * won) / np.maximum(np.bincount(pair, weight), 1e-300)
    return float(weight @ np.where(had, rate[pair], 1 - rate[pair]) / weight.sum())


def _author(live: Arena, weights: Weights) -> Iterator[Effect]:
    """Authors against others on the battles where both of them decided.

    Neutral is the others' share. The interval is that of the difference, set on the authors'
    share: by MOVER (Zou and Donner 2008, Stat. Med. 27, 1693-1702), which takes the two
    for independent, and so is rather too wide where the same people are in both.
    """
    decide, hits = for_base(live)
    yield _compared(
        live.keep(votes=decide),
        hits,
        weights,
        name="author",
        meaning="Votes for the base model by those who had asked; "
        "neutral is what others said of the same battles.",
    )
    decided = live.keep(votes=live.outcome <= B)
    counts = tally(decided.keep(votes=~decided.by_author))
    judges = counts.sum(axis=1)[decided.of] - ~decided.by_author
    alike = counts[decided.of, decided.outcome] - ~decided.by_author
    judged = (counts.sum(axis=1) > 1)[decided.of]
    yield _compared(
        decided.keep(votes=judged),
        alike[judged] / judges[judged],
        weights,
        name="author_agreement",
        meaning="Other voters who chose the same answer as those who had asked; "
        "neutral is how often others agree among themselves on the same battles.",
    )


def _compared(
    part: Arena, hits: NDArray[np.bool_ | np.float64], weights: Weights, *, name: str, meaning: str
) -> Effect:
    size = len(part.battle)
    of_authors = np.bincount(part.of[part.by_author], minlength=size) > 0
    of_others = np.bincount(part.of[~part.by_author], minlength=size) > 0
    both = (of_authors & of_others)[part.of]
    authors, others = both & part.by_author, both & ~part.by_author
    told = share(hits[authors], part.voter[authors], weights=weights)
    against = share(hits[others], part.voter[others], weights=weights)
    low = told.value - math.hypot(told.value - told.low, against.high - against.value)
    high = told.value + math.hypot(told.high - told.value, against.value - against.low)
    return Effect(
        name=name,
        meaning=meaning,
        estimate=Estimate(told.value, *np.clip([low, high], 0, 1).tolist()),
        neutral=against.value,
        harmless=0.1,
        votes=int(authors.sum()),
    )


def _mirror(there: Arena, weights: Weights) -> Iterator[Effect]:
    """Votes on a pair that the voter had voted on before, blind, with the sides exchanged.

    The second ones count even where the voter knew by then which model was which, as nearly
    everybody does once the battle has closed: whether they hold is all that is asked.
    """
    again = (there.mirrors[there.of] != UNKNOWN) & (there.voter != NOBODY)
    shown = np.zeros(len(there.battle), bool)
    shown[there.mirrors[there.of[again]]] = True
    before = shown[there.of] & (there.voter != NOBODY) & there.blind
    voters = len(there.ids)
    first = there.of[before].astype(np.int64) * voters + there.voter[before]
    second = there.mirrors[there.of[again]].astype(np.int64) * voters + there.voter[again]
    order = np.argsort(first)
    place = np.searchsorted(first, second, sorter=order)
    known = place < len(first)
    known[known] = first[order[place[known]]] == second[known]
    was = there.outcome[before][order[place[known]]]
    now = there.outcome[again][known]
    turned = np.where(now <= B, B - now, now)
    yield Effect(
        name="mirror",
        meaning="Blind votes that said the same again when the pair came back with its sides "
        "exchanged, which models they were often being known by then.",
        estimate=share(turned == was, there.voter[again][known], weights=weights),
        neutral=1.0,
        harmless=0.5,
        votes=len(now),
    )


def _control(there: Arena, counting: Counting) -> Iterator[Effect]:
    """The noise floor: battles in which one contender gave both answers.

    Two answers of one model may differ in earnest, so that few ties are never an alarm.
    """
    asked = there.blind if counting.author_votes else there.blind & ~there.by_author
    twice = there.keep(battles=there.purpose == PURPOSES.index(Purpose.CONTROL), votes=asked)
    yield Effect(
        name="control_ties",
        meaning="Ties where one model gave both answers.",
        estimate=share(twice.outcome == TIE, twice.voter, weights=counting.weights),
        neutral=1.0,
        harmless=1.0,
        votes=len(twice.outcome),
    )
    hits, voter = _seen_first(twice)
    yield Effect(
        name="control_side",
        meaning="Votes for the answer that was seen first where one model gave both.",
        estimate=share(hits, voter, weights=counting.weights),
        neutral=0.5,
        harmless=0.1,
        votes=len(hits),
    )
