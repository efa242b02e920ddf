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
    assert "truncated" in done("long " * 900).tags


@given(st.text(), st.integers(10, 50))
def test_shortened_text_fits_and_is_a_beginning(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert utf16_length(short) <= limit
    assert short == text or text.startswith(short.removesuffix(" …"))


def test_a_half_sentence_is_left_away_where_the_length_ran_out() -> None:
    cut = {"finish_reason": FinishReason.LENGTH}
    assert (
        done("One is whole. Two is whole! Three is n", **cut).shown == "One is whole. Two is whole!"
    )
    assert done("first line\nsecond line\nthi", **cut).shown == "first line\nsecond line"
    assert done("It ends. And this is much longer than what ended", **cut).shown.endswith("ended")
    assert done("no end at all in here", **cut).shown == "no end at all in here"
    assert done("Whole. Then a half").shown == "Whole. Then a half"
    assert done("Whole. Then a half", ran_on=True, **cut).shown == "Whole. Then a half"


def test_an_open_code_fence_is_closed_also_where_the_text_is_cut() -> None:
    assert done("look:\n```py\nprint(1)").shown == "look:\n```py\nprint(1)\n```"
    assert done("```a```").shown == "```a```"
    long = done("```\n" + "x = 1\n" * 900)
    assert long.shown.endswith("…\n```")
    assert "truncated" in long.tags
    assert utf16_length(long.shown) <= SHOWN_LIMIT


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("I am so happy. " * 6, True),
        ("It was full of life\nIt was full of love\n" * 5, True),
        ("na na na na na na na na na na na na", True),
        ("hello", False),
        ("no no no", False),
        ("One sentence says this. Another one says something else, and the last one ends.", False),
    ],
)
def test_a_text_that_repeats_itself_is_a_loop(text: str, loop: bool) -> None:
    assert ("loop" in done(text).tags) == loop


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I cannot assist you with this request.", True),
        ("Sorry, I am unable to do that.", True),
        ("I can't wait to see you!", False),
        ("I can help with that.", False),
        ("Nobody can say. I cannot either.", False),
    ],
)
def test_a_refusal_is_tagged(text: str, refusal: bool) -> None:
    assert ("refusal" in done(text).tags) == refusal


def test_a_leak_is_masked_and_tagged_beside_the_other_tags() -> None:
    finished = done("I was made by OpenAI", ran_on=True)
    assert finished.tags == ("run_on", "leak:vendor")
    assert "OpenAI" not in finished.shown


def test_two_answers_and_the_small_print_fit_one_message() -> None:
    both = 2 * utf16_length(done("🙂" * 5000).shown)
    assert both <= 2 * SHOWN_LIMIT <= 4000 - 350
