"""The steps of a round. Each returns what came of it, as JSON has it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import ConfigError, TwofoldError
from bot.prompting import library
from bot.ranking import Interval
from bot.terminal import advancing
from bot.training import making, record, registering, rows, starting
from bot.training.gates import gates
from bot.training.parents import parent_of
from bot.training.rounds import Step
from bot.training.trial import held_out, trial
from bot.training.trying import parent_folder, rendered
from bot.wording import count
from storage.database import Database, database_url
from storage.records import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.config import Config
    from bot.training.rounds import Round
    from bot.training.trial import Trial

SAMPLES = (
    "Why does bread rise?",
    "Tell me something about whales.",
    "honestly, tea is all I need right now",
    "Write a proverb about patience.",
    "What is the best thing about rain?",
    "How would you describe a bicycle to somebody who never saw one?",
)
"""Ours, not members': a report is kept for good, and nobody's words shall be in it."""


class TooFew(ConfigError):
    """There are too few new votes for a round. They are kept; the next one has more."""


def collect(config: Config, one: Round) -> dict[str, Any]:
    """Have simulated members vote, where that was asked for; people have voted already."""
    del config
    asked = one.asked
    if asked.simulated:
        _run(
            *("simulate", "--roster", "--readers"),
            *("--battles", str(asked.simulated), "--seed", str(asked.seed + one.number)),
        )
    return {"simulated": asked.simulated}


def export(config: Config, one: Round) -> dict[str, Any]:
    """Write the pairs that the parent has not learnt from. Raises TooFew."""
    asked = one.asked
    parent = parent_of(config, asked.parent)
    folder = making.dataset_for(
        asked.method,
        parent.template,
        config,
        simulated=bool(asked.simulated),
        new_to=parent.slug if parent.learnt else None,
    )
    dataset = rows.read(folder, asked.method)
    pairs = dataset.pairs(rows.TRAIN, rows.VALIDATION, rows.TEST)
    if pairs < asked.least:
        raise TooFew(
            f"There {'is' if pairs == 1 else 'are'} {count(pairs, 'new pair')} of "
            f"{asked.least:,}: go on collecting votes. `twofold round` goes on here then."
        )
    return {"folder": str(folder), "pairs": pairs, "held_out": _held_out(dataset)}


def train(config: Config, one: Round) -> dict[str, Any]:
    """Train, or go on where a training was cut off, and note the adapter in the database."""
    wanted = starting.Wanted(
        method=one.asked.method,
        contender=one.asked.parent,
        dataset=_path(one, Step.EXPORT, "folder"),
        simulated=bool(one.asked.simulated),
        chosen={"seed": one.asked.seed},
        anyway=True,
    )
    learnt, place = starting.begun(config, wanted).trained()
    asyncio.run(registering.register(learnt, place, config))
    return {"slug": learnt.slug, "folder": str(place)}


def evaluate(config: Config, one: Round) -> dict[str, Any]:
    """Compare with the parent on prompts that were held out, and look at the gates."""
    place = _path(one, Step.TRAIN, "folder")
    learnt = record.read(place)
    template = library(config.templates)[learnt.template]
    asked = held_out(_path(one, Step.EXPORT, "folder"), learnt)
    samples = tuple(rendered(learnt, config, text) for text in SAMPLES)

    with advancing("both answer") as advance:
        tried = asyncio.run(
            trial(
                learnt,
                place,
                asked + samples,
                config=config,
                template=template,
                parent=parent_folder(learnt, config),
                progress=advance,
            )
        )
    tuned, parent = tried.behaviours
    found = learnt.evaluation
    accuracy = None
    if found.accuracy is not None and found.low is not None and found.high is not None:
        accuracy = Interval(found.accuracy, found.low, found.high)
    passed = gates(accuracy, tuned=tuned, parent=parent)
    return {
        "accuracy": accuracy and asdict(accuracy),
        "held_out": found.pairs,
        "gates": [asdict(gate) for gate in passed],
        "tuned": asdict(tuned),
        "parent": asdict(parent),
        "judged": tried.judged and asdict(tried.judged.wins) | {"pairs": tried.judged.pairs},
        "samples": _samples(tried),
    }


def enter(config: Config, one: Round) -> dict[str, Any]:
    """Let it into the arena where all gates hold, or anyway."""
    slug, found = one.done[Step.TRAIN]["slug"], one.done[Step.EVALUATE]
    known = registering.evaluation_of(record.read(_path(one, Step.TRAIN, "folder")))
    known |= {name: found[name] for name in ("gates", "tuned", "parent", "judged")}
    kept_out = [gate["name"] for gate in found["gates"] if not gate["held"]]
    enters = not kept_out or one.asked.anyway

    async def write() -> None:
        opening = Database.open(database_url(config.database_location), key=config.database_key)
        async with opening as store:
            await store.tunings.evaluated(slug, known)
            if enters:
                await store.tunings.set_standing(slug, Standing.ENTERED)

    asyncio.run(write())
    return {"entered": enters, "kept_out_by": kept_out}


STEPS: Mapping[Step, Callable[[Config, Round], dict[str, Any]]] = {
    Step.COLLECT: collect,
    Step.EXPORT: export,
    Step.TRAIN: train,
    Step.EVALUATE: evaluate,
    Step.ENTER: enter,
}


def _run(*words: str) -> None:
    """Run a command of ours as a process of its own, which gives its memory back."""
    done = subprocess.run([sys.executable, "-m", "bot.cli", *words], check=False)  # noqa: S603
    if done.returncode:
        raise TwofoldError(f"twofold {words[0]} did not end well; see above. The round goes on.")


def _held_out(dataset: rows.Dataset) -> int:
    return dataset.pairs(rows.VALIDATION, rows.TEST)


def _path(one: Round, step: Step, name: str) -> Path:
    return Path(one.done[step][name])


def _samples(tried: Trial) -> list[dict[str, str]]:
    last = -len(SAMPLES)
    both = zip(SAMPLES, tried.parent[last:], tried.tuned[last:], strict=True)
    return [
        {"prompt": prompt, "parent": before.finished.shown, "tuned": now.finished.shown}
        for prompt, before, now in both
    ]
