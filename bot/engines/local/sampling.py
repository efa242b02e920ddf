"""Drawing tokens, one set of parameters and one seed per request.

transformers draws with `torch.multinomial` over the whole vocabulary, from one
generator per manager, after a full sort for top-p. With 262,144 tokens that costs
more than the model. Here the manager stays greedy, and this step puts the drawn
token on top: top-k first, top-p inside it, then the exponential race (the arg max
of p_i / e_i, with e_i ~ Exp(1), is distributed as p; the Gumbel-max identity).

The noise is a pure function of (seed, position, token id), so a draw depends on
nothing else: not on the neighbours in the batch, nor on any global generator.

Exactness: at most CANDIDATES tokens take part in a draw. With `top_k` from 1 to
CANDIDATES the distribution is exactly that of top-k then top-p. With `top_k` 0
(off) or above CANDIDATES, top-p is measured against the whole vocabulary and then
limited to the CANDIDATES likeliest tokens; where the nucleus is larger, its tail
is cut. The noise has 32 bits.
"""
# ruff: noqa: ANN401 - transformers' models, tokenizers and managers have no usable types

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessorList,
)
from transformers.generation.logits_process import LogitsProcessorList

from bot.engines.local.linear import CANDIDATES, ShortlistHead
from bot.engines.local.lora import Lora

if TYPE_CHECKING:
    from transformers.generation.continuous_batching.requests import FutureRequestState

_MASK = 0xFFFFFFFF


class Sampler(ContinuousBatchingLogitsProcessorList):
    """The manager's whole chain of logits processors, with four arguments per request.

    `temperature` (float, 0 is greedy), `top_k` (int, 0 is off), `top_p` (float, 1
    is off) and `seed` (int). It takes the place of `manager.logit_processor`
    before the manager starts; the library's own chain passes the whole vocabulary
    from processor to processor, which is what makes it slow. `head` is the model's
    output layer: where it has the candidates already, they are not looked for again.
    """

    def __init__(self, head: Any) -> None:
        super().__init__(LogitsProcessorList())
        self._head = head
        self.tensors_required = 4
        self.do_processing = True
        drawn = {"temperature": float, "top_k": int, "top_p": float, "seed": int}
        self.supported_keys = {**drawn, "adapter": Lora}  # which `Batching` reads

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """Greedy where nothing is asked: padding rows are drawn like any other."""
        int32_tensor.zero_()

    def prepare_tensor_args(
        self, requests_in_batch: list[FutureRequestState], arg_storage: torch.Tensor
    ) -> torch.Tensor:
        """Write one column per request that gets a token: the floats viewed as int32."""
        asked = [
            (state.logit_processor_kwargs, len(state.initial_tokens) + len(state.generated_tokens))
            for state in (future.state for future in requests_in_batch if future.has_new_token)
        ]
        floats = torch.tensor(
            [[kwargs.get(name, 0.0) for kwargs, _ in asked] for name in ("temperature", "top_p")],
            dtype=torch.float32,
        )
        integers = torch.tensor(
            [
                [kwargs.get("top_k", 0) for kwargs, _ in asked],
                [_signed(mix(kwargs.get("seed", 0), position)) for kwargs, position in asked],
            ],
            dtype=torch.int32,
        )
        rows = torch.cat((floats.view(torch.int32), integers)).to(arg_storage.device)
        arg_storage[:4, : len(asked)] = rows
        return arg_storage

    def __call__(
        self,
        input_ids: Any,  # noqa: ARG002 - the library's signature
        scores: torch.Tensor,
        logits_processor_args: torch.Tensor,
    ) -> torch.Tensor:
        """Raise the drawn token of each row above all others, in place.

        `scores` is [rows, vocabulary] float32, and the caller's own copy. In place,
        because filling 262,144 columns with -inf would cost as much as the arg max.
        """
        rows = scores.size(0)
        floats = logits_processor_args[:2, :rows].view(torch.float32)
        drawn = draw(
            scores,
            self._head.shortlist if isinstance(self._head, ShortlistHead) else None,
            temperature=floats[0],
            top_p=floats[1],
            top_k=logits_processor_args[2, :rows],
            noise_key=logits_processor_args[3, :rows],
        )
        return scores.scatter_(1, drawn.unsqueeze(1), float("inf"))


def draw(
    scores: torch.Tensor,
    candidates: torch.Tensor | None = None,
    *,
    temperature: torch.Tensor,
    top_p: torch.Tensor,
    top_k: torch.Tensor,
    noise_key: torch.Tensor,
) -> torch.Tensor:
    """Draw one token id per row of `scores` [rows, vocabulary]; all else is [rows].

    `candidates` are the ids of the likeliest tokens [rows, K], in ascending order, where
    they are known already. Returns int64 ids [rows]. Rows with temperature 0 give the arg max.
    """
    if candidates is None:
        values, ids = scores.topk(min(CANDIDATES, scores.size(1)), dim=1)  # [rows, K], descending
    else:
        values, order = scores.gather(1, candidates).sort(dim=1, descending=True, stable=True)
        ids = candidates.gather(1, order)
    greedy = temperature <= 0
    heat = torch.where(greedy, torch.ones_like(temperature), temperature).unsqueeze(1)
    limit = torch.where((top_k <= 0) | (top_k > CANDIDATES), values.size(1), top_k)
    rank = torch.arange(values.size(1), device=scores.device)
    scaled = (values / heat).masked_fill(rank >= limit.unsqueeze(1), float("-inf"))
    total = torch.logsumexp(scaled, dim=1, keepdim=True)
    unlimited = (top_k <= 0) | (top_k > CANDIDATES)
    if bool(unlimited.any()):  # a pass over the whole vocabulary, only where it was asked for
        whole = torch.logsumexp(scores / heat, dim=1, keepdim=True)
        total = torch.where(unlimited.unsqueeze(1), whole, total)
    mass = (scaled - total).exp()
    # A token belongs to the nucleus while the mass before it is below top_p: the first always does.
    outside = (mass.cumsum(dim=1) - mass >= top_p.unsqueeze(1)) & (top_p.unsqueeze(1) < 1)
    outside[:, 0] = False
    race = scaled.masked_fill(outside, float("-inf")) - exponential(noise_key, ids).log().float()
    winner = torch.where(greedy, 0, race.argmax(dim=1))
    return ids.gather(1, winner.unsqueeze(1)).squeeze(1)


def exponential(noise_key: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Exp(1) noise in float64 for token `ids` [rows, K] under `noise_key` [rows] int32."""
    key = noise_key.to(torch.int64).unsqueeze(1) & _MASK
    bits = _scramble(_scramble(ids + 1) ^ key)
    return -((bits.double() + 0.5) / 2**32).log()


def _scramble(x: torch.Tensor) -> torch.Tensor:
    """Apply a 32-bit mixing permutation in int64 (constants of Wellons' hash-prospector).

    Both factors are below 2**31, so that no product overflows a signed 64-bit integer.
    """
    x = x ^ (x >> 16)
    x = (x * 0x21F0AAAD) & _MASK
    x = x ^ (x >> 15)
    x = (x * 0x735A2D97) & _MASK
    return x ^ (x >> 15)


def mix(seed: int, position: int) -> int:
    """32 bits that stand for (seed, position): SplitMix64's finalizer, upper half."""
    x = (seed * 0x9E3779B97F4A7C15 + position * 0xD1342543DE82EF95 + 1) & 0xFFFFFFFFFFFFFFFF
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return (x ^ (x >> 31)) >> 32


def _signed(x: int) -> int:
    return x - 2**32 if x >= 2**31 else x
