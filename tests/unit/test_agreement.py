"""Agreement: published examples through our own columns, and whoever agrees or does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bot.insight.agreement import agreement, by_channel
from bot.insight.counting import Counting
from tests.unit.arenas import OUTCOMES, Row, arena, battle, drawn, vote

WORDS = tuple(OUTCOMES)


def coded(*observers: str) -> list[Row]:
    """Reliability data as they are printed: a row for each observer, `.` for none."""
    units = zip(*(row.split() for row in observers), strict=True)
    return [
        battle(
            *(
                vote(observer, WORDS[int(value)])
                for observer, value in enumerate(unit, start=1)
                if value != "."
            )
        )
        for unit in units
    ]


def test_alpha_of_two_observers_and_binary_data() -> None:
    # Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section A.
    data = coded("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")
    found = agreement(arena(*data), Counting())
    assert found is not None
    assert found.alpha == pytest.approx(0.095, abs=5e-4)
    assert (found.battles, found.pairwise.value) == (10, pytest.approx(0.6))


def test_alpha_of_three_observers_and_four_values_where_some_are_missing() -> None:
    # "A computational example" of the article Krippendorff's alpha in Wikipedia: 0.691.
    # 1 to 4 there are 0 to 3 here; the first unit has one value, which pairs with none.
    data = coded(
        ". . . . . 2 3 0 1 0 0 2 2 . 2",
        "0 . 1 0 2 2 3 2 . . . . . . .",
        ". . 1 0 2 3 3 . 1 0 0 2 2 . 3",
    )
    found = agreement(arena(*data), Counting())
    assert found is not None
    assert found.alpha == pytest.approx(0.691, abs=5e-4)
    assert found.battles == 12


def test_chance_agrees_by_chance_and_a_plain_winner_wholly() -> None:
    votes = drawn(battles=2000)
    by_chance = agreement(votes, Counting())
    assert by_chance is not None
    assert by_chance.alpha == pytest.approx(0, abs=0.03)
    assert by_chance.pairwise.spans(0.5)
    plain = (votes.battle % 2)[votes.of].astype(np.int8)
    certain = agreement(replace(votes, outcome=plain), Counting())
    assert certain is not None
    assert (certain.alpha, certain.pairwise.value, certain.split) == (1, 1, ())


def test_where_all_say_one_thing_alpha_is_not_a_number() -> None:
    found = agreement(arena(battle(vote(1), vote(2)), battle(vote(1), vote(2))), Counting())
    assert found is not None
    assert np.isnan(found.alpha)
    assert (found.pairwise.value, found.battles) == (1, 2)


def test_votes_on_one_battle_are_taken_together() -> None:
    votes = drawn(battles=40, each=20, voters=400)
    minds = (votes.battle % 2)[votes.of] == 1
    said = np.where(minds, 0, votes.outcome).astype(np.int8)
    found = agreement(replace(votes, outcome=said), Counting())
    assert found is not None
    # 40 battles of two sorts, half of them at 1 and half at 0.5
    assert found.pairwise.high - found.pairwise.low > 0.1


def test_split_battles_are_listed_the_most_voted_first() -> None:
    votes = arena(
        battle(vote(1, "a"), vote(2, "b")),
        battle(vote(1, "a"), vote(2, "a"), vote(3, "b")),
        battle(vote(1, "a"), vote(2, "b"), vote(3, "tie")),
        battle(vote(1, "tie"), vote(2, "both bad")),
        *(battle(vote(1, "a"), vote(2, "b")) for _ in range(30)),
    )
    found = agreement(votes, Counting())
    assert found is not None
    assert found.split[:3] == (3, 1, 5)
    assert len(found.split) == 20


def test_lone_and_unblind_votes_agree_with_nobody() -> None:
    assert agreement(arena(), Counting()) is None
    alone = battle(vote(1), vote(2, blind=False))
    assert agreement(arena(alone, battle()), Counting()) is None


def test_each_channel_is_told_by_itself_the_most_votes_first() -> None:
    votes = arena(
        battle(vote(1, "a"), vote(2, "b"), channel_id=11),
        battle(vote(1, "a"), vote(2, "a"), vote(3, "a"), channel_id=12),
        battle(vote(1, "a"), channel_id=13),
    )
    found = by_channel(votes, Counting())
    assert list(found) == [12, 11]
    assert found[11].pairwise.value == 0
    assert found[12].pairwise.value == 1
    assert by_channel(arena(), Counting()) == {}
