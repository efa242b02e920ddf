"""From votes to rows: which, and what is in them."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dataset.formats import dpo
from bot.dataset.pseudonyms import Pseudonyms
from bot.dataset.select import LeftOut, Preference, judge, without_ids
from bot.guilds import Moderation
from bot.moderation import concealed
from storage.records import BattleState, Outcome, Purpose
from tests.unit.records import battle, bot_said, said, talk, voted

TIE, BAD = Outcome.TIE, Outcome.BOTH_BAD
NAMES = Pseudonyms(b"k" * 32, linkable=True)
outcomes = st.lists(st.sampled_from([1, 2, TIE, BAD]), min_size=1, max_size=7)


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ([1], 1),
        ([2], 2),
        ([1, 1, 2], 1),
        ([1, 2], LeftOut.SPLIT),
        ([TIE], LeftOut.TIE),
        ([1, BAD, BAD], LeftOut.BOTH_BAD),
        ([1, TIE], LeftOut.SPLIT),
        ([1, 1, TIE, 2], 1),
    ],
)
def test_the_outcome_that_most_voters_gave_decides(votes: list[object], verdict: object) -> None:
    judged = judge(voted(battle(), *votes), {})
    assert (judged.chosen.id if isinstance(judged, Preference) else judged) == verdict


def test_what_does_not_count_is_left_out_with_its_reason() -> None:
    assert judge(voted(battle(purpose=Purpose.CONTROL), 1), {}) is LeftOut.NOT_LIVE
    assert judge(voted(battle(state=BattleState.CANCELLED), 1), {}) is LeftOut.NOT_SHOWN
    assert judge(voted(battle(texts=("Same  text", "same text")), 1), {}) is LeftOut.SAME_TEXT
    assert judge(replace(voted(battle(), 1), continued=True), {}) is LeftOut.CONTINUED
    assert judge(voted(battle(texts=("ask <@1>", "ask <@22>")), 1), {}) is LeftOut.SAME_TEXT


@given(outcomes)
def test_sides_change_nothing(votes: list[object]) -> None:
    straight, swapped = (judge(voted(battle(swapped=s), *votes), {}) for s in (False, True))
    if isinstance(straight, LeftOut):
        assert straight == swapped
    else:
        assert dpo(straight, NAMES) == dpo(swapped, NAMES)


@given(outcomes)
def test_the_order_of_votes_changes_nothing(votes: list[object]) -> None:
    verdicts = [judge(voted(battle(), *order), {}) for order in list(permutations(votes))[:24]]
    kinds = {v if isinstance(v, LeftOut) else v.chosen.id for v in verdicts}
    assert len(kinds) == 1


@given(outcomes)
def test_chosen_never_equals_rejected(votes: list[object]) -> None:
    judged = judge(voted(battle(texts=("left", "right")), *votes), {})
    if isinstance(judged, Preference):
        row = dpo(judged, NAMES)
        assert row["chosen"] != row["rejected"]
        assert row["votes_chosen"] > row["votes_rejected"]


def test_a_row_names_no_person_and_no_id() -> None:
    log = talk(
        said("ask <@123456789012345678>", name="Alice Smith"),
        bot_said("I did"),
        said("in <#42> or <@&7>?", by=2, name="Bob"),
    )
    row = dpo(judge(voted(battle(conversation=log), 1), {}), NAMES)
    assert row["prompt"] == [
        {"role": "user", "content": "Member 1: ask @someone"},
        {"role": "assistant", "content": "I did"},
        {"role": "user", "content": "Member 2: in #someone or @&someone?"},
    ]


@pytest.mark.parametrize(
    ("text", "leaves_as"),
    [
        ("<:wave:123456789012345678> <a:hop:12345678901234567>", ":wave: :hop:"),
        ("discord.com/channels/123456789012345678/5", "discord.com/channels/[id]/5"),
        ("call 12345678901234567890, or 1234567890123456", "call [id], or 1234567890123456"),
        ("3.14159265358979323846", "3.14159265358979323846"),
    ],
)
def test_no_id_of_discords_leaves(text: str, leaves_as: str) -> None:
    assert without_ids(text) == leaves_as


def test_a_row_weighs_what_those_weigh_who_chose_its_answer() -> None:
    judged = judge(voted(battle(), 1, 1, 2), {1: 0.25, 2: 0.5, 3: 0.0})
    assert dpo(judged, NAMES)["weight"] == 0.4
    assert dpo(judge(voted(battle(), 1), {}), NAMES)["weight"] == 1.0


def test_what_moderation_hid_is_no_preference_and_a_spoiler_is_only_its_text() -> None:
    of = battle(texts=("rude", "kind"))
    for how, leaves in ((Moderation.HIDE, None), (Moderation.SPOILER, "rude")):
        rude = concealed(of.answers[0], ["words"], whole="rude", how=how)
        judged = judge(voted(replace(of, answers=(rude, of.answers[1])), 1), {})
        if leaves is None:
            assert judged is LeftOut.HIDDEN
        else:
            assert dpo(judged, NAMES)["chosen"][0]["content"] == leaves
