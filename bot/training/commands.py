"""`twofold train`: its options, and what it says."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import ConfigError
from bot.terminal import configured, err, out
from bot.training.recipe import Method, Precision
from bot.wording import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.training.record import TrainingRecord

_RECIPE = "Recipe (the default is by size of data and model)"
_SHAPE = "Shape of the adapter"
_MACHINE = "Machine"

_ENDED = {
    "done": "trained to the end",
    "stopped_early": "stopped early, as held-out votes were predicted no better",
    "diverged": "diverged, so what was good before is kept; try a lower --learning-rate",
}


def train(  # noqa: PLR0913 - every hyperparameter is an option
    dataset: Annotated[
        Path | None,
        typer.Argument(
            help="A folder that `twofold export` wrote. Default: an export is made for it.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option(
            help="`dpo` (the default) and `orpo` learn from pairs, `kto` from single answers that "
            "were liked or not, `sft` from liked ones alone.",
            show_default=False,
        ),
    ] = None,
    contender: Annotated[
        str | None,
        typer.Option(
            help="A base contender, or a tuned one to go on from. Default: the first base.",
            show_default=False,
        ),
    ] = None,
    *,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Learn from what `twofold simulate` made.")
    ] = False,
    template: Annotated[
        str | None,
        typer.Option(help="The prompt template. Default: the contender's.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell pairs, tokens, memory, time and recipe, and stop."),
    ] = False,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway",
            help="Train although there are very few pairs, or another database wrote them.",
        ),
    ] = False,
    learning_rate: Annotated[
        float | None, typer.Option(help="At its highest.", rich_help_panel=_RECIPE)
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(help="How near it is held to its parent.", rich_help_panel=_RECIPE),
    ] = None,
    sft_weight: Annotated[
        float | None,
        typer.Option(help="Of the likelihood of chosen answers in DPO.", rich_help_panel=_RECIPE),
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(help="Share of votes taken to be wrong, for DPO.", rich_help_panel=_RECIPE),
    ] = None,
    desirable_weight: Annotated[
        float | None, typer.Option(help="Of liked answers in KTO.", rich_help_panel=_RECIPE)
    ] = None,
    undesirable_weight: Annotated[
        float | None, typer.Option(help="Of disliked answers in KTO.", rich_help_panel=_RECIPE)
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the rows.", rich_help_panel=_RECIPE)
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Updates at most.", rich_help_panel=_RECIPE)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Rows computed at once.", rich_help_panel=_RECIPE)
    ] = None,
    accumulation: Annotated[
        int | None, typer.Option(help="Batches in an update.", rich_help_panel=_RECIPE)
    ] = None,
    warmup: Annotated[
        float | None,
        typer.Option(help="Share of the updates in which the rate rises.", rich_help_panel=_RECIPE),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="`linear`, `cosine`, `constant`, `constant_with_warmup`.", rich_help_panel=_RECIPE
        ),
    ] = None,
    weight_decay: Annotated[float | None, typer.Option(rich_help_panel=_RECIPE)] = None,
    max_grad_norm: Annotated[float | None, typer.Option(rich_help_panel=_RECIPE)] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Tokens of prompt and answer; longer rows are left out. Default: what both may "
            "have in the arena.",
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            help="Updates between looks at held-out rows, and checkpoints.",
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Such looks without improvement until it stops and keeps the best; at 0 it goes "
            "to the end and keeps that. Default: 3, or 0 with few held-out rows.",
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the adapter and of the order.", rich_help_panel=_RECIPE)
    ] = None,
    rank: Annotated[int | None, typer.Option(help="LoRA's r.", rich_help_panel=_SHAPE)] = None,
    alpha: Annotated[
        float | None, typer.Option(help="LoRA's alpha.", rich_help_panel=_SHAPE)
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="LoRA's dropout.", rich_help_panel=_SHAPE)
    ] = None,
    target_modules: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="A linear layer, such as `q_proj`; repeat it. Default: all.",
            rich_help_panel=_SHAPE,
            show_default=False,
        ),
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None,
        typer.Option(help="Compute twice, to save memory.", rich_help_panel=_MACHINE),
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(
            help="Of the base model: `bfloat16` or `float32`. Default: what the machine is good "
            "at.",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Processor threads. Default: all.", rich_help_panel=_MACHINE),
    ] = None,
) -> None:
    """Train a LoRA adapter on a base model from the votes: a tuned contender.

    It learns in the very prompts of the arena, in a process of the lowest priority, and stops
    when many held-out votes are predicted no better. Killed, it goes on with the same command and
    ends with the same adapter. The folder that it leaves has the adapter, a card with its
    curves, and all that is known of it.

    Examples: `twofold train --dry-run`, `twofold train exports/dpo --method dpo`
    """
    from bot.training.recipe import Recipe
    from bot.training.registering import register
    from bot.training.starting import Wanted, begun

    options = locals()
    chosen = {name: options[name] for name in Recipe.model_fields if name != "method"}
    require_libraries()
    wanted = Wanted(
        method=method,
        contender=contender,
        dataset=dataset,
        simulated=simulated,
        template=template,
        chosen={name: value for name, value in chosen.items() if value is not None and value != []},
        dtype=precision,
        threads=threads,
        anyway=anyway,
    )
    config = configured()
    started = begun(config, wanted)
    if dry_run:
        for line in started.measured():
            out.print(line, markup=False, soft_wrap=True)
        return
    record, place = started.trained()
    battles = asyncio.run(register(record, place, config))
    if not battles:
        err.print("This database knows none of the battles that it learnt from.")
    for line in told(record, place):
        out.print(line, markup=False, soft_wrap=True)


def told(record: TrainingRecord, place: Path) -> Iterator[str]:
    """What to say of an adapter that was trained."""
    best = f"step {record.best_step} of {record.steps}"
    yield f"{record.slug}: {_ENDED[record.ended]}, {best} is kept, after {span(record.seconds)}"
    found = record.evaluation
    if found.accuracy is not None and found.low is not None and found.high is not None:
        yield (
            f"held-out pairs: {found.accuracy:.0%} of {found.pairs} right "
            f"({found.low:.0%} to {found.high:.0%}), margin {found.margin:+.2f}"
        )
    yield f"The adapter is in {place}"


def require_libraries() -> None:
    """Raise ConfigError where the extra `train` is not installed."""
    if not all(find_spec(name) for name in ("trl", "peft", "datasets")):
        raise ConfigError(
            "Training needs libraries that are not here. Install them with: "
            "pip install 'twofold[train]'"
        )
