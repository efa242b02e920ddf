"""Datasets that are made for trainings, and what goes when somebody leaves."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.config import Config
from bot.errors import ConfigError
from bot.training import datasets, making, rows
from bot.training.recipe import Method, Recipe
from bot.training.rounds import Asked, Step, begin
from bot.training.runs import RESULT, Job, Run
from bot.training.steps import TooFew, export
from storage.database import Database, database_url
from tests.training.adapters import adapter
from tests.unit.records import NOON

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(home, tmp_path) -> Config:
    votes_alone = shutil.ignore_patterns("training")
    return Config(home=shutil.copytree(home, tmp_path / "home", ignore=votes_alone))


def dataset_for(config: Config, method: Method = Method.DPO) -> Path:
    return making.dataset_for(method, "transcript", config, simulated=True)


def leave(config: Config) -> None:
    """Somebody leaves whose words are in all that was exported."""
    with closing(sqlite3.connect(config.home / "twofold.db")) as connection, connection:
        connection.execute("UPDATE exports SET stale_since = created_at")


def begun(config: Config, dataset: Path, name: str) -> Run:
    """A run on a dataset, with a checkpoint."""
    identity = rows.read(dataset, Method.DPO).identity
    run = Run(config.home / "training" / name)
    run.begin(
        Job(
            contender="small",
            base="path:small",
            base_folder=config.home,
            weights="0",
            template="transcript",
            template_digest="0",
            dataset=dataset,
            dataset_identity=identity,
            recipe=Recipe(),
            adapters=config.adapters_folder,
        )
    )
    (run.folder / "checkpoint-5").mkdir()
    return run


def test_what_has_learnt_from_somebody_who_left_goes_with_the_dataset(config, tiny):
    dataset = dataset_for(config)
    unfinished, done = (begun(config, dataset, name) for name in ("unfinished", "done"))
    place = adapter(config.adapters_folder / "small-dpo-1", base=tiny)
    (done.folder / RESULT).write_text(json.dumps({"adapter": str(place)}), "utf-8")
    assert dataset_for(config) == dataset
    assert unfinished.folder.exists()
    leave(config)
    dataset_for(config, Method.KTO)
    assert not dataset.exists()
    assert not unfinished.folder.exists()
    assert done.folder.exists(), "models list tells of its adapter"


async def test_a_running_bot_looks_for_those_who_left_by_itself(config, monkeypatch):
    monkeypatch.setattr(datasets, "LOOKS", timedelta(milliseconds=1))
    dataset = await asyncio.to_thread(dataset_for, config)
    opening = Database.open(database_url(config.home / "twofold.db"))
    async with opening as store, datasets.sweeping(config.home, store.exports):
        await asyncio.sleep(0.1)
        assert dataset.exists()
        leave(config)
        async with asyncio.timeout(60):
            while dataset.exists():  # noqa: ASYNC110 - files tell nobody
                await asyncio.sleep(0.01)


async def test_what_the_database_does_not_know_goes_and_a_draft_at_work_stays(config):
    dataset = await asyncio.to_thread(dataset_for, config)
    restored = dataset.with_name("0" * 12)
    shutil.copytree(dataset, restored)
    broken_off = dataset.with_name(".draft")
    broken_off.mkdir()
    async with Database.open(database_url(config.home / "twofold.db")) as store:
        await datasets.sweep(config.home, store.exports)
        assert (dataset.exists(), restored.exists(), broken_off.exists()) == (True, False, False)
        with datasets.drafting(config.home) as draft:
            draft.mkdir()
            await datasets.sweep(config.home, store.exports)
            assert draft.exists()


async def test_what_cannot_be_deleted_is_told(config):
    stuck = datasets.folder_of(config.home, "stuck")
    stuck.parent.mkdir(parents=True)
    stuck.write_text("not a folder", "utf-8")
    async with Database.open(database_url(config.home / "twofold.db")) as store:
        with pytest.raises(ConfigError, match=r"stuck .*Delete it yourself"):
            await datasets.sweep(config.home, store.exports)


def test_too_few_pairs_take_no_dataset_away_that_was_there(config):
    asked = Asked(parent=config.contenders[0].slug, least=10**6, simulated=1)
    one = begin(config.home, asked, at=NOON)
    one.done = {Step.COLLECT: {}}
    with pytest.raises(TooFew):
        export(config, one)
    assert datasets.all_of(config.home) == []
    there = dataset_for(config)
    with pytest.raises(TooFew):
        export(config, one)
    assert datasets.all_of(config.home) == [there]
