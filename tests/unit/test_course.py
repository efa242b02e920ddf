"""The moving picture: Elo, day by day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import evalica
import numpy as np
import pytest

from bot.insight.arena import BOTH_BAD, TIE
from bot.insight.counting import BothBad, Counting
from bot.insight.course import POINTS, course
from tests.unit.arenas import arena, battle, drawn, vote

if TYPE_CHECKING:
    from bot.insight.arena import Arena

SLUGS = ("base", "base-2", "instruct", "tuned")


def mixed() -> Arena:
    votes = drawn(battles=400, slugs=SLUGS, strength={"instruct": 1.0, "tuned": 0.5})
    rng = np.random.default_rng(4)
    undecided = rng.choice([TIE, BOTH_BAD], len(votes.of)).astype(np.int8)
    return replace(
        votes, outcome=np.where(rng.random(len(votes.of)) < 0.3, undecided, votes.outcome)
    )


def by_evalica(votes: Arena) -> dict[str, float]:
    winners = {0: evalica.Winner.X, 1: evalica.Winner.Y}
    names = [entrant.slug for entrant in votes.entrants]
    return evalica.elo(
        [names[at] for at in votes.first],
        [names[at] for at in votes.second],
        [winners.get(outcome, evalica.Winner.Draw) for outcome in votes.outcome.tolist()],
        initial=1000,
        base=10,
        scale=400,
        k=4,
    ).scores.to_dict()


def test_the_last_day_is_what_another_program_finds() -> None:
    votes = mixed()
    found = course(votes, Counting())
    last = {slug: scores[-1] for slug, scores in found.scores.items()}
    assert last == pytest.approx(by_evalica(votes), abs=1e-6)
    without = course(votes, Counting(both_bad=BothBad.LEAVE_OUT))
    decided = votes.keep(votes=votes.outcome != BOTH_BAD)
    last = {slug: scores[-1] for slug, scores in without.scores.items()}
    assert last == pytest.approx(by_evalica(decided), abs=1e-6)


def test_every_day_has_its_last_score_and_nobody_has_one_too_soon() -> None:
    votes = arena(
        battle(vote(1, "a"), day="2026-11-01"),
        battle(vote(1, "a"), day="2026-11-01"),
        battle(vote(1, "tie"), a="base", b="tuned", day="2026-11-03"),
        battle(day="2026-11-04"),
    )
    found = course(votes, Counting())
    assert found.days == (date(2026, 11, 1), date(2026, 11, 3))
    assert list(found.scores) == ["base", "instruct", "tuned"]
    first, last = found.scores["base"]
    assert first == pytest.approx(1002 + 4 * (1 - 1 / (1 + 10 ** (-4 / 400))))
    assert 1000 < last < first
    assert found.scores["instruct"] == (pytest.approx(2000 - first),) * 2
    assert np.isnan(found.scores["tuned"][0])
    assert found.scores["tuned"][1] > 1000


def test_a_battle_that_closed_later_is_played_later() -> None:
    one, other = (
        course(
            arena(
                battle(vote(1, "a"), vote(2, "a"), day=days[0]),
                battle(vote(1, "b"), day=days[1]),
            ),
            Counting(),
        ).scores["base"][-1]
        for days in (("2026-11-01", "2026-11-02"), ("2026-11-02", "2026-11-01"))
    )
    assert one < other


def test_years_are_thinned_out_and_the_last_day_stays() -> None:
    votes = drawn(battles=1000)
    long = replace(votes, day=np.arange(20_000, 21_000, dtype=np.int32))
    found = course(long, Counting())
    assert len(found.days) == POINTS
    assert found.days[-1] == np.datetime64(20_999, "D").astype(date)
    whole = course(votes, Counting())
    assert found.scores["base"][-1] == whole.scores["base"][-1]


def test_without_votes_nothing_moves() -> None:
    for votes in (arena(), arena(battle())):
        found = course(votes, Counting())
        assert (found.days, found.scores) == ((), {})
