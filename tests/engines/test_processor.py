"""What is done for speed on a processor changes no answer: against the plain library."""

from __future__ import annotations

import asyncio

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from bot.engines.local import attention, linear, sampling
from bot.engines.local.batching import Batching
from storage.records import Sampling

GREEDY = Sampling(temperature=0.0, max_tokens=24)
WINDOW = 40


def llama():
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.5,
        eos_token_id=299,
    )
    return LlamaForCausalLM(config)


def gemma():
    """Sliding layers with a window that the prompts below outgrow, and a whole one."""
    config = Gemma3TextConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=16,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        initializer_range=0.5,
        eos_token_id=299,
    )
    return Gemma3ForCausalLM(config)


@pytest.fixture(params=[llama, gemma])
def model(request):
    torch.manual_seed(1)
    return request.param().eval().requires_grad_(requires_grad=False)


def expected(model, ids):
    made = model.generate(
        torch.tensor([ids]), max_new_tokens=GREEDY.max_tokens, do_sample=False, eos_token_id=299
    )
    return made[0, len(ids) :].tolist()


async def generate(batching, ids):
    """The new ids, which the "decoder" below hands on as characters."""
    pieces = [piece.text async for piece in batching.generate(ids, GREEDY, seed=0)]
    return [ord(character) for character in "".join(pieces)]


def characters(_prompt):
    return lambda ids: "".join(map(chr, ids))


async def test_a_batch_of_unequal_prompts_says_what_the_library_says_alone(model):
    prompts = [[(7 * n + 3 * i) % 290 for i in range(n)] for n in (1, 5, 63, 64, 65, 200, 700)]
    plain = [expected(model, ids) for ids in prompts]
    batching = Batching(model, eos=[299], decoder=characters)
    batching.start(name="test")
    try:
        assert await asyncio.gather(*(generate(batching, ids) for ids in prompts)) == plain
        assert await generate(batching, prompts[5]) == plain[5]
    finally:
        batching.close()


async def test_a_prompt_that_begins_like_another_shares_its_pages(model):
    long = [(11 * i) % 290 for i in range(400)]
    prompts = [[*long, 5], [*long, 6, 7]]
    plain = [expected(model, ids) for ids in prompts]
    batching = Batching(model, eos=[299], decoder=characters)
    batching.start(name="test")
    computed = []
    step = batching.manager.batch_processor._generation_step

    def watch(*args):
        computed.append(batching.manager.batch_processor.inputs_and_outputs.num_q_tokens)
        return step(*args)

    batching.manager.batch_processor._generation_step = watch
    try:
        assert await generate(batching, prompts[0]) == plain[0]
        assert max(computed) == 401
        computed.clear()
        assert await generate(batching, prompts[1]) == plain[1]
        assert max(computed) == 402 - 6 * 64
    finally:
        batching.close()


def test_the_cache_keeps_the_whole_past_and_the_model_its_windows(model):
    config = model.config
    before = (getattr(config, "layer_types", None), getattr(config, "sliding_window", None))
    with attention.whole_past(config):
        assert "sliding_attention" not in (getattr(config, "layer_types", None) or ())
    assert (getattr(config, "layer_types", None), getattr(config, "sliding_window", None)) == before


def test_the_shortlist_has_the_exact_scores_of_the_likeliest_tokens():
    torch.manual_seed(2)
    head = torch.nn.Linear(64, 5000, bias=False, dtype=torch.bfloat16)
    states = torch.randn(7, 64, dtype=torch.bfloat16)
    exact = head(states).float()
    short = linear.ShortlistHead(head)
    scores = short(states)
    assert torch.equal(scores.gather(1, short.shortlist), exact.gather(1, short.shortlist))
    best = exact.topk(linear.CANDIDATES // 2).indices
    for row in range(7):
        assert set(best[row].tolist()) <= set(short.shortlist[row].tolist())
    assert torch.allclose(scores, exact, atol=exact.abs().max().item() / 40)


def test_known_candidates_give_the_draw_that_looking_for_them_gives():
    torch.manual_seed(3)
    scores = torch.randn(64, 5000)
    how = {
        "temperature": torch.full((64,), 0.9),
        "top_p": torch.full((64,), 0.9),
        "top_k": torch.tensor([0, 50] * 32),
        "noise_key": torch.arange(64, dtype=torch.int32),
    }
    known = scores.topk(linear.CANDIDATES).indices.sort(dim=1).values
    assert torch.equal(sampling.draw(scores, known, **how), sampling.draw(scores, **how))


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_a_packed_layer_computes_what_the_layer_did(rows):
    torch.manual_seed(4)
    for bias in (False, True):
        layer = torch.nn.Linear(48, 96, bias=bias, dtype=torch.bfloat16)
        states = torch.randn(1, rows, 48, dtype=torch.bfloat16)
        difference = linear.PackedLinear(layer)(states) - layer(states)
        assert difference.abs().max() <= 0.02
