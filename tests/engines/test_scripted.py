"""The scripted engine does what its source says, and nothing else decides its text."""

from __future__ import annotations

import pytest

from bot.engines import ChatMessage, CompletionRequest
from bot.engines.factory import make_engine
from bot.engines.scripted import ScriptedEngine, compose
from bot.errors import EngineTimeout, EngineUnavailable, ModelNameError
from storage.records import FinishReason, Sampling


async def complete(engine, prompt="Ann: hi\nBot:", **changes):
    request = CompletionRequest(prompt=prompt, **changes)
    chunks = [chunk async for chunk in engine.stream(request)]
    return "".join(chunk.text for chunk in chunks), chunks[-1]


async def test_a_chat_log_runs_on_into_another_speaker_and_stops_are_met():
    engine = ScriptedEngine()
    whole, _ = await complete(engine)
    assert "\nAnn:" in whole
    cut, last = await complete(engine, stops=("\nAnn:", "\nBot:"))
    assert cut == whole[: whole.index("\nAnn:")]
    assert last.stop == "\nAnn:"


def test_prompts_seeds_and_kinds_give_different_texts():
    chat = (ChatMessage("user", "Ann: hi\nBot:"),)
    texts = [compose("Ann: hi\nBot:", 1), compose("Ann: hi\nBot:", 2), compose("Ann: yo\nBot:", 1)]
    assert len({*texts, compose(chat, 1)}) == 4
    assert len({compose(chat, seed) for seed in range(20)}) > 1
    assert compose("Q: What is 1+1? A:", 1).startswith(" ")
    assert "\nQ:" in compose("Q: What is 1+1? A:", 1)


async def test_options():
    assert (await complete(ScriptedEngine("text=Hello%20you")))[0] == "Hello you"
    assert (await complete(ScriptedEngine("tokens=5")))[1].completion_tokens == 5
    engine = ScriptedEngine("fail=2&empty=1")
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await complete(engine)
    empty, last = await complete(engine)
    assert (empty, last.finish_reason) == ("", FinishReason.STOP)
    assert (await complete(engine))[0]
    with pytest.raises(EngineTimeout):
        await complete(ScriptedEngine("hang=1"), deadline=0.05)


async def test_the_length_runs_out():
    text, last = await complete(ScriptedEngine("text=a b c"), sampling=Sampling(max_tokens=2))
    assert (text, last.finish_reason) == ("a b", FinishReason.LENGTH)


@pytest.mark.parametrize(
    "bad", ["dealy=1", "fail=x", "delay=-1", "fail", "delay=nan", "tokens=1e9"]
)
def test_bad_options_are_one_sentence(bad, tmp_path):
    with pytest.raises(ModelNameError, match="delay=SECONDS"):
        make_engine(f"scripted:{bad}", cache=tmp_path)


async def test_what_was_said_so_far_is_not_said_again() -> None:
    engine = ScriptedEngine("text=one two three four")
    assert (await complete(engine, so_far="one two"))[0] == " three four"
    assert (await complete(engine, so_far="one two three four"))[0] == ""
