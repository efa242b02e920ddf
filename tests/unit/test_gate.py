"""Who must have agreed before a battle may leave."""

from __future__ import annotations

from typing import Any

import pytest

from bot.context import PLACEHOLDER
from bot.dataset.funnel import LeftOut
from bot.dataset.gate import Gate, allowed, require_permission
from bot.errors import ConfigError
from storage.records import (
    NOBODY,
    Consent,
    Happened,
    Outcome,
    VotedBattle,
    VoteEventKind,
    Wiped,
    Written,
    effective,
)
from tests.unit.records import DAY, Words, battle, bot_said, said, talk, voted

NONE, EVALUATE, TRAIN, PUBLISH = Consent
ALICE, BOB = 1, 2  # both voted on what Alice said


def case(**changes: Any) -> VotedBattle:
    said = Words(dict.fromkeys((ALICE, BOB), (None, TRAIN)))
    return voted(battle(), 1, 2, said=said, **changes)


def admit(of: VotedBattle, purpose: Consent, *, unvoted: bool = False) -> VotedBattle | LeftOut:
    return Gate(purpose, unvoted=unvoted).admit(of)


def who_said(of: VotedBattle, member: int, scope: Consent) -> VotedBattle:
    return of._replace(said=Words(of.said | {member: (scope, None)}))


def test_where_everybody_agreed_all_votes_count() -> None:
    assert admit(case(), TRAIN) == case()


@pytest.mark.parametrize(
    ("here", "everywhere", "cap", "comes_to"),
    [
        (None, None, PUBLISH, NONE),
        (None, TRAIN, PUBLISH, TRAIN),
        (NONE, PUBLISH, PUBLISH, NONE),
        (PUBLISH, NONE, PUBLISH, PUBLISH),
        (PUBLISH, None, TRAIN, TRAIN),
        (EVALUATE, None, TRAIN, EVALUATE),
    ],
)
def test_what_was_said_here_counts_first_and_is_capped(
    here: Consent | None, everywhere: Consent | None, cap: Consent, comes_to: Consent
) -> None:
    assert effective(here, everywhere, cap) is comes_to


def test_a_scope_includes_those_before_it_and_no_other() -> None:
    assert [[a.includes(b) for b in Consent] for a in Consent] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]


def test_a_guild_caps_what_its_members_said_and_asks_for_training_at_most_by_itself() -> None:
    assert allowed((None, PUBLISH), {}, TRAIN)
    assert not allowed((None, PUBLISH), {}, PUBLISH)
    assert not allowed((None, PUBLISH), {"consent_cap": "evaluate"}, TRAIN)
    assert allowed((None, PUBLISH), {"consent_cap": "evaluate"}, EVALUATE)
    assert admit(case(settings={"consent_cap": "none"}), EVALUATE) is LeftOut.NO_CONSENT


def test_each_guild_has_its_own_words_and_cap_in_one_export() -> None:
    gate = Gate(TRAIN)
    capped = case(guild_id=6, settings={"consent_cap": "evaluate"})
    silent = voted(battle(), 1)._replace(guild_id=7)
    for of, out in ((case(), True), (capped, False), (silent, False), (case(), True)):
        assert isinstance(gate.admit(of), VotedBattle) is out


def test_one_speaker_who_did_not_agree_keeps_the_battle_in() -> None:
    words = talk(said("mine", by=BOB), bot_said("ours", message=9), said("and mine", by=3))
    inside = case(conversation=words)
    assert admit(inside, TRAIN) is LeftOut.NO_CONSENT
    assert isinstance(admit(who_said(inside, 3, TRAIN), TRAIN), VotedBattle)
    only_for_statistics = who_said(inside, 3, EVALUATE)
    assert admit(only_for_statistics, TRAIN) is LeftOut.NO_CONSENT
    assert isinstance(admit(only_for_statistics, EVALUATE), VotedBattle)


def test_those_whom_the_bot_had_answered_speak_in_its_turns() -> None:
    words = talk(bot_said("Carol is ill", message=9), said("who is?", by=BOB))
    inside = case(conversation=words, speakers=frozenset({BOB, 3}))
    assert admit(inside, TRAIN) is LeftOut.NO_CONSENT
    assert isinstance(admit(who_said(inside, 3, TRAIN), TRAIN), VotedBattle)
    unknown = talk(bot_said("Carol is ill"), said("who is?", by=BOB))
    assert admit(case(conversation=unknown), TRAIN) is LeftOut.NO_CONSENT


def test_a_placeholder_is_nobodys_words_and_needs_no_consent() -> None:
    for text, may in ((PLACEHOLDER, True), ("what somebody said", False)):
        words = talk(said(text, by=NOBODY), said("hello", by=ALICE))
        left = admit(case(conversation=words), TRAIN)
        assert isinstance(left, VotedBattle) is may


def test_a_voter_who_did_not_agree_leaves_with_all_that_is_theirs() -> None:
    of = case(
        remarks=tuple(Written(who, None, "why", 1, "better") for who in (ALICE, BOB)),
        events=tuple(
            Happened(who, who, VoteEventKind.CAST, Outcome.WIN, 1, blind=True, day=DAY)
            for who in (ALICE, BOB)
        ),
    )
    left = admit(who_said(of, BOB, EVALUATE), TRAIN)
    assert isinstance(left, VotedBattle)
    for theirs in (left.votes, left.remarks, left.events):
        assert [one.voter_id for one in theirs] == [ALICE]


def test_where_no_vote_counts_there_is_nothing_to_tell_unless_all_is_wanted() -> None:
    first = case().votes[0]
    nobodys = case(votes=(first._replace(voter_id=-first.voter_id),))
    assert admit(nobodys, TRAIN) is LeftOut.NO_VOTE
    assert admit(case(votes=()), TRAIN) is LeftOut.WITHDRAWN
    assert admit(nobodys, TRAIN, unvoted=True) == case(votes=())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"wiped_because": Wiped.RETENTION}, LeftOut.RETENTION),
        ({"wiped_because": Wiped.DELETED}, LeftOut.DELETED),
        ({"wiped_because": Wiped.ERASED}, LeftOut.ERASED),
        ({"edited": True}, LeftOut.EDITED),
    ],
)
def test_texts_that_are_not_what_was_answered_stay(
    changes: dict[str, Any], reason: LeftOut
) -> None:
    assert admit(case(**changes), TRAIN) is reason
    assert admit(case(**changes), TRAIN, unvoted=True) is reason


def test_training_needs_the_operators_word_and_statistics_do_not() -> None:
    require_permission(EVALUATE, training_export=False)
    require_permission(TRAIN, training_export=True)
    for scope in (TRAIN, PUBLISH):
        with pytest.raises(ConfigError, match="express permission") as refused:
            require_permission(scope, training_export=False)
    assert "TWOFOLD_TRAINING_EXPORT=true" in refused.value.user_message
    assert "--purpose evaluate" in refused.value.user_message


def test_what_is_logged_of_who_has_not_agreed_stays_though_their_vote_is_gone() -> None:
    withdrawn = [
        Happened(number, who, VoteEventKind.CAST, Outcome.TIE, None, True, DAY)
        for number, who in enumerate((ALICE, 77), start=1)
    ]
    of = case(events=tuple(withdrawn))
    admitted = admit(of._replace(said=Words(of.said | {77: (None, None)})), TRAIN)
    assert [event.voter_id for event in admitted.events] == [ALICE]
