"""What answers are like, and which tuned model is kept out for it."""

from __future__ import annotations

import pytest

from bot.answers import CUT_SHORT, LOOP, Finished
from bot.ranking import wilson
from bot.training.behaviour import behaviour
from bot.training.gates import gates

SENTENCE = "the sea is wide and the owl is out and nobody knows why it sings so late at night"
WORDS = SENTENCE.split()


def said(*texts: str, tags: tuple[str, ...] = ()) -> list[Finished]:
    return [Finished(text, tags) for text in texts]


PARENT = behaviour(said(*(" ".join(WORDS[n : n + 6]) for n in range(10))))


def test_a_behaviour_counts_over_all_answers_together() -> None:
    found = behaviour([*said("a b c", "A  b c"), *said("", tags=(LOOP, CUT_SHORT))])
    assert (found.answers, found.words, found.distinct) == (3, 2.0, 0.5)
    assert found.looping == found.cut_short == found.empty == pytest.approx(1 / 3)
    assert found.same == pytest.approx(2 / 3), "neither case nor space makes another answer"


@pytest.mark.parametrize(
    ("answers", "gate"),
    [
        (said(*["the sea is wide and deep"] * 10), "does not say the same to everybody"),
        (said(*["the sea is wide and deep"] * 10), "varied"),
        (said(*(str(n) for n in range(10))), "as long as it should be"),
        (said(*(f"{n} {' '.join(WORDS * 3)}" for n in range(10))), "as long as it should be"),
        ([*said(*[""] * 3), *said(*(" ".join(WORDS[n:]) for n in range(7)))], "says something"),
        (said(*(" ".join(WORDS[n:]) for n in range(10)), tags=(LOOP,)), "does not loop"),
        (said(*(" ".join(WORDS[n:]) for n in range(10)), tags=(CUT_SHORT,)), "comes to an end"),
    ],
)
def test_a_collapse_is_seen(answers: list[Finished], gate: str) -> None:
    found = {g.name: g.held for g in gates(None, tuned=behaviour(answers), parent=PARENT)}
    assert not found[gate]


def test_who_says_more_than_a_parent_that_says_nothing_may_pass() -> None:
    mute = behaviour(said(*["well"] * 10))
    found = {gate.name: gate.held for gate in gates(None, tuned=PARENT, parent=mute)}
    assert found["as long as it should be"]


def test_one_like_its_parent_passes_and_what_it_learnt_counts() -> None:
    assert all(gate.held for gate in gates(wilson(17, 20), tuned=PARENT, parent=PARENT))
    [unproven] = [gate for gate in gates(None, tuned=PARENT, parent=PARENT) if not gate.held]
    assert unproven.found == "no pair was held out"
    by_chance = gates(wilson(12, 20), tuned=PARENT, parent=PARENT)
    assert [gate.name for gate in by_chance if not gate.held] == ["learnt the preferences"]
