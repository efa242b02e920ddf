"""Tuned contenders as the operator manages them: listed, entered, rested, removed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.disk import size_of
from bot.engines.adapters import WEIGHTS
from bot.errors import ConfigError, ModelError
from bot.prompting import library
from bot.training import datasets, record
from bot.wording import printable
from storage.records import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bot.config import Config
    from storage.records import Contender, Tuning
    from storage.tunings import TuningStore

FIGURES = 4
"""Of an evaluation, as many are listed."""

_STANDS = {
    Standing.TRAINED: "trained and not in the arena: `twofold models enter {slug}`",
    Standing.ENTERED: "in the arena",
    Standing.RESTING: "rests",
}


def tuned_lines(tunings: Iterable[Tuning], config: Config) -> Iterator[str]:
    """Each tuned contender: its name, whole for copying, then what it is and how it stands."""
    configured = {contender.slug for contender in config.contenders}
    for tuning in tunings:
        contender = tuning.contender
        slug = contender.slug
        yield slug
        origin = f"tuned from {contender.parent} by {tuning.method}"
        stands = _STANDS[tuning.standing].format(slug=slug)
        gone = f"`twofold models rm {slug}`"
        if slug in configured:
            stands, gone = "in the settings", "out of the settings"
        yield f"  {origin}, generation {tuning.generation}, {_where(contender, config)}, {stands}"
        if figures := _figures(tuning.evaluation):
            yield f"  on prompts that it was not trained on: {figures}"
        if tuning.stale_since is not None:
            yield (
                f"  stale since {tuning.stale_since:%Y-%m-%d}: it learnt from what was erased, "
                "taken back or removed since, and cannot forget. Train a new one, and take this "
                f"one away: {gone}"
            )


async def enter(store: TuningStore, slug: str, *, config: Config, anyway: bool = False) -> None:
    """Have a tuned contender drawn for battles.

    Raises ConfigError where its adapter or its prompt template is not as it was trained, or it
    learnt from what was erased since, unless `anyway`; StorageError where there is none of the
    name.
    """
    tuning = await _find(store, slug, config)
    if tuning.stale_since is not None and not anyway:
        raise ConfigError(
            f"{slug} learnt from what was erased, taken back or removed since. Train a new one; "
            "--anyway has this one enter all the same."
        )
    folder = _folder(tuning.contender, config)
    if folder is not None:
        _require_weights(folder / WEIGHTS, tuning)
        with suppress(ModelError):
            record.template_of(record.read(folder), library(config.templates))
    await store.set_standing(slug, Standing.ENTERED)


async def rest(store: TuningStore, slug: str, *, config: Config) -> None:
    """Have a tuned contender drawn no more. Raises ConfigError where there is none of the name."""
    await _find(store, slug, config)
    await store.set_standing(slug, Standing.RESTING)


async def remove(store: TuningStore, slug: str, *, config: Config) -> int:
    """Have a tuned contender rest for good and delete its adapter; returns the bytes freed.

    The dataset that was made for it goes too, where no other adapter was trained on it. What it
    answered stays, and so does what is known of it. Raises ConfigError where the adapter
    is not in the data folder, StorageError where there is none of the name.
    """
    tuning = await _find(store, slug, config)
    await store.set_standing(slug, Standing.RESTING)
    folder = _folder(tuning.contender, config)
    if folder is None:
        raise ConfigError(
            f"{slug} rests now. Its adapter {tuning.contender.adapter} is on the server of its "
            "model: take it away there."
        )
    if folder.resolve().parent != config.adapters_folder.resolve():
        raise ConfigError(
            f"{slug} rests now. Its adapter is in {folder}, which is not in the data folder: take "
            "it away yourself."
        )
    freed = 0
    for gone in (*_own_dataset(folder, config), folder):
        freed += size_of(gone)
        try:
            shutil.rmtree(gone)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigError(
                f"{slug} rests now, but {gone} cannot be deleted ({error.strerror}). Delete it "
                "yourself."
            ) from None
    return freed


def _own_dataset(folder: Path, config: Config) -> Iterator[Path]:
    """The dataset that was made to train one adapter, and no other that is still here."""
    with suppress(ModelError):
        learnt = record.read(folder)
        others = set()
        for other in config.adapters_folder.glob(f"*/{record.RECORD}"):
            if other.parent.name != folder.name:
                with suppress(ModelError):
                    others.add(record.read(other.parent).dataset.identity)
        if learnt.dataset.identity not in others:
            yield datasets.folder_of(config.home, learnt.dataset.identity)


async def _find(store: TuningStore, slug: str, config: Config) -> Tuning:
    if any(slug == contender.slug for contender in config.contenders):
        raise ConfigError(
            f"{printable(slug)} is in the settings, which say whether it answers. Change it there."
        )
    known = {one.contender.slug: one for one in await store.all()}
    if slug not in known:
        there = f"There are: {', '.join(known)}." if known else "None was trained here yet."
        raise ConfigError(f"No tuned contender is called {printable(slug)}. {there}")
    return known[slug]


def _folder(contender: Contender, config: Config) -> Path | None:
    """Where its adapter is; None where a server has it."""
    if contender.adapter is None or contender.model.startswith("openai:"):
        return None
    return config.adapter_folder(contender.adapter)


def _require_weights(file: Path, tuning: Tuning) -> None:
    slug = tuning.contender.slug
    try:
        found = record.sha256_of(file)
    except OSError as error:
        raise ConfigError(
            f"The adapter of {slug} cannot be read: {file} ({error.strerror}). Put it back, or "
            "train a new one."
        ) from None
    if found != tuning.adapter_sha256:
        raise ConfigError(
            f"{file} does not have the weights that {slug} was trained to. Put those back, or "
            "train a new one."
        )


def _where(contender: Contender, config: Config) -> str:
    folder = _folder(contender, config)
    if folder is None:
        return f"{contender.adapter} on its server"
    return f"{size_of(folder) / 1e6:.1f} MB" if folder.is_dir() else "its files are gone"


def _figures(evaluation: Mapping[str, object]) -> str:
    """Numbers by name, with their intervals where they have any."""
    said = []
    for name, found in evaluation.items():
        spoken = name.replace("_", " ")
        if isinstance(found, Mapping) and _are_numbers(*map(found.get, ("value", "low", "high"))):
            range_ = f"{found['low']:.3g} to {found['high']:.3g}"
            said.append(f"{spoken} {found['value']:.3g} ({range_})")
        elif _are_numbers(found):
            said.append(f"{spoken} {found:.3g}")
    return ", ".join(said[:FIGURES])


def _are_numbers(*values: object) -> bool:
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
