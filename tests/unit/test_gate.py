"""Who must have agreed before a battle may leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.context import PLACEHOLDER
from bot.dataset.gate import admit, allowed, require_permission
from bot.dataset.select import LeftOut
from bot.errors import ConfigError
from storage.records import NOBODY, Consent, VotedBattle, Wiped, effective
from tests.unit.records import NOON, battle, bot_said, said, talk, voted

NONE, EVALUATE, TRAIN, PUBLISH = Consent
ALICE, BOB = 1, 2  # both voted on what Alice said


def case(**changes: object) -> VotedBattle:
    everywhere = dict.fromkeys((ALICE, BOB), (None, TRAIN))
    return replace(voted(battle(), 1, 2), said=everywhere, **changes)


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


def test_one_speaker_who_did_not_agree_keeps_the_battle_in() -> None:
    words = talk(said("mine", by=BOB), bot_said("ours", message=9), said("and mine", by=3))
    inside = replace(case(), battle=battle(conversation=words))
    assert admit(inside, TRAIN) is LeftOut.NO_CONSENT
    assert admit(replace(inside, said={**inside.said, 3: (TRAIN, None)}), TRAIN) != inside
    only_for_statistics = replace(inside, said={**inside.said, 3: (EVALUATE, None)})
    assert admit(only_for_statistics, TRAIN) is LeftOut.NO_CONSENT
    assert isinstance(admit(only_for_statistics, EVALUATE), VotedBattle)


def test_those_whom_the_bot_had_answered_speak_in_its_turns() -> None:
    words = talk(bot_said("Carol is ill", message=9), said("who is?", by=BOB))
    inside = case(battle=battle(conversation=words), speakers=frozenset({BOB, 3}))
    assert admit(inside, TRAIN) is LeftOut.NO_CONSENT
    assert admit(replace(inside, said={**inside.said, 3: (TRAIN, None)}), TRAIN) != inside
    unknown = talk(bot_said("Carol is ill"), said("who is?", by=BOB))
    assert admit(case(battle=battle(conversation=unknown)), TRAIN) is LeftOut.NO_CONSENT


def test_a_placeholder_is_nobodys_words_and_needs_no_consent() -> None:
    for text, may in ((PLACEHOLDER, True), ("what somebody said", False)):
        words = talk(said(text, by=NOBODY), said("hello", by=ALICE))
        left = admit(case(battle=battle(conversation=words)), TRAIN)
        assert isinstance(left, VotedBattle) is may


def test_a_voter_who_did_not_agree_is_not_counted_and_nobody_never_is() -> None:
    bobs = replace(case(), said={ALICE: (TRAIN, None)})
    assert [vote.voter_id for vote in admit(bobs, TRAIN).votes] == [ALICE]
    first = case().votes[0]
    nobodys = replace(case(), votes=(replace(first, voter_id=-first.voter_id),))
    assert admit(nobodys, TRAIN) is LeftOut.NO_VOTE
    assert admit(case(votes=()), TRAIN) is LeftOut.WITHDRAWN


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"wiped_because": Wiped.RETENTION}, LeftOut.RETENTION),
        ({"wiped_because": Wiped.DELETED}, LeftOut.DELETED),
        ({"wiped_because": Wiped.ERASED}, LeftOut.ERASED),
        ({"edited_at": NOON}, LeftOut.EDITED),
    ],
)
def test_texts_that_are_not_what_was_answered_stay(changes: dict, reason: LeftOut) -> None:
    assert admit(case(battle=replace(battle(), **changes)), TRAIN) is reason


def test_training_needs_the_operators_word_and_statistics_do_not() -> None:
    require_permission(EVALUATE, training_export=False)
    require_permission(TRAIN, training_export=True)
    for scope in (TRAIN, PUBLISH):
        with pytest.raises(ConfigError, match="express permission") as refused:
            require_permission(scope, training_export=False)
    assert "TWOFOLD_TRAINING_EXPORT=true" in refused.value.user_message
    assert "--purpose evaluate" in refused.value.user_message
