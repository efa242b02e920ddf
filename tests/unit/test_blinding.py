"""Blinding: published examples, and guesses that were planted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.insight.arena import NOT_SURE, RIGHT, WRONG, Arena
from bot.insight.blinding import blinding
from bot.insight.counting import Counting
from tests.unit.arenas import arena, battle, drawn, vote

if TYPE_CHECKING:
    from bot.insight.results import Blinding


def guessed(right: int, wrong: int, not_sure: int) -> Blinding:
    """So many guesses, each by another voter."""
    words = ["right"] * right + ["wrong"] * wrong + ["not sure"] * not_sure
    votes = [vote(voter, guess=word) for voter, word in enumerate(words, start=1)]
    found = blinding(arena(battle(*votes)), Counting())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("counts", "index"),
    [
        # CRISP trial, table 7 of Bang, Ni and Davis (2004), Control. Clin. Trials 25, 143-156:
        # the index is right / all - wrong / all.
        ((82, 25, 170), 0.206),
        ((29, 27, 83), 0.014),
        # Investigators, Houweling et al. (2014), Clin. Trials 11, 547-552, table 2, as printed
        # by BlindingIndex.jl.
        ((48, 4, 330), 0.115),
        ((30, 22, 319), 0.022),
    ],
)
def test_bangs_index_is_as_published(counts: tuple[int, int, int], index: float) -> None:
    found = guessed(*counts)
    assert (found.right, found.wrong, found.not_sure) == counts
    assert found.index.value == pytest.approx(index, abs=5e-4)


def test_bangs_interval_is_as_published_where_everybody_votes_once() -> None:
    # BlindingIndex.jl prints 0.08 to 0.15 and -0.016 to 0.06; ours are Wilson's, not Wald's.
    investigators, controls = guessed(48, 4, 330).index, guessed(30, 22, 319).index
    assert (investigators.low, investigators.high) == pytest.approx((0.08, 0.15), abs=6e-3)
    assert (controls.low, controls.high) == pytest.approx((-0.016, 0.06), abs=6e-3)


def planted(right: float, *, sure: float = 0.7) -> Arena:
    votes = drawn(battles=600)
    rng = np.random.default_rng(5)
    guess = np.where(rng.random(len(votes.of)) < right, RIGHT, WRONG)
    guess[rng.random(len(guess)) > sure] = NOT_SURE
    return replace(votes, guess=guess.astype(np.int8))


def test_planted_guesses_are_found() -> None:
    for right in (0.8, 0.5):
        found = blinding(planted(right), Counting())
        assert found is not None
        assert found.guessed.spans(right)
        assert found.guessed.value == pytest.approx(right, abs=0.03)
        assert found.index.spans(0.7 * (2 * right - 1))
        assert found.index.spans(0) is (right == 0.5)


def test_who_sees_through_and_who_prefers_the_base_model_are_told_together() -> None:
    votes = planted(0.6)
    raw_on_a = (votes.contender[:, 0] == 0)[votes.of]
    for_instruct = raw_on_a.astype(np.int8)
    right = votes.guess == RIGHT
    found = blinding(
        replace(votes, outcome=np.where(right, for_instruct, votes.outcome)), Counting()
    )
    assert found is not None
    assert found.preferred["right"].value == 0
    assert found.preferred["wrong"].spans(0.5)
    assert found.preferred["not sure"].spans(0.5)


def test_guesses_after_the_sides_were_told_do_not_count_and_nobody_asked_is_none() -> None:
    told = battle(vote(1, guess="right", blind=False), vote(2, guess="wrong"), vote(3))
    found = blinding(arena(told), Counting())
    assert found is not None
    assert (found.right, found.wrong, found.not_sure) == (0, 1, 0)
    assert blinding(arena(battle(vote(1))), Counting()) is None
    assert blinding(arena(), Counting()) is None


def test_all_not_sure_is_blind_and_no_share_of_guesses() -> None:
    found = guessed(0, 0, 9)
    assert found.index.value == 0
    assert np.isnan(found.guessed.value)
    assert list(found.preferred) == ["not sure"]
