"""Which votes become preferences, by every choice of the policy, and why the others do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.dataset.funnel import LeftOut, VoteLeftOut
from bot.dataset.policy import Policy
from bot.dataset.select import EDIT, Counts, Selector, Verdict
from bot.guilds import Moderation
from bot.moderation import concealed
from storage.records import BattleState, Kind, Outcome, Purpose, VotedBattle, Written
from tests.unit.records import battle, said, talk, voted

TIE, BAD = Outcome.TIE, Outcome.BOTH_BAD
outcomes = st.lists(st.sampled_from([1, 2, TIE, BAD]), min_size=1, max_size=7)


def judged(
    of: VotedBattle, *, weights: dict[int, float] | None = None, **policy: Any
) -> list[Verdict] | LeftOut:
    return Selector(Policy(**policy), weights=weights or {}).judge(of)


def told(of: VotedBattle, **options: Any) -> list[object] | LeftOut:
    """Who was chosen, by answer, or what was said of both."""
    verdicts = judged(of, **options)
    if isinstance(verdicts, LeftOut):
        return verdicts
    return [
        v.chosen.answer.id if v.outcome is Outcome.WIN and v.chosen.answer else v.outcome
        for v in verdicts
    ]


def marked(of: VotedBattle, voters: set[int], **changes: Any) -> VotedBattle:
    votes = (v._replace(**changes) if v.voter_id in voters else v for v in of.votes)
    return of._replace(votes=tuple(votes))


def answered(of: VotedBattle, index: int, **changes: Any) -> VotedBattle:
    answers = [*of.answers]
    answers[index] = answers[index]._replace(**changes)
    return of._replace(answers=tuple(answers))


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ([1], 1),
        ([2], 2),
        ([1, 1, 2], 1),
        ([1, 2], LeftOut.SPLIT),
        ([TIE], LeftOut.TIE),
        ([1, BAD, BAD], BAD),
        ([1, TIE], LeftOut.SPLIT),
        ([1, 1, TIE, 2], 1),
    ],
)
def test_the_outcome_that_most_voters_gave_decides(votes: list[Any], verdict: object) -> None:
    said_so = told(voted(battle(), *votes))
    assert said_so == (verdict if isinstance(verdict, LeftOut) else [verdict])


@pytest.mark.parametrize(
    ("deciding", "votes", "verdict"),
    [
        ("unanimous", [1, 1], [1]),
        ("unanimous", [1, 1, 2], LeftOut.NOT_UNANIMOUS),
        ("weighted", [1, 1, 2], [2]),
        ("weighted", [1, TIE, 2], [2]),
        ("weighted", [2, 1], LeftOut.SPLIT),
        ("every", [1, 2, 1, BAD], [1, 1, 2, BAD]),
    ],
)
def test_there_are_other_ways_to_decide(deciding: str, votes: list[Any], verdict: object) -> None:
    weights = {1: 0.25, 2: 0.5} if votes != [2, 1] else {}
    assert told(voted(battle(), *votes), deciding=deciding, weights=weights) == verdict


of_two = voted(battle(), 1, 1)
not_blind = marked(voted(battle(), 1, 2, 2, 2), {2, 3, 4}, blind=False)
by_author = marked(voted(battle(), 1, 1, 2), {1, 2}, by_author=True)
edited = voted(battle(), 1, remarks=(Written(1, None, None, 2, "better"),))


@pytest.mark.parametrize(
    ("of", "policy", "without", "with_it"),
    [
        (not_blind, {"votes": "all"}, [1], [2]),
        (of_two, {"min_votes": 3}, [1], LeftOut.FEW_VOTES),
        (voted(battle(), 1, 1, 2), {"min_agreement": 0.7}, [1], LeftOut.LITTLE_AGREEMENT),
        (voted(battle(), 1, 1, 2), {"min_agreement": 0.6}, [1], [1]),
        (by_author, {"author_votes": False}, [1], [2]),
        (
            voted(battle(purpose=Purpose.CONTROL), 1),
            {"purposes": ("live", "control")},
            LeftOut.NOT_LIVE,
            [1],
        ),
        (of_two, {"since": date(2026, 11, 2)}, [1], LeftOut.DATE),
        (of_two, {"since": date(2026, 11, 1)}, [1], [1]),
        (of_two, {"until": date(2026, 10, 31)}, [1], LeftOut.DATE),
        (of_two, {"until": date(2026, 11, 1)}, [1], [1]),
        (of_two, {"contenders": ("base-1",)}, [1], LeftOut.CONTENDER),
        (of_two, {"contenders": ("base-1", "instruct-2")}, [1], [1]),
        (of_two, {"templates": ("story",)}, [1], LeftOut.TEMPLATE),
        (of_two, {"templates": ("story", "transcript")}, [1], [1]),
        (answered(of_two, 1, tags=("leak:name",)), {"without_tags": ("leak",)}, [1], LeftOut.TAG),
        (answered(of_two, 1, tags=("leaky",)), {"without_tags": ("leak",)}, [1], [1]),
        (voted(battle(), TIE), {"ties": "soft"}, LeftOut.TIE, [TIE]),
        (voted(battle(), BAD), {"both_bad": "leave_out"}, [BAD], LeftOut.BOTH_BAD),
        (edited, {"edits": "leave_out"}, [1, Outcome.WIN], [1]),
    ],
)
def test_each_choice_makes_its_difference(
    of: VotedBattle, policy: dict[str, Any], without: object, with_it: object
) -> None:
    assert (told(of), told(of, **policy)) == (without, with_it)


@pytest.mark.parametrize(
    ("of", "policy", "reason"),
    [
        (of_two, {"chosen_kinds": ("instruct",)}, LeftOut.KIND),
        (of_two, {"chosen_kinds": ("base",)}, None),
        (voted(battle(texts=("a", "b" * 5)), 1), {"length_ratio": 4}, LeftOut.LENGTH),
        (voted(battle(texts=("a", "b" * 4)), 1), {"length_ratio": 4}, None),
        (answered(of_two, 0, tags=("cut_short",)), {}, LeftOut.CUT),
        (answered(of_two, 0, tags=("cut_short",)), {"cut": True}, None),
        (answered(of_two, 1, tags=("cut_short",)), {}, None),
        (answered(of_two, 0, tags=("truncated",)), {}, LeftOut.CUT),
        (answered(of_two, 0, tags=("truncated",)), {"text": "raw"}, None),
    ],
)
def test_a_pair_fits_or_not_by_its_two_texts(
    of: VotedBattle, policy: dict[str, Any], reason: LeftOut | None
) -> None:
    selector = Selector(Policy(**policy), weights={})
    (verdict,) = selector.judge(of)
    assert selector.fits(verdict) is reason


def test_votes_that_decide_nothing_are_counted_by_why() -> None:
    selector = Selector(Policy(author_votes=False), weights={})
    (verdict,) = selector.judge(not_blind)
    assert verdict.counts == Counts(chosen=1, not_blind=3)
    (verdict,) = selector.judge(by_author)
    assert verdict.counts == Counts(chosen=1)
    assert selector.judge(marked(of_two, {1, 2}, blind=False)) is LeftOut.NO_VOTE_LEFT
    assert selector.votes_left_out == {VoteLeftOut.NOT_BLIND: 5, VoteLeftOut.BY_AUTHOR: 2}


def test_what_cannot_be_a_preference_is_left_out_with_its_reason() -> None:
    cancelled = voted(battle(state=BattleState.CANCELLED), 1)
    assert told(cancelled) is LeftOut.NOT_SHOWN
    assert told(voted(battle(texts=("Same  text", "same text")), 1)) is LeftOut.SAME_TEXT
    assert told(voted(battle(texts=("ask <@1>", "ask <@22>")), 1)) is LeftOut.SAME_TEXT
    assert told(voted(battle(texts=("\n", "text")), 1)) is LeftOut.EMPTY
    log = talk(said("I am Ann", name="Ann"), said("Lee", name="Ann Lee"))
    named = voted(battle(texts=("Hi Ann", "Hi Ann Lee"), conversation=log), 1)
    assert told(named) is LeftOut.SAME_TEXT


def test_what_a_voter_wrote_anew_is_better_than_what_it_replaces() -> None:
    remarks = (Written(1, None, None, 2, "anew"), Written(2, None, "a comment", None, None))
    verdicts = judged(voted(battle(), 1, 2, remarks=remarks))
    ((chosen, rejected),) = [(v.chosen, v.rejected) for v in verdicts]
    assert (chosen.text, chosen.kind, chosen.answer) == ("anew", EDIT, None)
    assert rejected.answer.id == 2
    late = marked(voted(battle(), 1, TIE, remarks=remarks[:1]), {1}, blind=False)
    assert told(late) is LeftOut.TIE
    same = (Written(1, None, None, 2, "Answer  2"),)
    assert told(voted(battle(), 1, 2, remarks=same)) is LeftOut.SPLIT


ways = st.sampled_from(["majority", "unanimous", "weighted", "every"])


@given(outcomes, ways)
def test_sides_change_nothing_not_even_the_order(votes: list[Any], deciding: str) -> None:
    def leaving(swapped: bool) -> object:
        of = voted(battle(swapped=swapped), *votes)
        verdicts = judged(of, deciding=deciding, ties="soft", weights={1: 0.5})
        if isinstance(verdicts, LeftOut):
            return verdicts
        return [(v.outcome, v.chosen.text, v.rejected.text, v.counts, v.weight) for v in verdicts]

    assert leaving(False) == leaving(True)


@given(outcomes, ways)
def test_the_order_of_votes_changes_nothing(votes: list[Any], deciding: str) -> None:
    orders = list(permutations(votes))[:24]
    assert len({str(told(voted(battle(), *order), deciding=deciding)) for order in orders}) == 1


def test_a_verdict_weighs_what_those_weigh_who_said_so() -> None:
    weights = {1: 0.25, 2: 0.5, 3: 0.0}
    (verdict,) = judged(voted(battle(), 1, 1, 2), weights=weights)
    assert verdict.weight == 0.375
    (verdict,) = judged(voted(battle(), 1))
    assert verdict.weight == 1.0


def test_what_moderation_hid_is_no_preference_and_a_spoiler_is_only_its_text() -> None:
    of = battle(texts=("rude", "kind"))
    for how, leaves in ((Moderation.HIDE, None), (Moderation.SPOILER, "rude")):
        rude = concealed(of.answers[0], ["words"], whole="rude", how=how)
        verdicts = judged(voted(replace(of, answers=(rude, of.answers[1])), 1))
        if leaves is None:
            assert verdicts is LeftOut.HIDDEN
        else:
            assert verdicts[0].chosen.text == leaves


def test_raw_text_is_what_the_model_wrote() -> None:
    of = answered(of_two, 0, raw=" more than was shown", kind=Kind.BASE)
    (verdict,) = judged(of, text="raw")
    assert (verdict.chosen.text, verdict.rejected.text) == (" more than was shown", " answer 2")


@pytest.mark.parametrize(
    "impossible",
    [
        {"validation": 0.6, "test": 0.5},
        {"since": "2026-11-02", "until": "2026-11-01"},
        {"min_votes": 0},
        {"length_ratio": 0.5},
        {"unknown": 1},
    ],
)
def test_a_policy_that_cannot_be_is_refused(impossible: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policy(**impossible)


def test_what_a_tuned_contender_learnt_from_is_not_new_to_it() -> None:
    def judge(learnt: set[int]) -> list[Verdict] | LeftOut:
        return Selector(Policy(new_to="wild-dpo-1"), weights={}, learnt=learnt).judge(of)

    of = voted(battle(), 1)
    assert judge({of.id}) is LeftOut.LEARNT
    assert isinstance(judge({of.id + 1}), list)
