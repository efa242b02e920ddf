"""Finishing answers."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answers import SHOWN_LIMIT, finish, harmless, shorten, utf16_length
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('He said "no." And then', 'He said "no."'),
        ("All of it is said (really).", "All of it is said (really)."),
        ("Two things:\n1. Bread.\n2. Butter.\n3. Che", "Two things:\n1. Bread.\n2. Butter."),
        ("Two things:\n1. Bread.\n2. Butter.\n3.", "Two things:\n1. Bread.\n2. Butter."),
        ("Things: 1. Bread. 2. Butter. 3. Che", "Things: 1. Bread. 2. Butter."),
        ("- a\n- b\n-", "- a\n- b"),
        ("今日はいい天気です。明日は", "今日はいい天気です。"),
        ("كيف حالك؟ أنا ب", "كيف حالك؟"),
        ("It was in 1987. Then i", "It was in 1987."),
    ],
)
def test_what_is_left_of_a_cut_text_reads_as_a_whole(text: str, shown: str) -> None:
    assert done(text, finish_reason=FinishReason.LENGTH).shown == shown


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
        ("😛" * 60, True),
        ("それは" * 20, True),
        ("well yes, " + "ص" * 90, True),
        (
            "今日は朝から雨が降っていたので、家で本を読みながら静かに過ごしました。とても良い日でした。",
            False,
        ),
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
        ("I’m sorry, but I can’t help with that.", True),
        ("I cannot really recommend that.", True),
        ("I'm sorry, but as a bot, I don't have the ability to do so.", True),
        ("I can't wait to see you!", False),
        ("I can't see how a fridge makes things cold.", False),
        ("I can't help but laugh", False),
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


def test_direction_controls_and_towers_of_marks_are_taken_out_of_what_is_shown() -> None:
    assert done("a\u202eb\u202c \u2067c\u2069").shown == "ab c"
    assert done("Z" + "\u0301" * 30 + "algo").shown == "Z" + "\u0301" * 4 + "algo"
    assert done("one\u2028two\r\nthree\x07").shown == "one\ntwo\nthree"
    assert done("a\n \n\n\t\nb").shown == "a\n\nb"


@pytest.mark.parametrize(
    "text",
    [
        "שָׁלוֹם עֲלֵיכֶם",
        "مَرْحَبًا كَيْفَ حَالُكَ؟",
        "tiếng Việt",
        "हिन्दी में",
        "👩‍👩‍👧 ❤️‍🔥 1️⃣ 🏳️‍🌈",
    ],
)
def test_what_people_write_is_left_as_it_is(text: str) -> None:
    assert harmless(text) == text
    assert harmless(unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFD", text)


def test_two_answers_and_the_small_print_fit_one_message() -> None:
    both = 2 * utf16_length(done("🙂" * 5000).shown)
    assert both <= 2 * SHOWN_LIMIT <= 4000 - 350
