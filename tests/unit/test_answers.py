"""Finishing answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answers import SHOWN_LIMIT, finish, shorten, utf16_length
from storage.records import FinishReason


def done(text: str, **kwargs: object) -> object:
    return finish(text, **{"finish_reason": FinishReason.STOP, "ran_on": False, **kwargs})


@pytest.mark.parametrize("nothing", ["", " \n\t", "\u200b\u200d", "\u2028", "\x00"])
def test_what_nobody_can_see_is_no_answer(nothing: str) -> None:
    assert done(nothing).shown == ""


@pytest.mark.parametrize("something", ["a", "!", "🙂", "…", "\u200b.\u200b"])
def test_what_can_be_seen_is_one(something: str) -> None:
    assert done(something).shown


def test_tags_say_how_it_ended() -> None:
    assert done("fine").tags == ()
    assert done("fine", ran_on=True).tags == ("run_on",)
    assert done("fine", finish_reason=FinishReason.LENGTH).tags == ("cut_short",)
    assert done("long " * 900).tags == ("truncated",)


@given(st.text(), st.integers(10, 50))
def test_shortened_text_fits_and_is_a_beginning(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert utf16_length(short) <= limit
    assert short == text or text.startswith(short.removesuffix(" …"))


def test_two_answers_and_the_small_print_fit_one_message() -> None:
    both = 2 * utf16_length(done("🙂" * 5000).shown)
    assert both <= 2 * SHOWN_LIMIT <= 4000 - 350
