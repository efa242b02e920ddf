"""Log-probabilities of answers, and what held-out pairs say by them. Imports torch."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING, Any

import torch

from bot.ranking import wilson
from bot.training.record import Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.training.worker.tokens import Encoded

Scores = tuple[float | None, float | None]
"""Log-probability of the liked and of the disliked answer, in nats."""


@torch.no_grad()
def scores(
    model: Any,  # noqa: ANN401 - PEFT's models have no usable types
    rows: Sequence[Encoded],
    *,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Scores]:
    """The summed log-probability of each row's answers, in evaluation mode.

    The model is one of `heads.score_answers_only`.
    """
    model.eval()
    found = []
    for at, row in enumerate(rows):
        found.append(
            (_score(model, row.prompt, row.liked), _score(model, row.prompt, row.disliked))
        )
        progress(at + 1, len(rows))
    return found


def _score(model: Any, prompt: list[int], answer: list[int] | None) -> float | None:  # noqa: ANN401
    """Computed as the trainers do it: no logits but those of the answer."""
    if answer is None:
        return None
    ids = torch.tensor([prompt + answer], device=model.device)
    labels = torch.tensor([[-100] * len(prompt) + answer], device=model.device)
    scored = model(input_ids=ids, labels=labels, use_cache=False, fused_lm_head=True)
    return float(scored.log_probs.sum())


def evaluated(split: str | None, before: Sequence[Scores], after: Sequence[Scores]) -> Evaluation:
    """What a model does to held-out pairs, by its log-probabilities and those of its parent.

    Source: Rafailov et al. (2023), DPO, section 4: the implicit reward is their difference.
    """
    gains = [
        (new[0] - old[0], new[1] - old[1])
        for old, new in zip(before, after, strict=True)
        if old[0] is not None and old[1] is not None and new[0] is not None and new[1] is not None
    ]
    if not gains:
        return Evaluation()
    right = sum(chosen > rejected for chosen, rejected in gains)
    interval = wilson(right, len(gains))
    return Evaluation(
        split=split,
        pairs=len(gains),
        accuracy=interval.share,
        low=interval.low,
        high=interval.high,
        margin=mean(chosen - rejected for chosen, rejected in gains),
        chosen=mean(chosen for chosen, _ in gains),
        rejected=mean(rejected for _, rejected in gains),
    )
