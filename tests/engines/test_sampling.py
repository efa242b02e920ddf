"""The draw against the distribution it claims, on a vocabulary small enough to count."""

from __future__ import annotations

import pytest
import torch

from bot.engines.local import sampling

SCORES = torch.tensor([2.0, 1.5, 1.5, 0.0, -1.0, -3.0, 0.7, 1.1])
DRAWS = 20_000

# The 0.999 quantile of chi-square by degrees of freedom.
LIMIT = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52, 6: 22.46, 7: 24.32}


def draw(rows, *, temperature=1.0, top_p=1.0, top_k=0, keys=None):
    count = rows.size(0)
    keys = torch.tensor([sampling._signed(sampling.mix(i, 5)) for i in range(count)])
    return sampling.draw(
        rows.clone(),
        temperature=torch.full((count,), temperature),
        top_p=torch.full((count,), top_p),
        top_k=torch.full((count,), top_k, dtype=torch.int32),
        noise_key=keys.to(torch.int32),
    )


def reference(scores, *, temperature=1.0, top_p=1.0, top_k=0):
    """Top-k, then top-p inside it, in plain Python."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    order = order[:top_k] if top_k else order
    weights = {i: torch.exp(torch.tensor(scores[i] / temperature)).item() for i in order}
    total, mass, kept = sum(weights.values()), 0.0, {}
    for i in order:
        if kept and mass >= top_p:
            break
        kept[i] = weights[i]
        mass += weights[i] / total
    return {i: w / sum(kept.values()) for i, w in kept.items()}


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"temperature": 0.5},
        {"top_k": 4},
        {"top_p": 0.7},
        {"temperature": 1.7, "top_k": 6, "top_p": 0.8},
        {"top_k": 1000},
    ],
    ids=str,
)
def test_drawn_frequencies_match_softmax_after_top_k_and_top_p(how):
    expected = reference(SCORES.tolist(), **how)
    drawn = draw(SCORES.expand(DRAWS, -1), **how)
    counts = torch.bincount(drawn, minlength=len(SCORES)).tolist()
    assert {i for i, n in enumerate(counts) if n} <= set(expected)
    square = sum((counts[i] - DRAWS * p) ** 2 / (DRAWS * p) for i, p in expected.items())
    assert square < LIMIT[len(expected) - 1]


def test_consecutive_positions_of_one_seed_are_independent():
    keys = [sampling._signed(sampling.mix(3, position)) for position in range(DRAWS + 1)]
    drawn = sampling.draw(
        SCORES.expand(DRAWS + 1, -1).clone(),
        temperature=torch.ones(DRAWS + 1),
        top_p=torch.ones(DRAWS + 1),
        top_k=torch.full((DRAWS + 1,), 2),
        noise_key=torch.tensor(keys, dtype=torch.int32),
    )
    first = (drawn == 0).float()
    p = first.mean()
    together = (first[1:] * first[:-1]).mean()
    assert abs(together - p * p) < 4 * (p * (1 - p) / DRAWS**0.5)


def test_temperature_0_is_the_arg_max():
    rows = torch.randn(64, 500)
    assert torch.equal(draw(rows, temperature=0.0), rows.argmax(1))


def test_a_row_is_drawn_alike_alone_and_among_others():
    rows = torch.randn(32, 5000).bfloat16().float()  # bf16 scores tie often
    together = draw(rows, top_k=50, top_p=0.9)
    for i in (0, 7, 31):
        alone = sampling.draw(
            rows[i : i + 1].clone(),
            temperature=torch.ones(1),
            top_p=torch.tensor([0.9]),
            top_k=torch.tensor([50]),
            noise_key=torch.tensor([sampling._signed(sampling.mix(i, 5))]).to(torch.int32),
        )
        assert alone.item() == together[i].item()


def test_noise_is_exponential_and_differs_between_tokens_and_keys():
    keys = torch.arange(-50, 50, dtype=torch.int32)
    noise = sampling.exponential(keys, torch.arange(1000).expand(100, -1))
    assert noise.unique().numel() > 99_990
    assert abs(noise.mean() - 1) < 0.02
    assert abs((noise > 1).double().mean() - 0.3679) < 0.01
