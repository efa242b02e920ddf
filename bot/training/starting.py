"""From what was asked for to a run that is ready to go: parent, rows, recipe, work folder."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bot.console import fetch
from bot.dataset.gate import require_permission
from bot.errors import ConfigError
from bot.prompting import library
from bot.terminal import err
from bot.training import child, plan, record, rows
from bot.training.making import dataset_for
from bot.training.parents import named, parameters_of, parent_of, weights_of
from bot.training.recipe import Method, advised, reason
from bot.training.registering import require_known, require_learnable
from bot.training.runs import Job, Run
from bot.training.showing import showing
from storage.records import Consent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bot.config import Config
    from bot.prompting import Framed
    from bot.training.parents import Parent
    from bot.training.plan import Lengths
    from bot.training.recipe import Precision, Recipe
    from bot.training.record import TrainingRecord
    from bot.training.rows import Dataset

_LORA = ("rank", "alpha", "dropout", "target_modules")
"""What a child has from its parent, whose adapter it goes on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for. `chosen` are hyperparameters by name.

    Those that are not chosen are as the settings have them, else advised; so is `method`.
    """

    method: Method | None = None
    contender: str | None = None
    dataset: Path | None = None
    simulated: bool = False
    template: str | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    dtype: Precision | None = None
    threads: int | None = None
    anyway: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run that is ready, with what is known of it beforehand.

    `dataset` has the rows that fit, `lengths` are those of all.
    `memory` is what it needs and `gpu` what a GPU has free, both in bytes; None without a GPU.
    """

    run: Run
    dataset: Dataset
    lengths: Lengths
    memory: int
    gpu: int | None

    @property
    def held_out(self) -> int:
        """Rows that are looked at on the way."""
        return len(self.dataset.splits.get(rows.VALIDATION, ()))

    def trained(self) -> tuple[TrainingRecord, Path]:
        """Train, or find what was trained already; the record and the adapter's folder.

        Raises TwofoldError as the child does.
        """
        place = self.run.adapter
        if place is None:
            plan.require_room(self.memory, gpu=self.gpu)
            for line in plan.left_out(self.lengths, self.run.job.recipe):
                err.print(line, soft_wrap=True)
            with showing(held_out=self.held_out) as hear:
                place = child.train(self.run, hear)
        else:
            err.print("This very training is finished already.")
        return record.read(place), place

    def measured(self) -> Iterator[str]:
        """Tell what it would be, with a few real steps for the time. Raises as `trained`."""
        recipe = self.run.job.recipe
        yield from plan.told(self.dataset, self.lengths, recipe, self.memory)
        plan.require_room(self.memory, gpu=self.gpu)
        with showing(held_out=self.held_out) as hear:
            found = child.measure(self.run, hear)
        yield (
            f"measured: {found['seconds_a_batch']:.1f} s a batch, at most "
            f"{found['peak_memory_bytes'] / 1e9:.1f} GB"
        )
        yield f"time: about {max(1, round(found['seconds'] / 60))} minutes, if nothing stops early"


def begun(config: Config, wanted: Wanted) -> Started:
    """Make everything ready that needs no training. Raises TwofoldError."""
    from bot.engines.local.loading import (  # noqa: PLC0415 - it imports torch
        choose_dtype,
        folder_hash,
        free_on_gpu,
    )

    parent = parent_of(config, wanted.contender)
    asyncio.run(require_known(parent, config))
    if parent.learnt and (fixed := [name for name in _LORA if name in wanted.chosen]):
        raise ConfigError(
            f"{parent.slug} goes on with its own adapter, so --{fixed[0].replace('_', '-')} cannot "
            "be chosen."
        )
    method = wanted.method or method_of(config)
    template = _template(parent, wanted, config)
    fetch(parent.model, config=config, console=err)
    weights = weights_of(parent, config)
    digest = folder_hash(weights)
    if parent.learnt and parent.learnt.base.weights != digest:
        raise ConfigError(
            f"{parent.slug} was trained on other weights of {parent.learnt.base.source} than are "
            "here now. Put those back, or train from the base model."
        )
    dataset = _dataset(parent, method, template, wanted, config)
    chosen = {"max_length": _most_tokens(parent, config), **config.training, **wanted.chosen}
    lengths = plan.lengths_of(dataset, weights / "tokenizer.json")
    dataset = plan.fitting(dataset, lengths, chosen["max_length"])
    if not wanted.anyway:
        plan.require_enough(dataset, too_long=lengths.longer_than(chosen["max_length"]))
    parameters = parameters_of(weights)
    gpu = free_on_gpu()
    recipe = _recipe(
        method,
        chosen,
        parent,
        dataset,
        parameters=parameters,
        gpu=gpu is not None,
    )
    dtype = wanted.dtype or str(choose_dtype("cpu" if gpu is None else "cuda"))
    shape = plan.Shape.of(weights, parameters=parameters, dtype=dtype.removeprefix("torch."))
    job = Job(
        contender=parent.slug,
        base=named(parent.model),
        base_folder=weights.resolve(),
        weights=digest,
        parent_adapter=parent.adapter and parent.adapter.resolve(),
        parent_sha256=parent.learnt and parent.learnt.weights_sha256,
        generation=parent.generation + 1,
        template=template.name,
        template_digest=template.digest,
        dataset=dataset.folder.resolve(),
        dataset_identity=dataset.identity,
        recipe=recipe,
        dtype=wanted.dtype,
        adapters=config.adapters_folder.resolve(),
        threads=wanted.threads,
    )
    run = Run(config.home / "training" / job.run)
    run.begin(job)
    needed = plan.memory_needed(shape, recipe, lengths)
    return Started(run=run, dataset=dataset, lengths=lengths, memory=needed, gpu=gpu)


def method_of(config: Config) -> Method:
    """The one that the settings name, else DPO."""
    return Method(config.training.get("method", Method.DPO))


def _template(parent: Parent, wanted: Wanted, config: Config) -> Framed:
    """The template that is trained in. Raises ConfigError where the parent learnt another."""
    name = wanted.template or parent.template
    templates = library(config.templates)
    if name not in templates:
        raise ConfigError(f"There is no template {name}. Choose one of: {', '.join(templates)}.")
    if parent.learnt and parent.learnt.template == name:
        record.template_of(parent.learnt, templates)
    return templates[name]


def _dataset(
    parent: Parent, method: Method, template: Framed, wanted: Wanted, config: Config
) -> Dataset:
    """The rows that were named, else those that the votes give. Raises TwofoldError.

    ConfigError where they must not be trained on, or not in this template.
    """
    folder = wanted.dataset
    if folder is None:
        folder = dataset_for(
            method, template.name, config, simulated=wanted.simulated, new_to=parent.tuned
        )
        err.print(
            f"These votes are in {folder}. Where it is broken off and more are given meanwhile, "
            "name that folder to go on.",
            soft_wrap=True,
        )
    dataset = rows.read(folder, method)
    identity = str(dataset.manifest["dataset"])
    asyncio.run(require_learnable(identity, config, unknown=wanted.anyway))
    if not dataset.manifest["policy"].get("simulated"):
        require_permission(Consent.TRAIN, training_export=config.training_export)
    rows.require_template(dataset, template.name, template.frame)
    return dataset


def _most_tokens(parent: Parent, config: Config) -> int:
    """Of a prompt and an answer together, where the parent's model is in the arena."""
    answers = (c.max_tokens for c in config.contenders if c.model == parent.model)
    return config.context_tokens + max(answers)


def _recipe(
    method: Method,
    chosen: Mapping[str, Any],
    parent: Parent,
    dataset: Dataset,
    *,
    parameters: int,
    gpu: bool,
) -> Recipe:
    """The recipe with what was chosen; LoRA's shape is the parent's where there is one."""
    train = dataset.splits.get(rows.TRAIN, ())
    inherited = {n: getattr(parent.learnt.recipe, n) for n in _LORA} if parent.learnt else {}
    settled = {name: value for name, value in chosen.items() if name != "method"} | inherited
    liked = sum(row.liked is not None for row in train)
    answers = sum(len(row.texts) for row in train)
    number = answers if method is Method.KTO else len(train)
    try:
        return advised(
            method,
            rows=number,
            liked=liked,
            held_out=len(dataset.splits.get(rows.VALIDATION, ())),
            parameters=parameters,
            gpu=gpu,
            **settled,
        )
    except ValidationError as error:
        raise ConfigError(f"{reason(error)}.") from None
