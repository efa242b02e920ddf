"""A run from its job to its adapter. Imports torch, trl and peft.

On a run that was begun before, the parent's log-probabilities are read again, and the training
goes on from the last whole checkpoint with the weights, the optimizer, the schedule and the
random state of then. Where that was the end of the training, only the rest is done again.
"""
# ruff: noqa: ANN401 - PEFT's models and TRL's trainers have no usable types

from __future__ import annotations

import json
import resource
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import load_peft_weights, set_peft_model_state_dict
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerState, set_seed
from transformers.trainer import TRAINER_STATE_NAME

from bot.disk import write_whole
from bot.engines.local.loading import load
from bot.errors import ConfigError, ModelError
from bot.training import rows
from bot.training.record import Base, Ended, Learnt, TrainingRecord
from bot.training.runs import REFERENCE
from bot.training.worker import adapters
from bot.training.worker.following import Following, curves
from bot.training.worker.heads import score_answers_only
from bot.training.worker.scoring import evaluated, scores
from bot.training.worker.tokens import Encoder
from bot.training.worker.trainers import make_trainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.engines.local.loading import Loaded
    from bot.training.recipe import Recipe
    from bot.training.runs import Checkpoint, Job, Run
    from bot.training.worker.following import Tell
    from bot.training.worker.scoring import Scores
    from bot.training.worker.tokens import Encoded

_LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


@dataclass(frozen=True, kw_only=True)
class _Data:
    """The rows by split as token ids, their scores under the parent, how many were too long.

    `dataset` is read once: when somebody leaves, its folder goes while it is trained on.
    """

    dataset: rows.Dataset
    encoded: Mapping[str, list[Encoded]]
    reference: Mapping[str, list[Scores]]
    too_long: int

    def of(self, split: str) -> tuple[list[Encoded], list[Scores]]:
        return self.encoded.get(split, []), self.reference.get(split, [])


def train(run: Run, tell: Tell) -> None:
    """Train as the run's job says, and put the adapter in its place. Raises TwofoldError."""
    job = run.job
    tell("stage", stage="loading the model")
    loaded, model = ready(job)
    tokenizer = loaded.tokenizer
    data = _data(run, model, Encoder(loaded), tell)
    tell("stage", stage="making ready")
    trainer = _trainer(job.recipe, model, tokenizer, data, run)
    last = run.last()
    following = Following(run, tell=tell, before=last.seconds if last else 0.0)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(following)
    if last is not None and last.ended:
        _restore(trainer, last)
    else:
        tell("stage", stage="training", resumed=last is not None)
        trainer.train(resume_from_checkpoint=str(last.folder) if last else None)
    if following.diverged is not None and not trainer.state.best_model_checkpoint:
        raise ModelError(
            f"The training diverged at step {following.diverged}: its loss is no number any more, "
            f"and nothing good was kept before. Try again with a lower --learning-rate than "
            f"{job.recipe.learning_rate:g}; for a round, `learning_rate` stands under [training]."
        )
    tell("stage", stage="evaluating")
    record = _record(job, trainer, data, following)
    tell("stage", stage="writing the adapter")
    place = adapters.publish(run, job, trainer.model, record)
    run.finish(place)
    tell("done", adapter=str(place))


def ready(job: Job) -> tuple[Loaded, Any]:
    """The base model with its tokenizer, and the model with the adapter that is to be trained."""
    if job.threads:
        torch.set_num_threads(job.threads)
    _repeat()
    loaded = load(job.base_folder, dtype=job.dtype)
    tokenizer = loaded.tokenizer
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    score_answers_only(loaded.model)
    set_seed(job.recipe.seed)
    return loaded, adapters.with_lora(loaded.model, job)


def _repeat() -> None:
    """Have a GPU compute the same each time, as a processor does, where its kernels can."""
    if torch.cuda.is_available():
        torch.use_deterministic_algorithms(mode=True, warn_only=True)


def _data(run: Run, model: Any, encoder: Encoder, tell: Tell) -> _Data:
    """The rows that fit, with what the parent makes of them. Raises ConfigError."""
    job = run.job
    dataset = rows.read(job.dataset, job.recipe.method)
    encoded: dict[str, list[Encoded]] = {}
    too_long = 0
    for split, read in dataset.splits.items():
        encoded[split], left_out = encoder.rows(read, max_length=job.recipe.max_length)
        too_long += left_out
    if not encoded.get(rows.TRAIN):
        raise ConfigError("No row is left to train on: all are longer than --max-length.")
    kept = run.folder / REFERENCE
    if kept.is_file():
        reference = json.loads(kept.read_bytes())
    else:
        reference = {
            split: scores(model, found, progress=partial(_told, tell))
            for split, found in encoded.items()
        }
        write_whole(kept, json.dumps(reference).encode())
    return _Data(dataset=dataset, encoded=encoded, reference=reference, too_long=too_long)


def _told(tell: Tell, done: int, total: int) -> None:
    tell("reading", done=done, total=total)


def _trainer(recipe: Recipe, model: Any, tokenizer: Any, data: _Data, run: Run) -> Any:
    (train_rows, train_scores), (held_out, held_scores) = (
        data.of(rows.TRAIN),
        data.of(rows.VALIDATION),
    )
    trainer = make_trainer(
        recipe,
        model=model,
        tokenizer=tokenizer,
        train=train_rows,
        held_out=held_out,
        reference=(train_scores, held_scores),
        folder=run.folder,
    )
    if held_out and recipe.patience:
        trainer.add_callback(EarlyStoppingCallback(recipe.patience))
    return trainer


def _restore(trainer: Any, last: Checkpoint) -> None:
    """The trainer as it was when its training ended, with the best weights.

    From its last checkpoint a trainer would go on: it forgets that it stopped early, or makes
    one more update where an epoch was not over.
    """
    trainer.state = TrainerState.load_from_json(str(last.folder / TRAINER_STATE_NAME))
    # The state has the path of when it was written, and the folder may have moved.
    best = last.folder.with_name(Path(trainer.state.best_model_checkpoint or last.folder).name)
    set_peft_model_state_dict(trainer.model, load_peft_weights(str(best)))


def _record(job: Job, trainer: Any, data: _Data, following: Following) -> TrainingRecord:
    """Everything about the adapter, but what only its folder tells."""
    state = trainer.state
    split = rows.TEST if data.encoded.get(rows.TEST) else rows.VALIDATION
    held_out, before = data.of(split)
    told = data.dataset
    kept = data.encoded[rows.TRAIN]
    if following.diverged is not None:
        ended = Ended.DIVERGED
    elif state.global_step < state.max_steps:
        ended = Ended.STOPPED_EARLY
    else:
        ended = Ended.DONE
    return TrainingRecord(
        slug="",
        parent=job.contender,
        parent_sha256=job.parent_sha256,
        generation=job.generation,
        method=job.recipe.method,
        recipe=job.recipe,
        base=Base(source=job.base, weights=job.weights),
        template=job.template,
        template_digest=job.template_digest,
        dataset=Learnt(
            identity=str(told.manifest["dataset"]),
            manifest_sha256=told.manifest_sha256,
            policy=told.manifest["policy"],
            purpose=told.manifest["purpose"],
            source=told.manifest["source"],
            rows=len(kept),
            pairs=sum(len(row.answers) > 1 for row in kept),
            held_out=sum(len(found) for name, found in data.encoded.items() if name != rows.TRAIN),
            too_long=data.too_long,
        ),
        ended=ended,
        best_step=state.best_global_step or state.global_step,
        steps=state.global_step,
        curves=tuple(curves(state.log_history)),
        evaluation=evaluated(split, before, scores(trainer.model, held_out)),
        seed=job.recipe.seed,
        versions={name: version(name) for name in _LIBRARIES} | {"python": sys.version.split()[0]},
        seconds=round(following.seconds, 1),
        peak_memory_bytes=peak(),
        created_at=datetime.now(UTC),
        weights_sha256="",
    )


def peak() -> int:
    """The most memory that this process had, on the GPU where it has one."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
