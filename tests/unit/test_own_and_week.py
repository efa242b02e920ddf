"""What members see of their own votes, and what a channel's week was like."""

from __future__ import annotations

from datetime import date

import pytest

from bot.insight.counting import Counting
from bot.insight.own import own
from bot.insight.results import Own, Week
from bot.insight.week import week
from tests.unit.arenas import Row, Vote, arena, battle, vote

NOTHING = Own(votes=0, agreed=None, shared=0, right=0, guesses=0, base=None, decided=0)
SINCE, UNTIL = date(2026, 11, 2), date(2026, 11, 8)


def test_a_member_learns_of_their_own_votes_and_of_nobody_elses() -> None:
    votes = arena(
        battle(vote(7, "a", guess="right"), vote(1, "a"), vote(2, "b")),
        battle(vote(7, "b", guess="wrong"), vote(1, "b")),
        battle(vote(7, "tie", guess="not sure"), vote(1, "a", guess="right")),
        battle(vote(7, "a", guess="right"), a="tuned", b="instruct"),
        battle(vote(1, "a"), vote(2, "b")),
    )
    assert own(votes, 7, Counting()) == Own(
        votes=4, agreed=pytest.approx(0.5), shared=3, right=2, guesses=3, base=0.5, decided=2
    )


def test_votes_that_rankings_leave_out_are_still_votes_given() -> None:
    votes = arena(
        battle(vote(7, "a", blind=False), vote(1, "a")),
        battle(vote(7, "a"), purpose="control", b="base"),
        battle(vote(7, "a"), guild_id=2),
    )
    here = own(votes, 7, Counting(guilds=(1,)))
    assert (here.votes, here.shared, here.decided) == (2, 0, 0)
    assert own(votes, 7, Counting()).votes == 3


def test_prompts_that_a_model_learnt_from_are_left_out_of_nobodys_votes() -> None:
    votes = arena(battle(vote(7, "a", guess="right"), vote(1, "a"), b="tuned", unranked=1))
    assert own(votes, 7, Counting()) == Own(
        votes=1, agreed=1.0, shared=1, right=1, guesses=1, base=1.0, decided=1
    )


def test_who_never_voted_or_is_not_to_be_known_has_nothing() -> None:
    votes = arena(battle(vote(-1, "a"), vote(1, "b")))
    for stranger in (7, -1, 0):
        assert own(votes, stranger, Counting()) == NOTHING
    assert own(arena(), 7, Counting()) == NOTHING


def said(*outcomes: str) -> list[Vote]:
    return [vote(voter, outcome) for voter, outcome in enumerate(outcomes, start=1)]


def earlier(first: str, second: str, *outcomes: str) -> Row:
    return battle(*said(*outcomes), a=first, b=second, day="2026-11-01", channel_id=99)


BEFORE = [
    *(earlier("instruct", "base", *"aaaaaaab") for _ in range(4)),
    *(earlier("instruct", "base-2", *"aaaaabbb") for _ in range(4)),
]
"""Eight voters of the server put instruct before base-2, and that before base."""


def told(*battles: Row) -> Week:
    return week(arena(*BEFORE, *battles), 10, SINCE, UNTIL)


def test_the_upset_is_the_win_that_the_scores_made_least_likely() -> None:
    found = told(
        battle(*said(*"aab"), a="base-2", day="2026-11-02"),
        battle(*said(*"aab"), a="base", day="2026-11-03"),
        battle(*said(*"bbb"), a="base", day="2026-11-03"),
    )
    assert found.upset == 10
    assert (found.battles, found.votes, found.voters) == (3, 9, 3)
    assert found.ahead == "instruct"


def test_the_sides_do_not_matter_to_an_upset_and_the_clearest_of_equal_ones_is_told() -> None:
    found = told(
        battle(*said(*"aab"), a="base", day="2026-11-02"),
        battle(*said(*"bbb"), a="instruct", b="base", day="2026-11-02"),
    )
    assert found.upset == 10


def test_one_vote_or_a_favourites_win_is_no_upset() -> None:
    found = told(
        battle(*said("a"), a="base", day="2026-11-02"),
        battle(*said(*"bbb"), a="base", day="2026-11-02"),
        battle(*said(*"ab"), a="base", day="2026-11-02"),
    )
    assert found.upset is None


def test_the_best_raw_completion_has_the_most_votes_and_then_the_fewest_against() -> None:
    found = told(
        battle(*said(*"aab"), day="2026-11-02"),
        battle(*said(*"bb", "tie"), a="instruct", b="base-2", day="2026-11-02"),
        battle(*said(*"bbbb"), day="2026-11-02"),
    )
    assert found.base == 10
    assert told(battle(*said("b"), day="2026-11-02")).base is None


def test_the_closest_are_neighbours_among_those_who_met_that_week() -> None:
    both = [
        battle(*said(*"aab"), a="instruct", b=slug, day="2026-11-04") for slug in ("base", "base-2")
    ]
    assert told(*both).closest == ("instruct", "base-2")
    assert told(both[0]).closest == ("instruct", "base")


def test_other_channels_days_and_seen_votes_are_not_that_week() -> None:
    found = told(
        battle(*said(*"aaa"), day="2026-11-01"),
        battle(*said(*"aaa"), day="2026-11-09"),
        battle(*said(*"aaa"), day="2026-11-05", channel_id=11),
        battle(vote(1, "a", blind=False), day="2026-11-05"),
    )
    assert found == Week(
        battles=1, votes=0, voters=0, upset=None, base=None, closest=None, ahead=None
    )


def test_a_week_has_the_battles_that_rank_nobody_but_no_scores_of_them() -> None:
    learnt = battle(*said(*"aaa"), b="tuned", day="2026-11-05", unranked=1)
    found = told(learnt)
    assert (found.battles, found.votes, found.voters, found.base) == (1, 3, 3, 9)
    assert found.ahead == "base"
    assert told(learnt, battle(*said("a"), day="2026-11-05")).ahead == "instruct"


def test_scores_that_say_nothing_make_no_upset() -> None:
    few = [battle(*said(*"aab"), day="2026-11-05"), battle(*said("b"), day="2026-11-05")]
    found = week(arena(*few), 10, SINCE, UNTIL)
    assert (found.upset, found.closest, found.ahead) == (None, None, None)
    assert (found.base, found.voters) == (1, 3)
    assert week(arena(), 10, SINCE, UNTIL).battles == 0
