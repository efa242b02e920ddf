"""Texts leave without names and without ids."""

from __future__ import annotations

import re

import pytest

from bot.dataset.anonymity import anonymity_of, without_ids
from storage.records import NOBODY
from tests.unit.records import bot_said, said, talk


def test_names_in_texts_are_those_of_members_and_the_bot_keeps_its_own() -> None:
    log = talk(
        said("I am Ann", name="Ann"),
        bot_said("Hello Ann, I am Twofold"),
        said("and I? bob? <@&7>", by=2, name="Bob"),
    )
    turns = anonymity_of(log).conversation(log).turns
    assert [(turn.name, turn.text) for turn in turns] == [
        ("Member 1", "I am Member 1"),
        ("Twofold", "Hello Member 1, I am Twofold"),
        ("Member 2", "and I? Member 2? @&someone"),
    ]


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
    assert anonymity_of(log).of(text) == leaves_as


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
    anonymity = anonymity_of(log, redact=redact)
    assert anonymity.of("Ann (+4930901820)? ring +4930901829") == "Member 1? ring <PHONE>"
    assert anonymity.of("+4930901821 said so") == "<PHONE> said so"
