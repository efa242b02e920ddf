"""Our own log-probabilities against torch's and TRL's."""

from __future__ import annotations

import pytest
import torch
from trl.kernels import ChunkedLogProbFunction

from bot.training.worker.heads import LogProbs


@pytest.mark.parametrize("rows", [0, 1, 127, 300])
def test_values_and_gradients_are_those_of_torch_and_of_trl(rows):
    torch.manual_seed(rows)
    weight = torch.randn(900, 24)
    targets = torch.randint(900, (rows,))
    slopes = torch.randn(rows)
    found = []
    for score in (
        lambda hidden: LogProbs.apply(hidden, weight, targets),
        lambda hidden: torch.log_softmax(hidden @ weight.T, -1).gather(1, targets[:, None])[:, 0],
        lambda hidden: ChunkedLogProbFunction.apply(hidden, weight, None, targets, 1.0, 256)[0],
    ):
        hidden = torch.randn(rows, 24, generator=torch.Generator().manual_seed(1))
        hidden.requires_grad_()
        scored = score(hidden)
        scored.backward(slopes)
        found.append((scored.detach(), hidden.grad))
    for other in found[1:]:
        for ours, theirs in zip(found[0], other, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-4)
