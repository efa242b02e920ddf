"""Prompt templates, on hostile conversations too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.prompting import TEMPLATES, Parsed, chat, label, recent, speaker_labels
from tests.unit.records import BOT_ID, bot_said, said, talk

SEED_PROMPT = (
    "Q: What is 1+1? A:5\n"
    "Q: How many people live in Mumbai? A: 9 billion people\n"
    "Q: What is the innermost planet in the solar system? A: Mars\n"
    "Q: What is the capital of France? A:"
)

names = st.text(max_size=40)
texts = st.text(min_size=1, max_size=200)
turns = st.builds(
    lambda by, name, text: said(text, by=by, name=name), st.integers(1, 5), names, texts
)
conversations = st.lists(st.one_of(turns, texts.map(bot_said)), max_size=8).flatmap(
    lambda earlier: turns.map(lambda last: talk(*earlier, last))
)


@given(st.one_of(texts, st.just(SEED_PROMPT)))
def test_raw_is_the_message_byte_for_byte(text: str) -> None:
    rendering = TEMPLATES["raw"].render(talk(said("before"), said(text)))
    assert rendering.prompt == text
    assert rendering.stops == ()


def test_a_transcript_is_a_chat_log_that_ends_at_the_bots_turn() -> None:
    log = talk(said("hi"), bot_said("hello"), said("any news?", by=2, name="bob"))
    assert TEMPLATES["transcript"].render(log).prompt == (
        "alice: hi\nTwofold: hello\nbob: any news?\nTwofold:"
    )


@given(conversations)
def test_every_line_of_a_transcript_belongs_to_the_one_who_wrote_it(log: object) -> None:
    """No text can start a line as somebody else: it has as many turns as were taken."""
    rendering = TEMPLATES["transcript"].render(log)
    lines = rendering.prompt.split("\n")
    heads = [line for line in lines if not line.startswith("  ")]
    assert len(heads) == len(log.turns) + 1
    assert lines[-1] == f"{label(log.bot_name)}:"


@given(conversations)
def test_a_transcript_stops_at_every_speaker(log: object) -> None:
    stops = TEMPLATES["transcript"].render(log).stops
    for name in (*speaker_labels(log).values(), "Twofold", "User", "Assistant"):
        assert f"\n{name}:" in stops


@given(conversations)
def test_speakers_have_distinct_safe_labels(log: object) -> None:
    labels = list(speaker_labels(log).values())
    assert len(set(labels)) == len(labels)
    for name in labels:
        assert name.strip()
        assert ":" not in name
        assert len(name.splitlines()) == 1


@pytest.mark.parametrize("name", ["Twofold", " Two\nfold:", "\u200b", "", ".*", "a" * 99])
def test_no_one_can_take_the_bots_name(name: str) -> None:
    assert "Twofold" not in speaker_labels(talk(said("hi", name=name))).values()


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
@given(
    answer=st.text(alphabet=st.characters(exclude_characters="\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"))
)
def test_an_answer_survives_being_said_and_parsed(template: object, answer: str) -> None:
    said_again = template.render(talk(bot_said(answer), said("ok"))).prompt
    if template.name == "raw":
        assert template.parse(answer).text == answer
        return
    own = said_again.removeprefix("Twofold: ").removesuffix("\nalice: ok\nTwofold:")
    assert template.parse(own) == Parsed("\n".join(answer.splitlines()))


@pytest.mark.parametrize(
    ("completion", "own", "ran_on"),
    [
        (" Paris\nThreefold: tell me more", " Paris", True),
        (" Paris\nbob: no\ncarol: yes", " Paris", True),
        (" Paris\nred:", " Paris", True),
        (" it is 12:30\nand https://example.org is a page", None, False),
        (" first\n  Note: indented lines are the speaker's own", None, False),
        (" a list\n- one: two\n(x): y", None, False),
    ],
)
def test_a_transcript_is_cut_before_anyone_else_speaks(
    completion: str, own: str | None, ran_on: bool
) -> None:
    parsed = TEMPLATES["transcript"].parse(completion)
    assert parsed.text == (completion.replace("\n  ", "\n") if own is None else own)
    assert parsed.ran_on == ran_on


def test_a_chat_starts_with_a_person_and_alternates() -> None:
    log = talk(
        bot_said("left over"), said("a"), said("b", by=2, name="bob"), bot_said("c"), said("d")
    )
    roles = [(m.role, m.content) for m in chat(log, system="Be kind.")]
    assert roles == [
        ("system", "Be kind."),
        ("user", "alice: a\nbob: b"),
        ("assistant", "c"),
        ("user", "alice: d"),
    ]


def test_one_person_alone_is_not_named_in_a_chat() -> None:
    assert [m.content for m in chat(talk(said("just me")))] == ["just me"]


def test_the_context_is_cut_between_turns_oldest_first() -> None:
    turns = [said("a" * 5), said("b" * 3), said("c" * 2)]
    assert recent(turns, characters=5) == tuple(turns[1:])
    assert recent(turns, characters=4) == tuple(turns[2:])
    assert recent(turns, characters=99) == tuple(turns)
    assert recent(turns, characters=0) == ()


def test_the_bots_own_id_is_no_speaker() -> None:
    assert BOT_ID not in speaker_labels(talk(bot_said("x"), said("y")))
