"""Rankings: who comes first, how sure that is, and what is counted."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from benchmarks.coverage import SOCIETIES, study
from bot.insight.counting import BothBad, Counting, Weights
from bot.insight.leaderboard import leaderboard
from tests.unit.arenas import arena, battle, drawn, vote

SLUGS = ("base-1", "base-2", "one", "two")


def test_every_vote_is_in_the_figures_of_both_contenders() -> None:
    board = leaderboard(
        arena(
            battle(vote(1, "a"), vote(2, "tie"), vote(-1, "b"), day="2026-11-03"),
            battle(vote(1, "both bad"), vote(3, "b"), a="instruct", b="base"),
            battle(day="2026-12-01"),
        ),
        Counting(),
    )
    assert (board.votes, board.battles, board.voters) == (5, 2, 3)
    assert (board.first_day, board.last_day) == (date(2026, 11, 1), date(2026, 11, 3))
    base, instruct = sorted(board.lines, key=lambda line: line.entrant.slug)
    for line, won in ((base, 2), (instruct, 1)):
        assert (line.wins, line.losses, line.ties, line.both_bad) == (won, 3 - won, 1, 1)
        assert (line.battles, line.voters, line.told) == (2, 3, False)
        assert (line.best, line.worst) == (1, 2)
        assert math.isnan(line.score.low)
    [met] = board.meetings
    assert {met.first: met.wins, met.second: met.losses} == {"base": 2, "instruct": 1}
    assert met.undecided == 2
    assert met.first == board.lines[0].entrant.slug


def test_planted_strengths_come_out_in_their_order_and_inside_their_intervals() -> None:
    planted = dict(zip(SLUGS, (-1.0, -0.3, 0.3, 1.0), strict=True))
    board = leaderboard(drawn(battles=1500, slugs=SLUGS, strength=planted), Counting())
    assert [line.entrant.slug for line in board.lines] == ["two", "one", "base-2", "base-1"]
    for rank, line in enumerate(board.lines, start=1):
        assert (line.best, line.worst, line.told) == (rank, rank, True)
        assert line.score.spans(1000 + 400 / math.log(10) * planted[line.entrant.slug])
    assert np.mean([line.score.value for line in board.lines]) == pytest.approx(1000)


def test_equal_contenders_may_hold_any_rank() -> None:
    board = leaderboard(drawn(battles=60, slugs=SLUGS), Counting())
    assert {(line.best, line.worst) for line in board.lines} == {(1, 4)}


def test_one_voter_with_many_votes_does_not_make_a_ranking() -> None:
    votes = drawn(battles=300, each=1, voters=20)
    mine = np.arange(300) < 200
    won = np.where(votes.contender[:, 0] == 0, 0, 1)
    votes = replace(
        votes,
        voter=np.where(mine, 20, votes.voter).astype(np.int32),
        outcome=np.where(mine, won, votes.outcome).astype(np.int8),
    )
    board = leaderboard(votes, Counting())
    assert {(line.best, line.worst) for line in board.lines} == {(1, 2)}
    even = leaderboard(votes, Counting(weights=Weights.EQUAL))
    assert even.lines[0].score.value > board.lines[0].score.value + 50


def test_too_few_voters_and_battles_apart_are_not_told_of_and_come_last() -> None:
    many = [battle(*(vote(voter, "ab"[voter % 2]) for voter in range(1, 7))) for _ in range(3)]
    few = [battle(*(vote(voter) for voter in range(1, 5)), b="rare") for _ in range(9)]
    apart = [battle(*(vote(voter) for voter in range(1, 7)), a="x", b="y")]
    board = leaderboard(arena(*many, *few, *apart), Counting())
    assert [line.told for line in board.lines] == [True, True, False, False, False]
    assert {line.entrant.slug for line in board.lines[:2]} == {"base", "instruct"}
    assert {line.worst for line in board.lines[:2]} <= {1, 2}
    assert {line.worst for line in board.lines[2:]} == {5}
    assert np.mean([line.score.value for line in board.lines[:2]]) == pytest.approx(1000)


def test_what_is_left_out_is_told_with_its_reason() -> None:
    votes = arena(
        battle(vote(1), vote(2, blind=False), vote(3, by_author=True), vote(4, "both bad")),
        battle(vote(1), vote(2), purpose="mirror", mirror_of_id=1),
        battle(vote(1), b="base", purpose="control"),
        battle(vote(1), vote(2, blind=False), vote(5, "both bad"), b="tuned", unranked=1),
        battle(vote(1), purpose="mirror", mirror_of_id=4, b="tuned", unranked=1),
    )
    fewer = Counting(author_votes=False, both_bad=BothBad.LEAVE_OUT)
    revealed = {
        "mirror battles": 3,
        "control battles": 1,
        "on prompts that a tuned model learnt from": 3,
        "given after the reveal": 1,
    }
    board = leaderboard(votes, Counting())
    assert board.not_counted == revealed
    assert {line.entrant.slug for line in board.lines} == {"base", "instruct"}
    assert leaderboard(votes, fewer).not_counted == revealed | {
        "by the prompt's author": 1,
        "both answers bad": 1,
    }


def test_both_bad_is_a_tie_or_nothing() -> None:
    votes = drawn(battles=200)
    bad = np.arange(len(votes.of)) % 4 == 0
    votes = replace(votes, outcome=np.where(bad, 3, votes.outcome).astype(np.int8))
    assert leaderboard(votes, Counting()).tie > 0.2
    assert leaderboard(votes, Counting(both_bad=BothBad.LEAVE_OUT)).tie == 0


def test_style_takes_out_what_length_does() -> None:
    """Voters only ever want the longer answer, and one contender writes long ones."""
    votes = drawn(battles=600)
    long = np.where(votes.contender == 1, 3, 1) * votes.characters
    chance = 1 / (1 + np.exp(-3 * (long[:, 0] - long[:, 1]) / long.sum(axis=1)))
    thrown = np.random.default_rng(8).random(len(votes.of)) >= chance[votes.of]
    votes = replace(votes, characters=long, outcome=thrown.astype(np.int8))
    plain, styled = (leaderboard(votes, Counting(style=style)) for style in (False, True))
    assert [(line.best, line.worst) for line in plain.lines] == [(1, 1), (2, 2)]
    assert [(line.best, line.worst) for line in styled.lines] == [(1, 2), (1, 2)]


def test_without_battles_the_board_is_empty() -> None:
    board = leaderboard(drawn(), Counting(guilds=(99,)))
    assert (board.lines, board.meetings, board.votes, board.first_day) == ((), (), 0, None)


def test_intervals_hold_where_voters_are_unequal_and_have_opinions() -> None:
    """A quick part of `benchmarks/coverage.py`; what takes votes as independent fails it."""
    ours, naive = study(SOCIETIES[1], 100, voters=300_000)
    assert min(ours) > 0.9
    assert max(naive) < 0.8
