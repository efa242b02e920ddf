"""Everything together."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from bot.insight.arena import PURPOSES, RIGHT, WRONG, Arena
from bot.insight.counting import Counting
from bot.insight.stats import stats
from storage.records import Purpose
from tests.unit.arenas import arena, battle, drawn, vote


def test_all_figures_are_of_the_same_votes() -> None:
    votes = drawn(battles=300, slugs=("base", "instruct", "tuned"), strength={"instruct": 1.0})
    guess = np.where(np.arange(1500) % 4 == 0, WRONG, RIGHT).astype(np.int8)
    found = stats(replace(votes, guess=guess), Counting())
    assert found.leaderboard.votes == 1500
    assert found.styled is not None
    assert found.styled.counting.style
    assert found.blinding is not None
    assert found.blinding.guessed.spans(0.75)
    assert found.agreement is not None
    assert found.agreement == found.channels[10]
    assert {effect.name for effect in found.effects} >= {"side", "length", "markup", "speed"}
    assert [place.name for place in found.topics] == ["chat"]
    assert [place.name for place in found.languages] == ["en"]
    assert [place.name for place in found.templates] == ["transcript"]
    assert sum(number for _, number in found.votes_by_day) == 1500
    assert found.course.days == tuple(day for day, _ in found.votes_by_day)


def test_what_is_chosen_holds_for_every_figure() -> None:
    votes = arena(
        battle(vote(1, "a"), vote(2, "b"), topic="code", day="2026-11-01"),
        battle(vote(1, "a"), vote(2, "a"), vote(3, "a"), topic="chat", day="2026-11-02"),
    )
    found = stats(votes, Counting(topics=("chat",), style=True))
    assert found.styled is None
    assert found.leaderboard.votes == 3
    assert found.votes_by_day == ((date(2026, 11, 2), 3),)
    assert [place.name for place in found.topics] == ["chat"]
    assert found.agreement is not None
    assert found.agreement.battles == 1


def test_nothing_is_told_of_no_votes() -> None:
    for votes in (arena(), arena(battle()), arena(battle(vote(1, blind=False)))):
        found = stats(votes, Counting())
        assert found.leaderboard.votes == 0
        assert (found.effects, found.blinding, found.agreement) == ((), None, None)
        assert (found.channels, found.topics, found.votes_by_day) == ({}, (), ())


def test_one_vote_and_one_contender_are_no_trouble() -> None:
    alone = arena(battle(vote(1, "both bad"), a="instruct", b="instruct"))
    for votes in (alone, arena(battle(vote(-1, "a"))), arena(battle(vote(1, "tie")))):
        found = stats(votes, Counting())
        assert found.leaderboard.votes == 1
        assert found.agreement is None
        assert not any(effect.alarm for effect in found.effects)


def odd(seed: int) -> Arena:
    """A few votes of every kind that there is."""
    rng = np.random.default_rng(seed)
    size, each = int(rng.integers(1, 8)), int(rng.integers(1, 6))
    votes = drawn(battles=size, each=each, voters=int(rng.choice([0, 6])), seed=seed)
    purpose = rng.choice(len(PURPOSES), size, p=[0.6, 0.2, 0.2]).astype(np.int8)
    twice = purpose == PURPOSES.index(Purpose.CONTROL)
    mirrors = np.where(purpose == PURPOSES.index(Purpose.MIRROR), rng.integers(-1, size, size), -1)
    given = len(votes.of)
    return replace(
        votes,
        purpose=purpose,
        contender=np.where(twice[:, None], votes.contender[:, :1], votes.contender),
        mirrors=mirrors.astype(np.int32),
        topic=rng.integers(-1, 1, size).astype(np.int16),
        characters=rng.integers(-1, 3, (size, 2)).astype(np.int32),
        seconds=rng.choice([np.nan, 0, 1], (size, 2)).astype(np.float32),
        goes_on=rng.random(size) < 0.3,
        unranked=rng.random(size) < 0.1,
        outcome=rng.integers(0, 4, given).astype(np.int8),
        blind=rng.random(given) < 0.9,
        guess=rng.integers(-1, 3, given).astype(np.int8),
    )


def test_prompts_that_a_model_learnt_from_rank_nobody_and_are_told_of_else() -> None:
    votes = arena(
        battle(vote(1, guess="right"), vote(2, guess="right"), b="tuned", day="2026-11-02"),
        battle(vote(1, "b"), vote(2, "b"), b="tuned", day="2026-11-03", unranked=1),
        battle(vote(1, "b", guess="wrong"), b="tuned", day="2026-11-04", unranked=1),
    )
    found = stats(votes, Counting())
    assert (found.leaderboard.votes, found.leaderboard.battles) == (2, 1)
    assert found.course.days == (date(2026, 11, 2),)
    assert [(place.ahead.value, place.votes) for place in found.templates] == [(1.0, 2)]
    assert [number for _, number in found.votes_by_day] == [2, 2, 1]
    assert found.agreement
    assert found.agreement.battles == 2
    assert found.blinding
    assert (found.blinding.right, found.blinding.wrong) == (2, 1)


def test_few_and_odd_votes_give_shares_or_nothing() -> None:
    for seed in range(100):
        found = stats(odd(seed), Counting())
        shares = [effect.estimate for effect in found.effects]
        shares += [place.ahead for place in (*found.topics, *found.languages, *found.templates)]
        shares += [agreeing.pairwise for agreeing in found.channels.values()]
        assert all(0 <= share.value <= 1 for share in shares)
        assert all(share.spans(share.value) for share in shares)
        assert sum(number for _, number in found.votes_by_day) >= found.leaderboard.votes
