"""Beside the steps: they are told, checked for sense, and sealed. Imports transformers."""
# ruff: noqa: ANN401, ARG002 - the library's states and arguments have no usable types

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bot.training.runs import Run

    Tell = Callable[..., None]

_NAMES = {
    "loss": "loss",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "logps/chosen": "chosen",
    "logps/rejected": "rejected",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient",
    "eval_loss": "held_out_loss",
    "eval_rewards/margins": "held_out_margin",
    "eval_rewards/accuracies": "held_out_accuracy",
}
"""What trainers call their figures, and what we do."""


def figures(logs: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a log entry under our names; those that are no number are left out."""
    found = {_NAMES[name]: float(value) for name, value in logs.items() if name in _NAMES}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def curves(history: Iterable[Mapping[str, Any]]) -> list[dict[str, float]]:
    """The steps of a trainer's history in order, with what was found on held-out rows."""
    steps: dict[int, dict[str, float]] = {}
    for entry in history:
        if found := figures(entry):
            steps.setdefault(int(entry["step"]), {}).update(found)
    return [{"step": float(step), **found} for step, found in sorted(steps.items())]


class Following(TrainerCallback):
    """Tells each step, stops where the loss is no number any more, and seals checkpoints.

    `before` are the seconds that were spent before a kill; `diverged` is the step whose loss
    was no number.
    """

    def __init__(self, run: Run, *, tell: Tell, before: float) -> None:
        self._run = run
        self._tell = tell
        self._began = time.monotonic() - before
        self.diverged: int | None = None

    @property
    def seconds(self) -> float:
        """How long it has taken in all."""
        return time.monotonic() - self._began

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Tell a step; stop at a loss that is no number."""
        logs = more.get("logs") or {}
        told = figures(logs)
        if told:
            self._tell("step", step=state.global_step, total=state.max_steps, **told)
        if not all(math.isfinite(float(logs.get(k, 0.0))) for k in ("loss", "grad_norm")):
            self.diverged = state.global_step
            control.should_training_stop = True
            control.should_save = False

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Seal the checkpoint that was just written."""
        ended = control.should_training_stop
        self._run.seal(state.global_step, seconds=self.seconds, ended=ended)
