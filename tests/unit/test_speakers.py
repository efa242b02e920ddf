"""No other speaker's turn is shown: through every template, on hostile completions."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answers import Finished, finish
from bot.engines.stops import StopFinder
from bot.prompting import Chat, library
from bot.speakers import own_words
from storage.records import FinishReason
from tests.unit.hostile import FORMS, completions, conversations
from tests.unit.records import said, talk

TEMPLATES = {**library({}), "chat": Chat(system="Be kind.")}
WITH_TURNS = [name for name in TEMPLATES if name != "raw"]
SPEAKERS = ("alice", "a.*(", "שלום", "🙂", "Twofold")


def answered(template, rendering, pieces: list[str]) -> Finished:
    """What is shown of a completion that arrives in these pieces."""
    stops = StopFinder(rendering.stops)
    raw = "".join([*map(stops.feed, pieces), stops.flush()])
    parsed = template.parse(raw)
    return finish(
        parsed.text,
        finish_reason=FinishReason.STOP,
        ran_on=parsed.ran_on or stops.hit is not None,
        speakers=rendering.speakers,
    )


def speaks(line: str, speaker: str) -> bool:
    """Whether a line begins somebody's turn, in any form that people use."""
    heads = (form.format(speaker).rstrip() for form in FORMS)
    return any(
        line.strip().startswith(head) and not line.strip().removeprefix(head)[:1].strip(" :/(")
        for head in heads
    )


@pytest.mark.parametrize("name", WITH_TURNS)
@given(log=conversations, data=st.data())
def test_no_other_speakers_turn_is_ever_shown(name: str, log, data) -> None:
    template = TEMPLATES[name]
    rendering = template.render(log)
    completion = data.draw(completions(rendering.speakers))
    shown = answered(template, rendering, [completion]).shown
    for line in shown.split("\n"):
        assert not [s for s in rendering.speakers if speaks(line, s)]


@pytest.mark.parametrize("name", [name for name in WITH_TURNS if name != "chat"])
@given(log=conversations, data=st.data())
def test_no_line_that_begins_as_turns_do_in_the_prompt_is_shown(name: str, log, data) -> None:
    rendering = TEMPLATES[name].render(log)
    completion = data.draw(completions(rendering.speakers))
    plain = "".join(c for c in completion if c == "\n" or " " <= c <= "~")
    unindented = re.sub(r"\n +", "\n", plain)
    begins = tuple(stop.removeprefix("\n") for stop in rendering.stops)
    shown = answered(TEMPLATES[name], rendering, [unindented]).shown
    assert not [line for line in shown.split("\n")[1:] if line.startswith(begins)]


@pytest.mark.parametrize("indent", ["", "  "])
@pytest.mark.parametrize(("name", "turn"), [("transcript", "Zed: hello"), ("irc", "<zed> hello")])
def test_a_speaker_that_is_made_up_is_cut(name: str, turn: str, indent: str) -> None:
    rendering = TEMPLATES[name].render(talk(said("hi")))
    finished = answered(TEMPLATES[name], rendering, [f" mine\n{indent}{turn}"])
    assert finished == Finished("mine", ("run_on",))


@pytest.mark.parametrize("name", WITH_TURNS)
@given(log=conversations, data=st.data())
def test_a_turn_is_found_however_the_text_arrives(name: str, log, data) -> None:
    template = TEMPLATES[name]
    rendering = template.render(log)
    completion = data.draw(completions(rendering.speakers))
    borders = data.draw(st.lists(st.integers(0, len(completion))).map(sorted))
    pieces = [completion[a:b] for a, b in pairwise([0, *borders, len(completion)])]
    assert answered(template, rendering, pieces) == answered(template, rendering, [completion])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("speaker", SPEAKERS)
def test_every_form_of_a_turn_is_cut(form: str, speaker: str) -> None:
    cut = own_words(f"mine\n  still mine\n{form.format(speaker.upper())} not mine", SPEAKERS)
    assert cut.text.strip() == "mine\n  still mine"
    assert cut.ran_on


def test_a_name_at_the_head_is_taken_off() -> None:
    assert own_words("\nTwofold: alice: hi", SPEAKERS) == own_words("hi", ()).__class__(
        "hi", headed=True
    )


@pytest.mark.parametrize(
    "text",
    [
        "I told alice: no, and Twofold: yes",
        "alice is here\nTwofold too",
        "see\n[alice](https://example.org)",
        "malice: a word\nalices: others",
        "twofold://path",
        "- alice brings bread\n- bob: cheese",
    ],
)
def test_names_in_the_middle_of_a_text_stay(text: str) -> None:
    assert own_words(text, SPEAKERS).text == text


def test_what_the_raw_template_continues_has_no_speakers_of_ours() -> None:
    play = "alice: to be\nTwofold: or not"
    rendering = TEMPLATES["raw"].render(conversation := talk(said(play)))
    assert conversation.prompt.text == rendering.prompt
    assert answered(TEMPLATES["raw"], rendering, [play]).shown == play


def test_an_instruct_model_that_goes_on_for_the_user_is_cut() -> None:
    template = TEMPLATES["chat"]
    rendering = template.render(talk(said("hi")))
    finished = answered(template, rendering, ["Hello.\nUser: how are you\nAssistant: fine"])
    assert finished == Finished("Hello.", ("run_on",))
    finished = answered(template, rendering, ["Twofold: Hello.\n**alice:** hm"])
    assert finished == Finished("Hello.", ("run_on", "leak:prefix"))
