"""Log-probabilities of answers on a processor, for TRL's trainers. Imports torch and trl.

There TRL computes the logits of prompts and padding too, and drops them, and keeps figures
of every distribution that nobody reads here. With a vocabulary of 262,144 that is most of the
time. TRL has no option for it, so two of its names are given other values; where a version has
none of them, its own way is taken.
"""
# ruff: noqa: ANN401 - autograd's contexts and the models have no usable types

from __future__ import annotations

from typing import Any

import torch
import trl.trainer.utils as trl_utils

_TILE = 128
"""Rows of logits at once: with a vocabulary of 262,144 they are 200 MB in both precisions."""

_ChunkedLogProbs = getattr(trl_utils, "_ChunkedLogProbFunction", None)


def score_answers_only(model: Any) -> None:
    """Give a model TRL's head, `fused_lm_head=True`, which scores only where there are labels."""
    if _ChunkedLogProbs is not None and hasattr(trl_utils, "_use_triton"):
        vars(trl_utils)["_use_triton"] = lambda _: True  # it means "only where labels are"
        vars(trl_utils)["_ChunkedLogProbFunction"] = _Scores
    trl_utils.add_fused_lm_head(model, outputs=("log_probs",))


class LogProbs(torch.autograd.Function):
    """The log-probability of each target under `hidden @ weight.T`, for a weight that is frozen.

    `hidden` is [n, h], `weight` [v, h], `targets` [n]. Only the normalizer of each row is kept
    for the way back, where the logits are computed again: d log p / d logits is the target's
    one-hot vector less the probabilities.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """Score, a tile of rows after the other."""
        found, normalizers = [], []
        for at in range(0, len(hidden), _TILE):
            logits = (hidden[at : at + _TILE] @ weight.T).float()
            picked = logits.gather(1, targets[at : at + _TILE, None])[:, 0]
            highest = logits.amax(1, keepdim=True)
            normalizer = logits.sub_(highest).exp_().sum(1).log_() + highest[:, 0]
            normalizers.append(normalizer)
            found.append(picked - normalizer)
        empty = hidden.new_zeros(0, dtype=torch.float32)
        ctx.save_for_backward(hidden, weight, targets, torch.cat([empty, *normalizers]))
        return torch.cat([empty, *found])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Gradient of the hidden states."""
        hidden, weight, targets, normalizers = ctx.saved_tensors
        (wanted,) = gradients
        found = [hidden.new_zeros(0, hidden.shape[1])]
        for at in range(0, len(hidden), _TILE):
            rows = slice(at, at + _TILE)
            slopes = (hidden[rows] @ weight.T).float()
            slopes.sub_(normalizers[rows, None]).exp_().mul_(-wanted[rows, None])
            slopes.scatter_add_(1, targets[rows, None], wanted[rows, None].float())
            found.append(slopes.to(weight.dtype) @ weight)
        return torch.cat(found), None, None


class _Scores:
    """Called as TRL's own function; the figures that it adds are all zero."""

    @staticmethod
    def apply(  # noqa: PLR0913, PLR0917 - TRL's signature
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        temperature: float,
        chunk: int,
        softcap: float | None = None,
        scale: float = 1.0,
        outputs: tuple[str, ...] = (),
    ) -> tuple[torch.Tensor, ...]:
        plain = bias is None and softcap is None and scale == temperature == 1
        if hidden.device.type != "cpu" or not plain or weight.requires_grad:
            given = (hidden, weight, bias, targets, temperature, chunk, softcap, scale, outputs)
            return tuple(_ChunkedLogProbs.apply(*given))  # type: ignore[union-attr]
        scored: torch.Tensor = LogProbs.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
        nothing = torch.zeros_like(scored.detach())
        return scored, nothing, nothing, nothing, nothing.bool()
