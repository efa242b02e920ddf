"""Requests with and without adapters in one batch: each says what PEFT says, alone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from copy import deepcopy
from functools import cache
from itertools import permutations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_processor import characters, gemma, llama
from tiny_adapter import continued, save_adapter

from bot.engines.adapters import read_adapter
from bot.engines.local import lora
from bot.engines.local.batching import PAGE, Batching
from storage.records import Sampling

TOKENS = 12
GREEDY = Sampling(temperature=0.0, max_tokens=TOKENS)
KINDS = {
    "all": {},
    "attention": {"target_modules": ["q_proj", "v_proj"], "r": 8, "lora_alpha": 4},
    "patterns": {
        "target_modules": ["k_proj", "up_proj", "down_proj"],
        "rank_pattern": {"up_proj": 2},
        "alpha_pattern": {"down_proj": 20, "layers.0.self_attn.k_proj": 3},
        "use_rslora": True,
    },
}
LENGTHS = (1, 5, 63, 64, 65, 130, 200)


class House:
    """A model with its batches, adapters in memory, and PEFT's own answers beside."""

    def __init__(self, model, folder):
        self.model = model
        self.plain = deepcopy(model)
        self.folders = {
            kind: save_adapter(model, folder / kind, seed=seed, **changes)
            for seed, (kind, changes) in enumerate(KINDS.items())
        }
        self.batching = Batching(model, eos=[299], decoder=characters)
        self.loras = {
            kind: lora.load(read_adapter(place), model) for kind, place in self.folders.items()
        }
        self.expected = cache(self._expected)

    def _expected(self, kind, ids):
        return continued(self.plain, self.folders.get(kind), list(ids), tokens=TOKENS)

    async def say(self, kind, ids):
        pieces = self.batching.generate(list(ids), GREEDY, seed=0, adapter=self.loras.get(kind))
        return [ord(character) async for piece in pieces for character in piece.text]

    async def say_all(self, asked):
        return await asyncio.gather(*(self.say(kind, ids) for kind, ids in asked))


@pytest.fixture(scope="module", params=[llama, gemma])
def house(request, tmp_path_factory):
    torch.manual_seed(1)
    model = request.param().eval().requires_grad_(requires_grad=False)
    # A random model whose output layer is its input layer says its last token again and again.
    model.lm_head.weight = torch.nn.Parameter(torch.randn(300, 32), requires_grad=False)
    model.generation_config.eos_token_id = 299
    made = House(model, tmp_path_factory.mktemp("adapters"))
    made.batching.start(name="test")
    yield made
    made.batching.close()


def prompt(length, *, salt=0):
    return tuple((7 * length + 3 * i + salt) % 290 for i in range(length))


def test_the_adapters_say_other_things_than_the_model_and_each_other(house):
    said = [tuple(house.expected(kind, prompt(65))) for kind in (None, *KINDS)]
    assert len(set(said)) == len(said)


async def test_many_prompts_in_one_batch_say_what_peft_says(house):
    asked = [(kind, prompt(length)) for length in LENGTHS for kind in (*KINDS, None)]
    assert await house.say_all(asked) == [house.expected(*one) for one in asked]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, *KINDS]), st.sampled_from(LENGTHS).map(prompt), st.integers(0, 3)
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_mix_at_any_moment_says_what_peft_says(house, asked):
    async def come_and_go():
        async def say(kind, ids, turns):
            await asyncio.sleep(0.002 * turns)
            return await house.say(kind, ids)

        return await asyncio.gather(*(say(*one) for one in asked))

    assert asyncio.run(come_and_go()) == [house.expected(kind, ids) for kind, ids, _ in asked]


@pytest.mark.parametrize("order", list(permutations([None, "all", "attention"])))
async def test_no_adapter_reads_what_another_left_in_the_cache(house, order):
    ids = prompt(3 * PAGE + 5, salt=len(str(order[0])) * 7 + len(str(order[1])))
    expected = {kind: house.expected(kind, ids) for kind in order}
    for _ in range(2):
        for kind in order:
            assert await house.say(kind, ids) == expected[kind]
    asked = [(kind, ids) for kind in order] * 3
    assert await house.say_all(asked) == [expected[kind] for kind, _ in asked]


async def test_requests_with_the_same_adapter_share_pages(house):
    processor = house.batching.manager.batch_processor
    step, computed = processor._generation_step, []

    def watch(*args):
        computed.append(processor.inputs_and_outputs.num_q_tokens)
        return step(*args)

    processor._generation_step = watch
    ids = prompt(3 * PAGE + 5, salt=17)
    for kind in (None, "all", "attention"):
        for tokens in (len(ids), 5):
            computed.clear()
            await house.say(kind, ids)
            assert computed[0] == tokens
    processor._generation_step = step


async def test_a_step_without_adapters_runs_the_plain_layers(house):
    await house.say("all", prompt(5))
    assert any(module._forward_hooks for module in house.model.modules())
    await house.say(None, prompt(5))
    assert not any(module._forward_hooks for module in house.model.modules())


async def test_a_dropped_adapter_is_let_go_by_the_next_step(house):
    leaving = lora.load(read_adapter(house.folders["patterns"]), house.model)
    ids = prompt(65, salt=3)

    async def say_with(adapter):
        pieces = house.batching.generate(list(ids), GREEDY, seed=0, adapter=adapter)
        assert [piece async for piece in pieces]

    await asyncio.gather(house.say_all([("all", ids)] * 4), say_with(leaving))
    left = weakref.ref(leaving)
    house.batching.drop(leaving)
    del leaving
    assert await house.say("all", ids) == house.expected("all", ids)
    gc.collect()
    assert left() is None


def test_an_adapter_whose_numbers_are_too_large_makes_no_nan(house, tmp_path):
    model = deepcopy(house.plain)
    folder = save_adapter(model, tmp_path, seed=9, strength=1e30)
    with lora.Adapting(model).step([(lora.load(read_adapter(folder), model), 65)]):
        made = model(torch.tensor([prompt(65)]))
    layers = made.past_key_values.layers
    cached = [tensor for layer in layers for tensor in (layer.keys, layer.values)]
    assert all(tensor.isfinite().all() for tensor in (made.logits, *cached))


async def test_numbers_too_large_for_one_adapter_reach_no_other_request(house, tmp_path):
    folder = save_adapter(house.plain, tmp_path, seed=9, strength=1e30)
    wild = lora.load(read_adapter(folder), house.model)
    asked = [(kind, prompt(length)) for length in (5, 65) for kind in (*KINDS, None)]
    expected = [house.expected(*one) for one in asked]

    async def lose(n):
        ids = list(prompt(130, salt=n))
        return [piece async for piece in house.batching.generate(ids, GREEDY, seed=0, adapter=wild)]

    said, *_ = await asyncio.gather(house.say_all(asked), *(lose(n) for n in range(8)))
    assert said == expected
    # Its pages go to others now, who fill only parts of them.
    house.batching.manager.batch_processor.cache.evict_cached_blocks()
    assert await house.say_all(asked) == expected
