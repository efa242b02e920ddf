"""The steps of a round. Each returns what came of it, as JSON has it."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import adapters
from bot.dataset.gate import require_permission
from bot.disk import write_whole
from bot.errors import ConfigError, TwofoldError
from bot.prompting import library
from bot.ranking import Interval
from bot.terminal import advancing
from bot.training import beside, datasets, making, record, registering, rows, starting
from bot.training.gates import gates
from bot.training.parents import parent_of
from bot.training.report import report
from bot.training.rounds import REPORT, Step, folder_of, save
from bot.training.trial import held_out, trial
from bot.training.trying import parent_folder, rendered
from bot.wording import count
from storage.records import Consent, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.config import Config
    from bot.training.rounds import Asked, Round
    from bot.training.trial import Trial
    from storage.tunings import TuningStore

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


def require_possible(config: Config, asked: Asked) -> None:
    """Raise ConfigError for a round that could never come to its end, before it is begun."""
    parent = parent_of(config, asked.parent)
    asyncio.run(registering.require_known(parent, config))
    if not asked.simulated:
        require_permission(Consent.TRAIN, training_export=config.training_export)


def freshen(config: Config, one: Round) -> None:
    """Look whether a round can go on with what it has exported and trained.

    Somebody may have left since whose words or votes that has, or it was taken away. One that is
    not trained yet exports anew then. One that is trained is given up, as its adapter cannot
    forget. Raises ConfigError then.
    """
    if Step.EXPORT not in one.done or Step.ENTER in one.done:
        return
    why = _broken(config, one)
    if why is None:
        return
    one.given_up = Step.TRAIN in one.done
    if not one.given_up:
        del one.done[Step.EXPORT]
    save(config.home, one)
    if one.given_up:
        raise ConfigError(f"{why}, so this round is given up. `twofold round` begins another.")


def _broken(config: Config, one: Round) -> str | None:
    """Why a round cannot go on with what it has."""
    trained = one.done.get(Step.TRAIN)
    if trained and not Path(trained["folder"]).is_dir():
        return f"{trained['slug']} was taken away"
    if Step.EVALUATE in one.done:
        return None
    if not _path(one, Step.EXPORT, "folder").is_dir():
        return "The dataset was taken away"
    parent = one.asked.parent
    if not trained:
        try:
            parent_of(config, parent)
        except TwofoldError:
            return f"{parent} was taken away"
    bases = {contender.slug for contender in config.contenders if contender.adapter is None}
    stale = registering.is_stale(
        config,
        dataset=one.done[Step.EXPORT]["dataset"],
        parent=None if parent in bases else parent,
    )
    if asyncio.run(stale):
        return "Somebody has left since whose words or votes it learnt from"
    return None


def collect(config: Config, one: Round) -> dict[str, Any]:
    """Have simulated members vote, where that was asked for; people have voted already.

    After a community that was broken off another one votes on what is missing.
    """
    if not one.asked.simulated:
        return {}

    async def known() -> tuple[tuple[int, ...], int]:
        async with registering.opened(config) as store:
            return await store.simulations.seeds(), await store.simulations.battles()

    seeds, there = asyncio.run(known())
    if one.simulated_before is None:
        one.simulated_before = there
        save(config.home, one)
    left = one.asked.simulated - (there - one.simulated_before)
    if left > 0:
        fresh = itertools.count(int(one.began_at.timestamp()) % 2**30)
        seed = next(seed for seed in fresh if seed not in seeds)
        words = ("--battles", str(left), "--seed", str(seed))
        _run("simulate", "--roster", "--readers", *words)
    return {"simulated": one.asked.simulated}


def export(config: Config, one: Round) -> dict[str, Any]:
    """Write the pairs that the parent has not learnt from. Raises TooFew."""
    asked = one.asked
    parent = parent_of(config, asked.parent)
    there = set(datasets.all_of(config.home))
    folder = making.dataset_for(
        asked.method,
        parent.template,
        config,
        simulated=bool(asked.simulated),
        new_to=parent.tuned,
    )
    dataset = rows.read(folder, asked.method)
    pairs = dataset.pairs(rows.TRAIN, rows.VALIDATION, rows.TEST)
    if pairs < asked.least:
        if folder not in there:
            shutil.rmtree(folder)
        more = 2 * asked.simulated
        raise TooFew(
            f"There {'is' if pairs == 1 else 'are'} {count(pairs, 'new pair')} of {asked.least:,}: "
            + (
                f"`twofold round --simulated {more}` has more votes given and goes on here."
                if asked.simulated
                else "go on collecting votes. `twofold round` goes on here then."
            )
        )
    return {
        "folder": str(folder.resolve()),
        "dataset": str(dataset.manifest["dataset"]),
        "pairs": pairs,
    }


def train(config: Config, one: Round) -> dict[str, Any]:
    """Train, or go on where a training was cut off, and note the adapter in the database."""
    wanted = starting.Wanted(
        method=one.asked.method,
        contender=one.asked.parent,
        dataset=_path(one, Step.EXPORT, "folder"),
        simulated=bool(one.asked.simulated),
        chosen={} if one.asked.seed is None else {"seed": one.asked.seed},
        anyway=True,
    )
    learnt, place = starting.begun(config, wanted).trained()
    asyncio.run(registering.register(learnt, place, config))
    return {"slug": learnt.slug, "folder": str(place)}


def evaluate(config: Config, one: Round) -> dict[str, Any]:
    """Compare with the parent on prompts that were held out, and look at the gates.

    Nothing of those who left while it was trained is used. Raises ConfigError as `freshen` does.
    """
    freshen(config, one)
    place = _path(one, Step.TRAIN, "folder")
    learnt = record.read(place)
    template = record.template_of(learnt, library(config.templates))
    asked = held_out(_path(one, Step.EXPORT, "folder"), learnt.recipe.method)
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
    """Let it into the arena where all gates hold, or anyway; its grandparent rests then.

    With every generation in it, the arena would have ever fewer votes for each.
    """
    slug, found = one.done[Step.TRAIN]["slug"], one.done[Step.EVALUATE]
    known = registering.evaluation_of(record.read(_path(one, Step.TRAIN, "folder")))
    known |= {name: found[name] for name in ("gates", "tuned", "parent", "judged")}
    kept_out = [gate["name"] for gate in found["gates"] if not gate["held"]]

    async def write() -> dict[str, Any]:
        async with registering.opened(config) as store:
            await store.tunings.evaluated(slug, known)
            if one.asked.simulated and await store.census.voted():
                kept_out.append("learnt from people, as people vote here")
            if kept_out and not one.asked.anyway:
                return {"entered": False}
            try:
                await adapters.enter(store.tunings, slug, config=config)
            except ConfigError as error:
                return {"entered": False, "refused": error.user_message}
            await _rest_grandparent(store.tunings, slug)
            return {"entered": True}

    return asyncio.run(write()) | {"kept_out_by": kept_out}


def write_report(config: Config, one: Round) -> dict[str, Any]:
    """Write down what came of it."""
    place = folder_of(config.home, one) / REPORT
    write_whole(place, report(config, one).encode())
    return {"file": str(place)}


STEPS: Mapping[Step, Callable[[Config, Round], dict[str, Any]]] = {
    Step.COLLECT: collect,
    Step.EXPORT: export,
    Step.TRAIN: train,
    Step.EVALUATE: evaluate,
    Step.ENTER: enter,
    Step.REPORT: write_report,
}


def _run(*words: str) -> None:
    """Run a command of ours as a process of its own, which gives its memory back.

    It does not outlive this one.
    """
    with subprocess.Popen(beside.command(*words), stdin=subprocess.PIPE) as child:  # noqa: S603
        code = child.wait()
    if code:
        raise TwofoldError(f"twofold {words[0]} did not end well; see above. The round goes on.")


async def _rest_grandparent(store: TuningStore, slug: str) -> None:
    known = {tuning.contender.slug: tuning for tuning in await store.all()}
    parent = known.get(known[slug].contender.parent or "")
    grandparent = known.get(parent.contender.parent or "") if parent else None
    if grandparent and grandparent.standing is Standing.ENTERED:
        await store.set_standing(grandparent.contender.slug, Standing.RESTING)


def _path(one: Round, step: Step, name: str) -> Path:
    return Path(one.done[step][name])


def _samples(tried: Trial) -> list[dict[str, str]]:
    last = -len(SAMPLES)
    both = zip(SAMPLES, tried.parent[last:], tried.tuned[last:], strict=True)
    return [
        {"prompt": prompt, "parent": before.finished.shown, "tuned": now.finished.shown}
        for prompt, before, now in both
    ]
