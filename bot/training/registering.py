"""An adapter becomes a contender: its line in the database, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.training.parents import base_of
from storage.database import Database, database_url
from storage.records import Contender, Kind, Tuning

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bot.config import Config
    from bot.training.parents import Parent
    from bot.training.record import TrainingRecord


def tuning_of(record: TrainingRecord, place: Path, config: Config) -> Tuning:
    """What the database is told of an adapter, which draws its tokens as its base model does.

    Raises ConfigError where the settings do not have its base model any more.
    """
    base = base_of(record, config.contenders, adapters=config.adapters_folder)
    home, place = config.home.resolve(), place.resolve()
    contender = Contender(
        slug=record.slug,
        kind=Kind.TUNED,
        model=base.model,
        template=record.template,
        sampling=base.sampling,
        adapter=str(place.relative_to(home) if place.is_relative_to(home) else place),
        parent=record.parent,
        revision="",  # its engine tells, once it answers
    )
    return Tuning(
        contender=contender,
        method=record.method,
        dataset=record.dataset.identity,
        adapter_sha256=record.weights_sha256,
        generation=record.generation,
        trained_at=record.created_at,
        evaluation=evaluation_of(record),
    )


def evaluation_of(record: TrainingRecord) -> dict[str, object]:
    """What the database keeps of what was found on held-out pairs."""
    found = record.evaluation
    if found.accuracy is None:
        return {}
    accuracy = {"value": found.accuracy, "low": found.low, "high": found.high}
    return {"held_out_accuracy": accuracy, "pairs": found.pairs, "margin": found.margin}


async def register(record: TrainingRecord, place: Path, config: Config) -> int:
    """Note an adapter and what it learnt from; returns from how many battles.

    Doing it again changes nothing. Raises StorageError, and ConfigError as `tuning_of` does.
    """
    async with opened(config) as store:
        return await store.tunings.record(tuning_of(record, place, config))


async def require_learnable(dataset: str, config: Config, *, unknown: bool = False) -> None:
    """Raise ConfigError where a dataset of this identity must not be trained on.

    Somebody has left whose words or votes it has; or, unless `unknown` ones may be, this
    database did not write it: nobody could tell then which adapters learnt from whom.
    """
    async with opened(config) as store:
        left = (await store.exports.left()).get(dataset)
    if left:
        raise ConfigError(
            "Somebody has left since whose words or votes this dataset has. Export it anew."
        )
    if left is None and not unknown:
        raise ConfigError(
            "This database did not write the dataset, so it could not tell whom an adapter learnt "
            "from, nor which battles must not rank it. Export it here, or say --anyway."
        )


async def require_known(parent: Parent, config: Config) -> None:
    """Raise ConfigError for a tuned parent that this database does not know.

    Nobody could tell then whom its children learnt from, nor which battles must not rank them.
    """
    if parent.learnt is None:
        return
    async with opened(config) as store:
        known = {tuning.contender.slug for tuning in await store.tunings.all()}
    if parent.slug not in known:
        raise ConfigError(
            f"This database does not know {parent.slug}, so it could not tell whom a child of it "
            "learnt from. The `twofold train` that made it notes it when it is given again; or go "
            "on from another one with --contender."
        )


async def is_stale(config: Config, *, dataset: str, parent: str | None) -> bool:
    """Whether somebody has left whose words or votes this dataset has, or its parent learnt from.

    `parent` is a tuned one; it is stale too where it is not there any more.
    """
    async with opened(config) as store:
        left = (await store.exports.left()).get(dataset)
        tunings = {one.contender.slug: one for one in await store.tunings.all()}
    if left:
        return True
    return parent is not None and (parent not in tunings or tunings[parent].stale_since is not None)


def opened(config: Config) -> AbstractAsyncContextManager[Database]:
    """The bot's database."""
    return Database.open(database_url(config.database_location), key=config.database_key)
