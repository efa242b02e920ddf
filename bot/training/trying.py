"""`twofold models try`: its options, and what it shows."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from bot.errors import ConfigError, ModelNotFound
from bot.terminal import advancing, configured, err, out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.config import Config
    from bot.ranking import Interval
    from bot.training.record import TrainingRecord
    from bot.training.trial import Trial

SHOWN = 8
"""Prompts that are shown with both answers; the figures are of all."""


def try_adapter(
    adapter: Annotated[
        str, typer.Argument(help="Its slug, or the folder that `twofold train` left.")
    ],
    *,
    dataset: Annotated[
        Path | None,
        typer.Option(
            help="An exported folder, for its held-out prompts. Default: that of the training."
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Try this instead; repeat it.", show_default=False)
    ] = None,
    prompts: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 64,
    shown: Annotated[int, typer.Option(min=0, help="How many are shown.")] = SHOWN,
    kl: Annotated[bool, typer.Option("--kl/--no-kl", help="Measure how far it has gone.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a tuned model with its parent, side by side.

    Both answer prompts that were held out from the training, drawn with the same seeds, in the
    prompt template of the arena. Below stand what their answers are like, how much likelier its
    own answers are under the tuned model than under its base (about their Kullback-Leibler
    divergence, but of answers drawn with the arena's sampling), and how often a judge prefers
    the tuned one, where `[judge]` is in the settings.

    Example: `twofold models try gemma-3-270m-dpo-1a2b3c4d`
    """
    from bot.prompting import library
    from bot.training import record as records
    from bot.training.trial import held_out, trial

    config = configured()
    place = _place(adapter, config)
    record = records.read(place)
    template = records.template_of(record, library(config.templates))
    if prompt:
        asked = tuple(rendered(record, config, text) for text in prompt)
    else:
        own = _dataset(record, place, config)
        folder = _required(dataset or own)
        _require_nobody_left(folder, config)
        asked = held_out(folder, record.recipe.method, own=own, most=prompts)
    if not asked:
        raise ConfigError("No prompt was held out. Name some with --prompt.")
    with advancing("both answer") as advance:
        tried = asyncio.run(
            trial(
                record,
                place,
                asked,
                config=config,
                template=template,
                parent=parent_folder(record, config),
                progress=advance,
            )
        )
    far = _divergence(record, place, tried, config) if kl else None
    if as_json:
        import orjson

        typer.echo(orjson.dumps(to_json(record, tried, far), option=orjson.OPT_INDENT_2))
        return
    for table in tables(tried, shown=shown):
        out.print(table)
    for line in told(record, tried, far):
        out.print(line, markup=False, soft_wrap=True)


def parent_folder(record: TrainingRecord, config: Config) -> Path | None:
    """The adapter of a parent that was tuned itself and is still here. Raises TwofoldError."""
    if record.generation == 1:
        return None
    from bot.training.parents import parent_of

    configured = {contender.slug for contender in config.contenders}
    if record.parent in configured or (config.adapters_folder / record.parent).is_dir():
        return parent_of(config, record.parent).adapter
    err.print(f"Its parent {record.parent} is gone; in its place stands the base model.")
    return None


def tables(tried: Trial, *, shown: int) -> Iterator[Table]:
    """Prompts with both answers side by side, and below what all answers are like."""
    if shown:
        texts = Table("Prompt", "Parent", "Tuned", box=None, pad_edge=False, padding=(0, 2, 1, 0))
        of_all = zip(tried.asked, tried.parent, tried.tuned, strict=True)
        for asked, *both in islice(of_all, shown):
            said = [asked, *(answer.finished.shown or "(nothing)" for answer in both)]
            texts.add_row(*map(Text, said))
        yield texts
    tuned, parent = tried.behaviours
    figures = Table("", "Parent", "Tuned", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, meaning in MEANINGS.items():
        figures.add_row(meaning, *(figure(name, getattr(b, name)) for b in (parent, tuned)))
    yield figures


MEANINGS = {
    "words": "words on average",
    "distinct": "different pairs of words",
    "looping": "going round in a loop",
    "empty": "empty",
    "cut_short": "cut off by the limit",
    "same": "the most frequent answer",
}
"""What the figures of a behaviour are called."""


def told(record: TrainingRecord, tried: Trial, far: float | None) -> Iterator[str]:
    """What stands below the tables."""
    yield f"{record.slug} and {record.parent} answered {len(tried.prompts)} prompts each."
    if far is not None:
        yield f"Divergence from {record.base.source}: {far:.3f} nats a token."
    if tried.judged is not None:
        yield preferred(tried.judged.wins, tried.judged.pairs)


def to_json(record: TrainingRecord, tried: Trial, far: float | None) -> dict[str, object]:
    """All of it, for scripts."""
    tuned, parent = tried.behaviours
    return {
        "slug": record.slug,
        "parent": record.parent,
        "prompts": [
            {"prompt": prompt, "parent": before.finished.shown, "tuned": now.finished.shown}
            for prompt, before, now in zip(tried.prompts, tried.parent, tried.tuned, strict=True)
        ],
        "behaviour": {"tuned": asdict(tuned), "parent": asdict(parent)},
        "divergence": far,
        "judged": tried.judged and tried.judged._asdict() | {"wins": asdict(tried.judged.wins)},
    }


def _place(named: str, config: Config) -> Path:
    """The folder of an adapter, by its slug or its path. Raises ModelNotFound."""
    for folder in (config.adapters_folder / named, Path(named).expanduser()):
        if folder.is_dir():
            return folder
    raise ModelNotFound(
        f"There is no adapter {named}. `twofold models list` shows those there are."
    )


def rendered(record: TrainingRecord, config: Config, text: str) -> str:
    """What the model is given for a message of one member's. Raises as `template_of`."""
    from bot.prompting import library
    from bot.training.record import template_of
    from storage.records import Conversation, Turn

    turn = Turn(author_id=1, name="alice", text=text)
    talk = Conversation(turns=(turn,), bot_name="Twofold")
    return str(template_of(record, library(config.templates)).render(talk).prompt)


def _dataset(record: TrainingRecord, place: Path, config: Config) -> Path | None:
    """The folder that it was trained on, if that is still here."""
    from bot.training.datasets import folder_of
    from bot.training.runs import JOB, Run

    runs = (Run(job.parent) for job in (config.home / "training").glob(f"*/{JOB}"))
    named = (run.job.dataset for run in runs if run.adapter == place.resolve())
    return next(
        (f for f in (*named, folder_of(config.home, record.dataset.identity)) if f.is_dir()), None
    )


def _require_nobody_left(dataset: Path, config: Config) -> None:
    from bot.dataset.manifest import left_in
    from bot.training.registering import require_learnable

    identity = str(left_in(dataset).get("dataset"))
    asyncio.run(require_learnable(identity, config, unknown=True))


def _required(folder: Path | None) -> Path:
    if folder is None:
        raise ConfigError(
            "The dataset that it was trained on is not here. Name an exported folder with "
            "--dataset, or prompts with --prompt."
        )
    return folder


def _divergence(record: TrainingRecord, place: Path, tried: Trial, config: Config) -> float | None:
    from importlib.util import find_spec

    from bot.engines.weights import parse_source, pull

    if find_spec("peft") is None:
        err.print("To measure the divergence, install twofold[train].", soft_wrap=True)
        return None
    from bot.training.parents import base_of
    from bot.training.worker.divergence import divergence

    said = [
        (prompt, answer.raw, answer.ended)
        for prompt, answer in zip(tried.prompts, tried.tuned, strict=True)
    ]
    model = base_of(record, config.contenders, adapters=config.adapters_folder).model
    base = pull(parse_source(model), config.models_folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what libraries tell each other
        return divergence(base, place, said)


def figure(name: str, value: float) -> str:
    """A figure of a behaviour in words."""
    return f"{value:.1f}" if name == "words" else f"{value:.0%}"


def preferred(wins: Interval, pairs: int) -> str:
    """What a judge found, in a sentence."""
    share = f"{wins.share:.0%} ({wins.low:.0%} to {wins.high:.0%})"
    return f"The judge prefers the tuned one in {share} of {pairs} pairs; ties count half."
