"""How far voters of the same battles say the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import krippendorff
import numpy as np

from bot.insight.arena import BOTH_BAD, A, B
from bot.insight.choosing import chosen, counted
from bot.insight.clustering import share
from bot.insight.counting import Weights
from bot.insight.results import Agreeing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bot.insight.arena import Arena
    from bot.insight.counting import Counting
    from bot.insight.results import Estimate

OUTCOMES = BOTH_BAD + 1

SPLIT = 20
"""Split battles that are listed."""

CHANNELS = 20
"""Channels that are told of, those with the most votes."""


def agreement(arena: Arena, counting: Counting) -> Agreeing | None:
    """How far they agree in all; None where no battle has two votes.

    The four outcomes are four names, with no order. Every vote counts the same here, whatever
    `counting` weighs, as in Krippendorff's alpha (2011, Computing Krippendorff's
    Alpha-Reliability).
    """
    return _agreeing(counted(chosen(arena, counting), counting))


def by_channel(arena: Arena, counting: Counting) -> dict[int, Agreeing]:
    """The same for each channel by itself, the most votes first; some have nothing to tell."""
    live = counted(chosen(arena, counting), counting)
    channels, of_battle = np.unique(live.channel, return_inverse=True)
    votes = np.bincount(of_battle[live.of], minlength=len(channels))
    found = {
        int(channels[at]): _agreeing(live.keep(battles=of_battle == at))
        for at in np.argsort(-votes, kind="stable")[:CHANNELS]
    }
    return {channel: agreeing for channel, agreeing in found.items() if agreeing is not None}


def tally(arena: Arena) -> NDArray[np.int64]:
    """How many votes of each outcome every battle has: a row for each battle."""
    size = len(arena.battle)
    cells = np.bincount(arena.of * OUTCOMES + arena.outcome, minlength=size * OUTCOMES)
    return cells.reshape(size, OUTCOMES)


def alike(arena: Arena, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each vote, the share of the battle's other votes that say the same; NaN without any."""
    others = counts.sum(axis=1)[arena.of] - 1
    same = counts[arena.of, arena.outcome] - 1
    found = np.full(len(same), np.nan)
    np.divide(same, others, out=found, where=others > 0)
    return found


def _agreeing(live: Arena) -> Agreeing | None:
    counts = tally(live)
    shared = counts.sum(axis=1) > 1
    if not shared.any():
        return None
    return Agreeing(
        alpha=_alpha(counts[shared]),
        pairwise=_pairwise(live, counts),
        battles=int(shared.sum()),
        split=_split(live, counts),
    )


def _alpha(counts: NDArray[np.int64]) -> float:
    """NaN where all said the same of all: then there is nothing to agree or disagree on."""
    said = counts[:, counts.any(axis=0)]
    if said.shape[1] == 1:
        return math.nan
    return float(krippendorff.alpha(value_counts=said, level_of_measurement="nominal"))


def _pairwise(live: Arena, counts: NDArray[np.int64]) -> Estimate:
    """Alpha's observed agreement: how often another voter of a battle says what one says.

    Votes on one battle go together, and so do those of one voter: the wider of the two
    intervals is given.
    """
    same = alike(live, counts)
    there = ~np.isnan(same)
    by_voter, by_battle = (
        share(same[there], of[there], weights=Weights.EQUAL) for of in (live.voter, live.of)
    )
    wider = not by_voter.high - by_voter.low < by_battle.high - by_battle.low
    return by_voter if wider else by_battle


def _split(live: Arena, counts: NDArray[np.int64]) -> tuple[int, ...]:
    even = np.flatnonzero((counts[:, A] == counts[:, B]) & (counts[:, A] > 0))
    most = np.argsort(-counts[even].sum(axis=1), kind="stable")[:SPLIT]
    return tuple(live.battle[even[most]].tolist())
