"""Prompts that would be the same row of a dataset have the same key."""

from __future__ import annotations

import pytest

from bot.dataset.splits import prompt_key
from bot.redaction import Redactor
from tests.unit.records import bot_said, said, talk


def key(*turns: object) -> int:
    return prompt_key(talk(*turns), Redactor().redact)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Why is the sky blue?", "why is  the SKY\nblue? "),
        ("is <@123456789012345678> here", "is <@876543210987654321> here"),
        ("write to ann@example.org", "write to bob@example.org"),
        ("a lone \ud83d", "a lone ?"),
    ],
)
def test_prompts_that_leave_as_the_same_text_have_the_same_key(one: str, other: str) -> None:
    assert key(said(one)) == key(said(other))


def test_it_is_the_prompt_alone_whatever_was_said_before_and_by_whom() -> None:
    before = said("hello", by=2, name="Bob"), bot_said("an answer")
    assert key(*before, said("why?")) == key(said("why?", by=3, name="Cleo"))
    assert key(said("I am alice")) == key(said("I am Cleo", by=3, name="Cleo"))


def test_other_prompts_have_other_keys_of_63_bits() -> None:
    keys = {key(said(f"question {number}")) for number in range(1000)}
    assert len(keys) == 1000
    assert 0 <= min(keys) <= max(keys) < 2**63
    assert len({number % 256 for number in keys}) > 200


def test_a_key_never_changes_as_rows_would_move_to_other_splits() -> None:
    assert key(said("Why is the sky blue?")) == 2084463046401423144
