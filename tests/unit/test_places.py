"""Where raw completion wins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bot.insight.counting import Counting, Weights
from bot.insight.places import MOST, places
from tests.unit.arenas import arena, battle, drawn, vote

EVEN = Counting(weights=Weights.EQUAL)


def test_the_base_models_best_topic_comes_first() -> None:
    votes = drawn(battles=1500)
    topic = np.arange(1500, dtype=np.int16) % 3
    chance = np.array([0.3, 0.7, 0.5])[topic][votes.of]
    for_base = np.random.default_rng(2).random(len(votes.of)) < chance
    raw_on_a = (votes.contender[:, 0] == 0)[votes.of]
    planted = replace(
        votes,
        topics=("code", "creative", "chat"),
        topic=topic,
        outcome=(for_base != raw_on_a).astype(np.int8),
    )
    found = places(planted, Counting(), "topic")
    assert [place.name for place in found] == ["creative", "chat", "code"]
    for place, share in zip(found, (0.7, 0.5, 0.3), strict=True):
        assert place.ahead.spans(share)
        assert (place.votes, place.battles) == (2500, 500)


def test_what_is_not_known_is_named_plainly() -> None:
    votes = arena(
        battle(vote(1, "a"), vote(2, "a"), topic="code", language="en"),
        battle(vote(1, "b"), vote(2, "tie"), guild_id=0),
    )
    assert [(p.name, p.ahead.value) for p in places(votes, EVEN)] == [("code", 1), ("unknown", 0)]
    assert {p.name for p in places(votes, EVEN, "language")} == {"en", "unknown"}
    assert {p.name for p in places(votes, EVEN, "guild")} == {"1", "direct messages"}
    assert [(p.name, p.votes) for p in places(votes, EVEN, "channel")] == [("10", 3)]
    assert [p.name for p in places(votes, EVEN, "template")] == ["transcript"]


def test_only_a_base_model_against_another_kind_counts() -> None:
    votes = arena(
        battle(vote(1, "b"), vote(2, "tie"), a="tuned", b="base"),
        battle(vote(1, "a"), vote(2, "a"), b="base-2"),
        battle(vote(1, "a"), vote(2, "a"), a="tuned", b="instruct"),
    )
    (place,) = places(votes, EVEN)
    assert (place.ahead.value, place.votes, place.battles) == (1, 1, 1)


def test_places_with_too_few_voters_come_last_and_there_are_not_too_many() -> None:
    clear = [battle(*(vote(voter, "ab"[voter % 2]) for voter in range(1, 9)), topic="chat")]
    few = [battle(vote(1), topic=f"topic {number}") for number in range(40)]
    found = places(arena(*few, *clear), Counting())
    assert len(found) == MOST
    assert found[0].name == "chat"
    assert found[0].ahead.value == pytest.approx(0.5)
    assert np.isnan(found[1].ahead.low)


@pytest.mark.parametrize("by", ["topic", "language", "template", "channel", "guild"])
def test_without_votes_there_are_no_places(by: str) -> None:
    assert places(arena(), Counting(), by) == ()
    assert places(arena(battle()), Counting(), by) == ()
