"""What a training takes on this machine, by a few real steps of it. Imports torch.

The longest rows tell the memory, rows of the mean length the time.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from transformers import PrinterCallback, TrainerCallback

from bot.errors import ConfigError
from bot.training import rows
from bot.training.worker.scoring import scores
from bot.training.worker.tokens import Encoder
from bot.training.worker.trainers import make_trainer
from bot.training.worker.training import peak, ready

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.engines.local.loading import Loaded
    from bot.training.recipe import Recipe
    from bot.training.runs import Run
    from bot.training.worker.following import Tell
    from bot.training.worker.tokens import Encoded

_STEPS = 3


class _Clock(TrainerCallback):
    """How long each step took, in seconds."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self._began = 0.0

    def on_step_begin(self, *_: object, **__: object) -> None:
        self._began = time.monotonic()

    def on_step_end(self, *_: object, **__: object) -> None:
        self.steps.append(time.monotonic() - self._began)


def measure(run: Run, tell: Tell) -> None:
    """Do a few steps of a run, keep nothing of them, and tell what all of it would take."""
    job = run.job
    tell("stage", stage="loading the model")
    loaded, model = ready(job)
    dataset = rows.read(job.dataset, job.recipe.method)
    encoder = Encoder(loaded)
    encoded = {
        split: encoder.rows(found, max_length=job.recipe.max_length)[0]
        for split, found in dataset.splits.items()
    }
    train = sorted(encoded.get(rows.TRAIN, []), key=lambda row: row.length)
    if not train:
        raise ConfigError("No row is left to train on: all are longer than --max-length.")
    tell("stage", stage="reading some rows")
    began = time.monotonic()
    size = job.recipe.batch
    middle = min(range(len(train)), key=lambda at: abs(train[at].length - _mean(train)))
    typical = train[max(0, min(middle, len(train) - size)) :][:size]
    scores(model, typical)
    reading = (time.monotonic() - began) / len(typical)
    tell("stage", stage="trying some steps")
    usual = min(_steps(job.recipe, model, loaded, typical)[1:])
    _steps(job.recipe, model, loaded, train[-size:])
    answers = sum(len(row.answers) for row in train)
    each = answers if job.recipe.method == "kto" else len(train)
    updates = job.recipe.updates(each)
    held_out = len(encoded.get(rows.VALIDATION, []))
    looks = updates // job.recipe.evaluate_every * -(-held_out // size)
    read = sum(map(len, encoded.values())) + len(encoded.get(rows.TEST, []))
    seconds = usual * (updates * job.recipe.accumulation + looks / 3) + reading * read
    tell("done", seconds=seconds, seconds_a_batch=usual, peak_memory_bytes=peak())


def _mean(encoded: Sequence[Encoded]) -> float:
    return mean(row.length for row in encoded)


def _steps(
    recipe: Recipe,
    model: Any,  # noqa: ANN401 - PEFT's models have no usable types
    loaded: Loaded,
    batch: Sequence[Encoded],
) -> list[float]:
    """Seconds of each of a few steps on the same rows."""
    short = recipe.model_copy(update={"max_steps": _STEPS, "accumulation": 1})
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            short,
            model=model,
            tokenizer=loaded.tokenizer,
            train=batch,
            held_out=(),
            reference=([(0.0, 0.0)] * len(batch), ()),
            folder=Path(folder),
        )
        trainer.args.save_strategy = "no"
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(clock)
        trainer.train()
    return clock.steps
