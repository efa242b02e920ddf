"""A model's linear layers, laid out for a processor: the same numbers, sooner.

The output layer is the largest matrix of a small model (262,144 rows of 640 in Gemma 3
270M), and a step reads all of it. A draw needs the scores of some likely tokens only: an
8-bit copy, half the bytes and several times the speed, finds the CANDIDATES likeliest;
their scores are then computed again with the model's own weights. What is drawn from
the candidates is drawn from exact scores; the others keep approximate ones, which
matter only to top-p where top-k is off.

The other layers are stored in the order in which oneDNN reads them; without that it
reorders them in each step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

CANDIDATES = 256
"""How many of the likeliest tokens take part in a draw."""

_LEVELS = 127
_PART = 1 << 14
"""Rows that are converted at a time: all of them in float32 are four times the copy."""
_ROWS = 16
"""For how many tokens at once the order is chosen; it serves others nearly as well."""


class ShortlistHead(nn.Module):
    """Takes the place of an output layer without bias.

    `shortlist` holds, after each call, the candidates' token ids [rows, CANDIDATES].
    """

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.weight = head.weight
        rows = self.weight.detach()
        self.scale = (rows.abs().amax(1).float() / _LEVELS).clamp_min(1e-12)
        levels = torch.empty(rows.shape, dtype=torch.int8)
        for begin in range(0, len(rows), _PART):
            part = slice(begin, begin + _PART)
            levels[part] = (rows[part].float() / self.scale[part, None]).round().to(torch.int8)
        self.zero = torch.zeros(len(rows), dtype=torch.long)
        self.packed = torch.ops.onednn.qlinear_prepack(levels, [1, rows.shape[1]])
        self.shortlist = torch.empty(0, dtype=torch.long)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores [..., vocabulary] in float32 for states [..., size]."""
        states = hidden.reshape(-1, hidden.shape[-1])
        step = states.abs().amax(1, keepdim=True).float().clamp_min(1e-12) / _LEVELS
        levels = (states / step).round().add_(_LEVELS + 1).to(torch.uint8)
        scores: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            *(levels, 1.0, _LEVELS + 1, self.packed, self.scale, self.zero),
            *(None, 1.0, 0, torch.float32, "none", [], ""),
        ).mul_(step)
        # By id, so that equal scores stand in the same order whatever else is in the batch.
        self.shortlist = scores.topk(CANDIDATES, dim=1, sorted=False).indices.sort(dim=1).values
        exact = torch.bmm(self.weight[self.shortlist], states.unsqueeze(2)).squeeze(2)
        scores.scatter_(1, self.shortlist, exact.float())
        return scores.view(*hidden.shape[:-1], -1)


class PackedLinear(nn.Module):
    """Takes the place of a bfloat16 linear layer."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), _ROWS)  # noqa: SLF001
        self.bias = layer.bias

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """As the layer: states [..., inputs] become [..., outputs]."""
        made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
            states, self.packed, self.bias, "none", [], ""
        )
        return made


def pack(model: Any) -> None:  # noqa: ANN401 - transformers' models have no usable type
    """Lay out a model's linear layers anew where its processor gains by it."""
    head = model.get_output_embeddings()
    if (
        _plain(head)
        and head.bias is None
        and head.out_features > CANDIDATES
        and _multiplies_bytes()
    ):
        model.set_output_embeddings(ShortlistHead(head))
    if not has_bfloat16():
        return
    for name, layer in list(model.named_modules()):
        if _plain(layer) and layer is not head and layer.weight.dtype is torch.bfloat16:
            model.set_submodule(name, PackedLinear(layer))


def has_bfloat16() -> bool:
    """Whether oneDNN is here and multiplies bfloat16 without emulating it."""
    return torch.backends.mkldnn.is_available() and bool(  # type: ignore[no-untyped-call]
        torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
    )


def _plain(layer: object) -> bool:
    return type(layer) is nn.Linear and layer.weight.device.type == "cpu"


def _multiplies_bytes() -> bool:
    return (
        "onednn" in torch.backends.quantized.supported_engines and torch.cpu._is_vnni_supported()  # noqa: SLF001 - torch has no public name for it
    )
