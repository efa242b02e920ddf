"""What may be shown of two answers while they are made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.growth import HELD_BACK, Growth
from bot.prompting import Framed, Parsed, built_in
from storage.records import Side


def ignored(_: Growth) -> None:
    """Nobody is told."""


def plain(text: str) -> Parsed:
    return Parsed(text)


def test_nothing_is_shown_of_a_side_alone() -> None:
    growth = Growth(heard="", changed=ignored)
    growth.begin(Side.A, plain)("x" * 500)
    assert growth.texts() is None
    growth.begin(Side.B, plain)
    assert growth.texts() is None


def test_where_a_side_begins_anew_on_show_no_more_is_shown() -> None:
    growth = Growth(heard="", changed=ignored)
    growth.begin(Side.A, plain)("a" * 200)
    other = growth.begin(Side.B, plain)
    other("b" * 100)
    assert growth.texts() == {Side.A: "a" * 52, Side.B: "b" * 52}
    again = growth.begin(Side.B, plain)
    again("c" * 100)
    assert growth.texts() is None
    again("c" * 200)
    assert growth.texts() is None


def test_before_there_is_enough_to_show_nothing_is_parsed() -> None:
    def unparsed(text: str) -> Parsed:
        raise AssertionError(text)

    growth = Growth(heard="", changed=ignored)
    growth.begin(Side.A, unparsed)("a" * 5000)
    growth.begin(Side.B, unparsed)("b" * HELD_BACK)
    assert growth.texts() is None


def test_another_speakers_turn_is_never_shown() -> None:
    transcript = Framed("transcript", built_in()["transcript"])
    growth = Growth(heard="", changed=ignored)
    growth.begin(Side.A, plain)("a" * 500)
    growth.begin(Side.B, transcript.parse)(" mine" * 20 + "\nalice: " + "hers " * 60)
    texts = growth.texts()
    assert texts is not None
    assert "hers" not in texts[Side.B]


PIECES = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.sampled_from(["as an AI ", "language model", " I am Claude. ", "```", "\n", "word "]),
    ),
    max_size=60,
)


@given(pieces=PIECES)
def test_both_show_as_much_and_it_only_grows(pieces: list[tuple[Side, str]]) -> None:
    growth = Growth(heard="", changed=ignored)
    takes = {side: growth.begin(side, plain) for side in Side}
    shown = 0
    earlier = dict.fromkeys(Side, "")
    for side, piece in pieces:
        takes[side](piece)
        texts = growth.texts()
        if texts is None:
            continue
        for side_shown, text in texts.items():
            assert text.startswith(earlier[side_shown])
            earlier[side_shown] = text.removesuffix("\n```")
            assert text.count("```") % 2 == 0
            assert "I am Claude" not in text
        shares = {len(text.removesuffix("\n```")) for text in texts.values()}
        fewest, most = min(shares), max(shares)
        assert most - fewest <= len("\n```")
        assert most >= shown
        shown = fewest
