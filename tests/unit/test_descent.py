"""Lines of descent: who was trained from whom, and whether it got better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bot.insight.arena import Entrant
from bot.insight.counting import Counting
from bot.insight.leaderboard import leaderboard
from storage.records import Kind
from tests.unit.arenas import arena, battle, drawn, vote

PARENTS = {"tuned-1": "base", "tuned-2": "tuned-1", "tuned-3": "tuned-1"}
SLUGS = ("base", "instruct", "tuned-1", "tuned-2", "tuned-3")


def of(entrants: tuple[Entrant, ...], parents: dict[str, str]) -> tuple[Entrant, ...]:
    return tuple(replace(one, parent=parents.get(one.slug)) for one in entrants)


def test_each_line_goes_from_its_base_model_to_its_last_child_with_shares_against_parents() -> None:
    strength = dict(zip(SLUGS, (-1.0, 0.0, 0.0, 1.0, -0.5), strict=True))
    votes = drawn(battles=2000, slugs=SLUGS, strength=strength)
    # The one of the base and the others, by chance, becomes one of a parent and its child.
    rng = np.random.default_rng(4)
    pairs = np.array([[0, 2], [2, 3], [2, 4], [0, 1], [1, 3]])
    contender = rng.permuted(pairs[rng.integers(0, len(pairs), 2000)], axis=1).astype(np.int16)
    theta = np.array([strength[slug] for slug in SLUGS])[contender]
    ahead = 1 / (1 + np.exp(theta[:, 1] - theta[:, 0]))
    outcome = (rng.random(len(votes.of)) >= ahead[votes.of]).astype(np.int8)
    entrants = of(votes.entrants, PARENTS)
    board = leaderboard(
        replace(votes, entrants=entrants, contender=contender, outcome=outcome), Counting()
    )
    best, other = board.descent
    assert [one.entrant.slug for one in best] == ["base", "tuned-1", "tuned-2"]
    assert [one.entrant.slug for one in other] == ["base", "tuned-1", "tuned-3"]
    assert [one.generation for one in best] == [0, 1, 2]
    assert best[:2] == other[:2]
    base, child, grandchild = best
    scores = {line.entrant.slug: line.score for line in board.lines}
    assert [one.score for one in best] == [scores[one.entrant.slug] for one in best]
    assert (base.over_parent, base.decided) == (None, 0)
    for one, planted in ((child, 1.0), (grandchild, 1.0), (other[2], -0.5)):
        assert one.decided > 300
        share = 1 / (1 + np.exp(-planted))
        assert one.over_parent.low < share < one.over_parent.high
        assert one.over_parent.value == pytest.approx(share, abs=0.1)


def test_a_parent_without_votes_has_its_place_and_nothing_is_claimed_of_it() -> None:
    found = arena(battle(vote(1), vote(2, "b")), battle(vote(1), a="tuned-2"))
    lost = Entrant(slug="tuned-1", kind=Kind.TUNED, parent="base")
    entrants = (*of(found.entrants, PARENTS), lost)
    (line,) = leaderboard(replace(found, entrants=entrants), Counting()).descent
    assert [one.entrant.slug for one in line] == ["base", "tuned-1", "tuned-2"]
    assert not any(one.score.known for one in line)
    assert [one.decided for one in line] == [0, 0, 0]


@pytest.mark.parametrize("parents", [{}, {"tuned-1": "who-was-that"}, {"tuned-1": "tuned-1"}])
def test_who_descends_from_nobody_here_makes_no_line(parents: dict[str, str]) -> None:
    found = arena(battle(vote(1), a="tuned-1"), battle(vote(2)))
    board = leaderboard(replace(found, entrants=of(found.entrants, parents)), Counting())
    assert board.descent == ()


def test_parents_that_go_round_in_a_circle_end() -> None:
    parents = {"tuned-1": "tuned-2", "tuned-2": "tuned-1"}
    found = arena(battle(vote(1), a="tuned-1"), battle(vote(2), a="tuned-2"))
    board = leaderboard(replace(found, entrants=of(found.entrants, parents)), Counting())
    assert board.descent == ()
