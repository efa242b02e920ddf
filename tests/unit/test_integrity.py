"""A voter's figures: what moves them, what does not, and what the weight makes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.integrity import Counted, Integrity, figures, integrity, is_hasty
from storage.records import Consent, Outcome, Purpose, SeenVote, Side

A, B = Side
SEEN = SeenVote(
    voter_id=1,
    purpose=Purpose.LIVE,
    outcome=Outcome.WIN,
    side=A,
    seconds=60,
    tokens=(100, 100),
    others=0,
    agreeing=0,
    consistent=None,
    said=(None, Consent.EVALUATE),
    settings={},
)
TIE = replace(SEEN, outcome=Outcome.TIE, side=None)
EVEN = [SEEN, replace(SEEN, side=B)]


def weight(*votes: SeenVote) -> float:
    return integrity(votes).weight


def test_one_vote_tells_next_to_nothing_against_anybody() -> None:
    assert weight(SEEN) == 1
    assert weight(TIE) == 1
    assert weight(replace(SEEN, seconds=0)) > 0.85
    assert weight(replace(SEEN, others=1)) > 0.75
    assert weight(replace(SEEN, consistent=False)) > 0.75


def test_always_one_side_as_the_voter_saw_it_weighs_less_and_less() -> None:
    few, many = integrity([SEEN] * 8 + [TIE]), integrity([SEEN] * 100)
    assert few.one_side == Counted(8, 8)
    assert few.longest_run == 8
    assert many.weight < 0.1 < few.weight < 1
    fair = integrity(EVEN * 50)
    assert (fair.one_side, fair.longest_run, fair.weight) == (Counted(50, 100), 1, 1)


def test_a_run_is_counted_and_not_weighed() -> None:
    halves = integrity([SEEN] * 20 + [replace(SEEN, side=B)] * 20)
    assert (halves.longest_run, halves.weight) == (20, 1)


@pytest.mark.parametrize(
    ("seconds", "tokens", "hasty"),
    [
        # 200 tokens are 150 words: 37.8 s to read, 9.5 s to skim.
        (9.4, (100, 100), True),
        (9.5, (100, 100), False),
        (9.4, (0, 100), False),
        (0.0, (0, 0), False),
        # A message shows some 450 tokens of an answer at most.
        (43.0, (5000, 5000), False),
        (42.0, (5000, 5000), True),
    ],
)
def test_hasty_is_sooner_than_both_answers_can_be_skimmed(
    seconds: float, tokens: tuple[int, int], hasty: bool
) -> None:
    assert is_hasty(seconds, tokens) is hasty


def test_haste_costs_half_at_most_and_what_is_not_timed_nothing() -> None:
    assert 0.5 <= weight(*[replace(vote, seconds=1) for vote in EVEN * 100]) < 0.52
    assert integrity([replace(SEEN, seconds=None)]).hasty == Counted(0, 0)


def test_only_live_votes_are_timed() -> None:
    """A mirror was read before, and a control is not asked in earnest."""
    fast = [replace(SEEN, seconds=1, purpose=p) for p in (Purpose.MIRROR, Purpose.CONTROL)]
    assert integrity(fast * 20).hasty == Counted(0, 0)
    assert integrity([*fast, replace(SEEN, seconds=1)]).hasty == Counted(1, 1)


def test_agreement_is_with_others_on_live_battles() -> None:
    shared = replace(TIE, others=4, agreeing=1)
    alone, control = TIE, replace(shared, purpose=Purpose.CONTROL)
    assert integrity([shared, alone, control]).agreement == Counted(0.25, 1)
    assert weight(*[shared] * 200) == 1  # no worse than pressing at random
    assert weight(*[replace(shared, agreeing=0)] * 200) < 0.1


def test_mirrors_weigh_as_often_as_the_same_was_said() -> None:
    kept, broken = replace(TIE, consistent=True), replace(TIE, consistent=False)
    assert integrity([kept, broken, TIE]).mirrors == Counted(1, 2)
    assert weight(*[kept] * 50) == 1
    assert weight(*[broken] * 50) < 0.1


def test_ties_on_controls_are_told_and_not_weighed() -> None:
    control = replace(SEEN, purpose=Purpose.CONTROL)
    seen = integrity([control, replace(control, outcome=Outcome.TIE, side=None)])
    assert (seen.control_ties, seen.weight) == (Counted(1, 2), 1)


seen_votes = st.builds(
    replace,
    st.just(SEEN),
    purpose=st.sampled_from(Purpose),
    outcome=st.sampled_from(Outcome),
    side=st.sampled_from([A, B, None]),
    seconds=st.none() | st.floats(0, 1e6),
    others=st.just(3),
    agreeing=st.integers(0, 3),
    consistent=st.sampled_from([True, False, None]),
)


@given(st.lists(seen_votes, min_size=1))
def test_a_weight_is_from_0_to_1_and_does_not_know_left_from_right(votes: list) -> None:
    other_way = {A: B, B: A, None: None}
    turned = [replace(vote, side=other_way[vote.side]) for vote in votes]
    assert integrity(turned) == integrity(votes)
    assert 0 <= weight(*votes) <= 1


async def test_voters_come_one_by_one_and_who_did_not_agree_is_not_measured() -> None:
    no = replace(SEEN, voter_id=2, said=(Consent.NONE, Consent.TRAIN))
    here_only = replace(SEEN, voter_id=3)
    capped = replace(SEEN, voter_id=3, settings={"consent_cap": "none"})
    seen: list[Integrity] = [v async for v in figures(_stream(SEEN, SEEN, no, here_only, capped))]
    assert [(voter.voter_id, voter.votes) for voter in seen] == [(1, 2), (3, 1)]
    assert [v async for v in figures(_stream(no))] == []


async def _stream(*votes: SeenVote):
    for vote in votes:
        yield vote
