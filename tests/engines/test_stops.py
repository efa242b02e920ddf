"""StopFinder against the plain definition: cut the whole text at the earliest stop."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from bot.engines.stops import StopFinder

# A small alphabet with regex characters, so that stops overlap, nest and look like patterns.
TEXT = st.text(alphabet="ab\n:.*(", max_size=40)
STOPS = st.lists(st.text(alphabet="ab\n:.*(", max_size=6), max_size=4)


def cut(text, stops):
    places = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(places)] if places else text


def chunked(text, borders):
    at = sorted({min(border, len(text)) for border in borders} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(at)]


def run(pieces, stops):
    finder = StopFinder(stops)
    emitted = [finder.feed(piece) for piece in pieces]
    return "".join([*emitted, finder.flush()]), finder.hit


@given(TEXT, STOPS, st.lists(st.integers(0, 40), max_size=40))
@example("aab", ["ab"], [1, 2])
@example("abab:", ["abab(", "ba"], [1, 2, 3, 4])
@example("\na:", ["\na:"], [1, 2])
def test_output_is_the_text_before_the_earliest_stop_for_any_chunking(text, stops, borders):
    shown, hit = run(chunked(text, borders), stops)
    assert shown == cut(text, stops)
    assert (hit is not None) == (shown != text or any(s and text.startswith(s) for s in stops))
    assert run([text], stops) == run(list(text), stops)


@given(TEXT, STOPS, st.lists(st.integers(0, 40), max_size=40))
def test_what_is_emitted_early_is_never_taken_back(text, stops, borders):
    finder, shown = StopFinder(stops), ""
    for piece in chunked(text, borders):
        shown += finder.feed(piece)
        assert cut(text, stops).startswith(shown)


def test_a_stop_at_position_0_leaves_nothing():
    assert run(["Ann", ": hi"], ["Ann:"]) == ("", "Ann:")


def test_a_partial_stop_is_held_back_and_released():
    finder = StopFinder(["\nAnn:"])
    assert finder.feed("hello\nAn") == "hello"
    assert finder.feed("d more") == "\nAnd more"
    assert finder.hit is None


def test_nothing_follows_a_stop():
    finder = StopFinder(["X"])
    assert [finder.feed("aXb"), finder.feed("c"), finder.flush()] == ["a", "", ""]


def test_of_two_stops_at_one_position_the_longer_is_reported():
    assert run(list("x\nAnna:"), ["\nAnn", "\nAnna:"]) == ("x", "\nAnna:")
