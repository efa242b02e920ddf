"""From votes to rows: which, and what is in them."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dataset.anonymity import Anonymity, without_ids
from bot.dataset.formats import dpo
from bot.dataset.pseudonyms import Pseudonyms
from bot.dataset.select import LeftOut, Preference, judge
from bot.guilds import Moderation
from bot.moderation import concealed
from storage.records import NOBODY, BattleState, Outcome, Purpose
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


def test_votes_after_the_reveal_are_counted_and_decide_nothing() -> None:
    both = voted(battle(), 1, 2, 2, 2)
    told = tuple(replace(vote, blind=vote.winner_answer_id == 1) for vote in both.votes)
    row = dpo(judge(replace(both, votes=told), {1: 0.5}), NAMES)
    assert (row["votes_chosen"], row["votes_rejected"], row["votes_not_blind"]) == (1, 0, 3)
    assert (row["chosen"][0]["content"], row["weight"]) == ("answer 1", 0.5)
    assert judge(replace(both, votes=told[1:]), {}) is LeftOut.NOT_BLIND


def test_what_does_not_count_is_left_out_with_its_reason() -> None:
    assert judge(voted(battle(purpose=Purpose.CONTROL), 1), {}) is LeftOut.NOT_LIVE
    assert judge(voted(battle(state=BattleState.CANCELLED), 1), {}) is LeftOut.NOT_SHOWN
    assert judge(voted(battle(texts=("Same  text", "same text")), 1), {}) is LeftOut.SAME_TEXT
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


def test_names_in_texts_are_those_of_members_and_the_bot_keeps_its_own() -> None:
    log = talk(
        said("I am Ann", name="Ann"),
        bot_said("Hello Ann, I am Twofold"),
        said("and I? bob?", by=2, name="Bob"),
    )
    of = battle(texts=("Twofold greets BOB", "Ann's *Bob*"), conversation=log)
    row = dpo(judge(voted(of, 1), {}), NAMES)
    assert [message["content"] for message in row["prompt"]] == [
        "Member 1: I am Member 1",
        "Hello Member 1, I am Twofold",
        "Member 2: and I? Member 2?",
    ]
    assert row["chosen"][0]["content"] == "Twofold greets Member 2"
    assert row["rejected"][0]["content"] == "Member 1's *Member 2*"


@pytest.mark.parametrize(
    ("text", "leaves_as"),
    [
        ("Ann Lee and Ann", "Member 2 and Member 1"),
        ("Annie, Joann, Ann1, Ann_e", "Annie, Joann, Ann1, Member 1_e"),
        ("_Ann_ (ANN)", "_Member 1_ (Member 1)"),
        ("x <3 | y x 3 y", "Member 3 | y Member 3 y"),
        ("someone, X, Twofold 2", "someone, X, Member 5"),
        ("Ann 2", "Member 6"),
        ("Ann Twofold", "Member 1 Twofold"),
    ],
)
def test_whole_names_are_found_the_longest_first(text: str, leaves_as: str) -> None:
    people = ("Ann", "Ann Lee", "x <3", "X", "Twofold", "Ann")
    turns = [said("hi", by=number, name=name) for number, name in enumerate(people, start=1)]
    log = talk(*turns, said("<message omitted>", by=NOBODY, name="someone"))
    assert Anonymity(log).of(text) == leaves_as


def test_texts_that_differ_by_a_members_name_alone_are_the_same() -> None:
    log = talk(said("I am Ann", name="Ann"), said("Lee", name="Ann Lee"))
    assert judge(voted(battle(texts=("Hi Ann", "Hi Ann Lee"), conversation=log), 1), {}) is (
        LeftOut.SAME_TEXT
    )


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


def test_names_are_found_in_what_redaction_left_of_them() -> None:
    def redact(text: str) -> str:
        return re.sub(r"\+\d+", "<PHONE>", text)

    log = talk(said("hi", name="Ann (+4930901820)"), said("and hi", by=2, name="+4930901821"))
    anonymity = Anonymity(log, redact=redact)
    assert anonymity.of("Ann (+4930901820)? ring +4930901829") == "Member 1? ring <PHONE>"
    assert anonymity.of("+4930901821 said so") == "<PHONE> said so"


def test_a_guild_decides_whether_what_leaves_is_redacted() -> None:
    log = talk(bot_said("my secret, your secret", message=9), said("what secret?"))
    of = voted(battle(texts=("no secret", "a secret"), conversation=log), 1)
    for settings, kept in (({}, True), ({"redaction": False}, True), ({"redaction": True}, False)):
        judged = judge(
            replace(of, settings=settings), {}, redact=lambda text: text.replace("secret", "<X>")
        )
        row = dpo(judged, NAMES)
        assert ("secret" in str(row)) is kept
        assert ("<X>" in str(row)) is not kept
    hides_all = {"redaction": True}
    assert judge(replace(of, settings=hides_all), {}, redact=lambda _: "<X>") is LeftOut.SAME_TEXT


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
