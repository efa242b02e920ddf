"""Simulated members who read: what they like, and that they vote by it whoever wrote it."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from bot.simulation.readers import question, worth

ASKED = "Why do people like owls?"


def test_short_answers_on_the_topic_without_repetition_are_worth_the_most() -> None:
    better_first = [
        "Owls are quiet, and they look as if they knew something.",
        "They are quiet, and they look as if they knew something.",
        "They are quiet " * 6,
        "",
    ]
    worths = [worth(ASKED, answer) for answer in better_first]
    assert all(one > other for one, other in pairwise(worths))


def test_neither_a_parrot_nor_a_word_nor_a_page_is_an_answer() -> None:
    good = worth(ASKED, "Owls hunt at night, and that is a wonder.")
    page = "Owls hunt. " + " ".join(f"word{n}" for n in range(200))
    for bad in (ASKED, "Owls.", page):
        assert worth(ASKED, bad) < good - 1


def test_there_are_more_questions_than_a_round_asks() -> None:
    asked = {question(Random(n)).text for n in range(3000)}
    assert len(asked) > 1000
