"""Shares: what a voter's votes weigh, and how far the interval reaches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.insight.arena import NOBODY
from bot.insight.clustering import FEWEST_VOTERS, share, weigh
from bot.insight.counting import Weights
from bot.ranking import wilson

if TYPE_CHECKING:
    from bot.insight.results import Estimate


def by(*voters: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Hits and voters, from each voter's number, votes and hits."""
    hits = np.concatenate([np.arange(votes) < hit for _, votes, hit in voters])
    return hits, np.repeat(*np.array(voters, np.int32).T[:2])


def width(estimate: Estimate) -> float:
    return estimate.high - estimate.low


def test_a_vote_weighs_one_over_the_root_of_its_voters_votes() -> None:
    _, voter = by((0, 1, 0), (3, 4, 0), (NOBODY, 2, 0))
    assert weigh(voter, Weights.CAPPED).tolist() == [1.0, *[0.5] * 4, *[3 / 5] * 2]
    assert weigh(voter, Weights.EQUAL).tolist() == [1.0] * 7


def test_one_vote_each_is_nearly_wilsons_interval() -> None:
    hits, voter = by(*((one, 1, int(one < 140)) for one in range(200)))
    found, known = share(hits, voter), wilson(140, 200)
    assert found.value == 0.7
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.005)


def test_who_votes_a_hundred_times_cannot_decide_for_twenty() -> None:
    hits, voter = by((0, 100, 100), *((one, 1, one % 2) for one in range(1, 21)))
    assert share(hits, voter).value == pytest.approx((10 + 10) / (10 + 20))
    assert share(hits, voter, weights=Weights.EQUAL).value == pytest.approx(110 / 120)
    assert share(hits, voter).spans(0.5)


def test_voters_who_stick_to_their_opinion_count_as_voters_not_as_votes() -> None:
    divided = share(*by(*((one, 20, 20 * (one % 2)) for one in range(40))))
    mixed = share(*by(*((one, 20, 10) for one in range(40))))
    few = share(*by(*((one, 1, one % 2) for one in range(40))))
    assert width(divided) == pytest.approx(width(few), rel=0.05)
    assert width(mixed) < width(few) / 3


def test_unanimity_of_a_few_is_not_certainty() -> None:
    found = share(*by(*((one, 20, 20) for one in range(5))))
    assert (found.value, found.high) == (1, 1)
    assert 0.5 < found.low < 0.8


def test_too_few_voters_get_no_interval() -> None:
    some = [(one, 3, 1) for one in range(FEWEST_VOTERS)]
    assert not math.isnan(share(*by(*some)).low)
    for too_few in (some[1:], [*some[1:], (NOBODY, 100, 50)], [(NOBODY, 100, 50)]):
        found = share(*by(*too_few))
        assert 0 < found.value < 1
        assert math.isnan(found.low)
        assert found.spans(0)
    assert math.isnan(share(np.empty(0, bool), np.empty(0, np.int32)).value)


def test_votes_of_nobody_count_and_are_trusted_no_more_than_those_of_others() -> None:
    known = [(one, 20, 20 * (one % 2)) for one in range(30)]
    hits, voter = by(*known, (NOBODY, 300, 300))
    assert share(hits, voter).value > 0.6
    unlike = share(*by(*known, *((100 + one, 1, 1) for one in range(300))))
    assert width(share(hits, voter)) > 1.5 * width(unlike)
