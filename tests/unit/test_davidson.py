"""Strengths against published figures, another program, and what was planted."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import evalica
import numpy as np
import pytest

from bot.insight import davidson
from bot.insight.clustering import weigh
from bot.insight.counting import Weights
from bot.insight.design import LOSS, TIE, WIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREE = 1e-9
"""Next to no ridge, as in the published fits."""

TEAMS = ("Baltimore", "Boston", "Cleveland", "Detroit", "Milwaukee", "New York", "Toronto")
BASEBALL = {
    "Milwaukee": "Detroit 4 3, Toronto 4 2, New York 4 3, Boston 6 1, Cleveland 4 2, Baltimore 6 0",
    "Detroit": "Milwaukee 3 3, Toronto 4 2, New York 4 3, Boston 6 0, Cleveland 6 1, Baltimore 4 3",
    "Toronto": "Milwaukee 2 5, Detroit 4 3, New York 2 4, Boston 4 3, Cleveland 4 2, Baltimore 6 0",
    "New York": "Milwaukee 3 3, Detroit 5 1, Toronto 2 5, Boston 4 3, Cleveland 4 2, Baltimore 6 1",
    "Boston": "Milwaukee 5 1, Detroit 2 5, Toronto 3 3, New York 4 2, Cleveland 5 2, Baltimore 6 0",
    "Cleveland": "Milwaukee 2 5, Detroit 3 3, Toronto 3 4, New York 4 3, Boston 4 2, Baltimore 2 4",
    "Baltimore": "Milwaukee 2 5, Detroit 1 5, Toronto 1 6, New York 2 4, Boston 1 6, Cleveland 3 4",
}
"""Games at home, won and lost, of 1987: Agresti (2002), Categorical Data Analysis, page 438."""

PUDDING = """
1 2 19 22 16, 1 3 16 19 12, 2 3 19 19 10, 1 4 18 23 13, 2 4 23 19 9, 3 4 19 20 15, 1 5 13 19 18,
2 5 16 20 12, 3 5 16 15 17, 4 5 17 14 16, 1 6 18 21 12, 2 6 22 20 12, 3 6 13 18 10, 4 6 14 19 18,
5 6 11 21 12
"""
"""Brands of chocolate pudding, preferred and not and neither: Davidson (1970), example 2."""


def fitted(
    games: list[tuple[int, int, tuple[int, ...]]], *, side: bool = False, **options: Any
) -> davidson.Fit:
    """Of games of two by their wins, losses and ties, each by another voter."""
    first, second, counts = zip(*games, strict=True)
    times = [sum(count) for count in counts]
    outcome = np.concatenate([np.repeat(range(len(count)), count) for count in counts])
    votes = len(outcome)
    return davidson.fit(
        np.repeat(first, times),
        np.repeat(second, times),
        outcome,
        voter=np.arange(votes, dtype=np.int32),
        weight=np.ones(votes),
        features=np.ones((votes, 1)) if side else None,
        **({"count": max(first + second) + 1, "ridge": FREE} | options),
    )


def errors(fit: davidson.Fit) -> list[float]:
    """The standard errors of differences to the first, were votes independent."""
    eye = np.eye(len(fit.alone))
    contrasts = eye[1 : len(fit.strengths)] - eye[0]
    return [float(np.sqrt(contrast @ fit.alone @ contrast)) for contrast in contrasts]


def baseball() -> list[tuple[int, int, tuple[int, ...]]]:
    games = []
    for home, line in BASEBALL.items():
        for game in line.split(", "):
            away, won, lost = game.rsplit(" ", 2)
            games.append((TEAMS.index(home), TEAMS.index(away), (int(won), int(lost))))
    return games


def test_the_baseball_teams_of_agresti_with_and_without_home_advantage() -> None:
    """As BradleyTerry2 prints them (Turner and Firth, tests/baseball.Rout.save).

    To two digits they are in Agresti (2002), table 10.11.
    """
    plain, home = fitted(baseball()), fitted(baseball(), side=True)
    assert list((plain.strengths - plain.strengths[0]).round(4)[1:]) == [
        *(1.1077, 0.6839, 1.4364, 1.5814, 1.2476, 1.2945)
    ]
    assert np.round(errors(plain), 4).tolist() == [0.3339, 0.3319, 0.3396, 0.3433, 0.3359, 0.3367]
    assert list((home.strengths - home.strengths[0]).round(4)[1:]) == [
        *(1.1438, 0.7047, 1.4754, 1.6196, 1.2813, 1.3271)
    ]
    assert np.round(errors(home), 4).tolist() == [0.3378, 0.3350, 0.3446, 0.3474, 0.3404, 0.3403]
    assert home.effects.round(4).tolist() == [0.3023]
    assert np.sqrt(home.alone[-1, -1]).round(4) == 0.1309


def test_the_journals_of_stigler() -> None:
    """Citations of Biometrika, Comm. Statist., JASA and JRSS-B among each other.

    Turner and Firth (2012), Journal of Statistical Software 48(9), section 1.2.
    """
    cited = {
        (0, 1): (730, 33),
        (0, 2): (498, 320),
        (0, 3): (221, 284),
        (1, 2): (68, 813),
        (1, 3): (17, 276),
        (2, 3): (142, 325),
    }
    fit = fitted([(*pair, counts) for pair, counts in cited.items()])
    assert (fit.strengths - fit.strengths[0]).round(4).tolist() == [0, -2.9491, -0.4796, 0.2690]


def test_the_puddings_of_davidson_with_ties() -> None:
    """Shares of worth, nu, and errors of the logarithms, as PlackettLuce's vignette prints them.

    Turner, van Etten, Firth and Kosmidis (2020), "Introduction to PlackettLuce", sections 2.1 and
    2.2. It stops after seven rounds, as Davidson did, so its last digits are not yet at rest.
    """
    rows = (map(int, line.split()) for line in PUDDING.split(","))
    fit = fitted([(one - 1, other - 1, tuple(counts)) for one, other, *counts in rows])
    worth = np.exp(fit.strengths)
    assert (worth / worth.sum()).round(4).tolist() == [
        *(0.1388, 0.1730, 0.1617, 0.1654, 0.1587, 0.2024)
    ]
    assert round(2 * fit.tie / (1 - fit.tie), 4) == 0.7468
    assert np.round(errors(fit), 4).tolist() == [0.1872, 0.1935, 0.1882, 0.1927, 0.1924]


def thrown(
    votes: int, *, seed: int = 2, length: float = 0.0
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Votes on five contenders, half a unit apart; longer answers win by so much."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 5, votes)
    second = (first + rng.integers(1, 5, votes)) % 5
    longer = rng.uniform(-1, 1, votes) + 0.3 * (first - second)
    odds = 0.5 * (first - second) + length * longer
    scores = np.column_stack([np.exp(odds / 2), np.exp(-odds / 2), np.full(votes, 0.6)])
    chances = scores / scores.sum(axis=1, keepdims=True)
    outcome = (rng.random((votes, 1)) > chances.cumsum(axis=1)[:, :2]).sum(axis=1)
    return first, second, outcome, longer[:, None]


def test_evalica_finds_the_same_order_scores_and_tie_rate() -> None:
    """Newman's algorithm in Rust maximises the same likelihood; its v is half of nu."""
    first, second, outcome, _ = thrown(20_000)
    ours = davidson.fit(
        first,
        second,
        outcome,
        count=5,
        voter=np.arange(20_000, dtype=np.int32),
        weight=np.ones(20_000),
    )
    said = {WIN: evalica.Winner.X, LOSS: evalica.Winner.Y, TIE: evalica.Winner.Draw}
    theirs = evalica.newman(first, second, [said[vote] for vote in outcome.tolist()])
    scores = np.log(theirs.scores.sort_index().to_numpy())
    assert np.argsort(ours.strengths).tolist() == np.argsort(scores).tolist()
    assert ours.strengths == pytest.approx(scores - scores.mean(), abs=0.02)
    assert ours.tie == pytest.approx(2 * theirs.v / (2 + 2 * theirs.v), abs=0.002)


def test_who_never_lost_gets_a_finite_strength_and_a_wide_interval() -> None:
    fit = fitted([(0, 1, (30, 0))], ridge=davidson.RIDGE)
    assert 2 < fit.strengths[0] < 4
    assert fit.error(np.array([1.0, -1.0])) > 0.8


def test_two_contenders_are_apart_by_the_odds_of_their_decided_votes() -> None:
    fit = fitted([(0, 1, (60, 20, 40)), (1, 0, (10, 30, 5))])
    assert fit.strengths[0] - fit.strengths[1] == pytest.approx(np.log(90 / 30), abs=1e-6)


def test_a_preference_for_length_is_told_from_strength() -> None:
    first, second, outcome, longer = thrown(20_000, length=0.8)
    votes = {"voter": np.arange(20_000, dtype=np.int32), "weight": np.ones(20_000), "count": 5}
    styled = davidson.fit(first, second, outcome, features=longer, **votes)
    plain = davidson.fit(first, second, outcome, **votes)
    assert styled.effects[0] == pytest.approx(0.8, abs=0.1)
    assert np.diff(styled.strengths) == pytest.approx([0.5] * 4, abs=0.1)
    assert np.diff(plain.strengths).mean() > 0.65


def test_the_covariance_is_that_of_leaving_out_voters_and_fitting_anew() -> None:
    first, second, outcome, _ = thrown(600)
    voter = np.random.default_rng(4).integers(0, 12, 600).astype(np.int32)
    weight = weigh(voter, Weights.CAPPED)

    def fit(kept: NDArray[np.bool_]) -> davidson.Fit:
        return davidson.fit(
            first[kept],
            second[kept],
            outcome[kept],
            count=5,
            voter=voter[kept],
            weight=weight[kept],
        )

    whole = fit(np.ones(600, bool))
    moved = np.array([fit(voter != one).strengths - whole.strengths for one in range(12)])
    anew = moved.T @ moved * 11 / 12
    for one, other in combinations(range(5), 2):
        contrast = np.eye(5)[one] - np.eye(5)[other]
        assert contrast @ whole.covariance @ contrast == pytest.approx(
            contrast @ anew @ contrast, rel=0.1
        )


def test_votes_of_nobody_spread_like_those_of_the_others() -> None:
    """Taking the names off half of the voters must not make a ranking look surer."""
    first, second, outcome, _ = thrown(3000)
    voter = np.sort(np.random.default_rng(5).integers(0, 60, 3000)).astype(np.int32)
    taste = np.random.default_rng(6).integers(0, 5, 60)[voter]
    outcome = np.where(first == taste, WIN, np.where(second == taste, LOSS, outcome))

    def error(voter: NDArray[np.int32]) -> float:
        fit = davidson.fit(
            first,
            second,
            outcome,
            count=5,
            voter=voter,
            weight=weigh(voter, Weights.CAPPED),
        )
        return fit.error(np.array([1.0, -1.0, 0, 0, 0]))

    half = np.where(voter % 2, voter, -1).astype(np.int32)
    apart = np.arange(3000, dtype=np.int32)
    assert error(half) == pytest.approx(error(voter), rel=0.3)
    assert error(half) > 1.8 * error(apart)
