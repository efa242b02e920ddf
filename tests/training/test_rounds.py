"""A round on a real, tiny model: five steps, each done once, and broken off in between."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bot.config import Config
from bot.errors import ConfigError
from bot.training.recipe import Method
from bot.training.registering import opened
from bot.training.rounds import Asked, Round, Step, all_of, alone, begin, save, unfinished
from bot.training.schedule import due
from bot.training.steps import freshen
from storage.records import Consent
from tests.engines.tiny_model import save_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
ROSTER = """\
[[contenders]]
slug = "tiny"
kind = "base"
model = "path:{model}"
max_tokens = 24

[[contenders]]
slug = "polite"
kind = "instruct"
model = "scripted:"
"""


def twofold(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *words],
        env={**os.environ, "TWOFOLD_HOME": str(home), "OMP_NUM_THREADS": "1"},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


def asked(home: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home / "twofold.db")) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home, elsewhere = (tmp_path_factory.mktemp(name) for name in ("home", "elsewhere"))
    roster = ROSTER.format(model=save_tiny_model(elsewhere / "tiny"))
    (home / "twofold.toml").write_text(roster, "utf-8")
    return home


class TestOneAfterTheOther:
    """In this order: each goes on with what the one before left."""

    def test_with_too_few_votes_it_waits_and_has_lost_nothing(self, home: Path) -> None:
        done = twofold(home, "round", "--simulated", "80", "--least", "500")
        assert done.returncode == 1
        assert "`twofold round --simulated 160` has more votes given" in done.stderr
        assert "Traceback" not in done.stderr
        left = unfinished(home, simulated=True)
        assert left is not None
        assert set(left.done) == {Step.COLLECT}

    def test_more_votes_are_added_to_those_that_are_there(self, home: Path) -> None:
        [(before,)] = asked(home, "SELECT count(*) FROM battles")
        done = twofold(home, "round", "--simulated", "100", "--least", "500")
        assert "`twofold round --simulated 200`" in done.stderr
        [(now,)] = asked(home, "SELECT count(*) FROM battles")
        assert 100 <= now < before + 60, "only those that were missing"

    def test_it_goes_on_where_it_was_and_enters_what_passes_the_gates(self, home: Path) -> None:
        battles = asked(home, "SELECT count(*) FROM battles")
        done = twofold(home, "round", "--simulated", "100", "--least", "5")
        assert done.returncode == 0, done.stderr
        assert asked(home, "SELECT count(*) FROM battles") == battles, "nobody voted again"
        [one] = all_of(home)
        assert one.is_over
        slug = one.done[Step.TRAIN]["slug"]
        entered = one.done[Step.ENTER]
        kept_out = [g["name"] for g in one.done[Step.EVALUATE]["gates"] if not g["held"]]
        assert entered == {"entered": not kept_out, "kept_out_by": kept_out}
        assert (f"`twofold models enter {slug}`" in done.stdout) is bool(kept_out)
        assert (home / "rounds/1/report.md").read_text("utf-8") in done.stdout
        stands = "trained" if kept_out else "entered"
        assert asked(home, "SELECT standing, generation FROM tunings") == [(stands, 1)]
        assert asked(home, "SELECT kind, parent FROM contenders WHERE slug LIKE 'tiny-%'") == [
            ("tuned", "tiny")
        ]
        [(learnt,)] = asked(home, "SELECT count(*) FROM trained_on")
        assert learnt == one.done[Step.EXPORT]["pairs"] > 5

    def test_the_two_are_compared_side_by_side(self, home: Path) -> None:
        [(slug,)] = asked(home, "SELECT slug FROM contenders WHERE parent = 'tiny'")
        done = twofold(home, "models", "try", str(slug), "--prompts", "4", "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["slug"], told["parent"]) == (slug, "tiny")
        assert 0 < len(told["prompts"]) <= 4
        assert math.isfinite(told["divergence"])
        assert set(told["behaviour"]) == {"tuned", "parent"}
        asked_for = twofold(home, "models", "try", str(slug), "--prompt", "why owls?", "--no-kl")
        assert asked_for.returncode == 0, asked_for.stderr
        assert "why owls?" in asked_for.stdout

    def test_its_child_learns_only_what_it_had_not_learnt(self, home: Path) -> None:
        [(slug,)] = asked(home, "SELECT slug FROM contenders WHERE parent = 'tiny'")
        assert twofold(home, "models", "enter", str(slug)).returncode == 0
        done = twofold(home, "round", "--simulated", "60", "--least", "5", "--anyway")
        assert done.returncode == 0, done.stderr
        second = all_of(home)[-1]
        assert second.asked.parent == slug
        child = second.done[Step.TRAIN]["slug"]
        generations = dict(
            asked(
                home,
                "SELECT c.slug, t.generation FROM tunings t JOIN contenders"
                " c ON c.id = t.contender_id",
            )
        )
        assert generations == {slug: 1, child: 2}
        assert asked(home, "SELECT count(*) FROM tunings WHERE standing = 'entered'") == [(2,)]
        twice = """
            SELECT count(*) FROM exported old JOIN exported new ON new.battle_id = old.battle_id
            WHERE old.export_id = 1 AND new.export_id = (SELECT max(export_id) FROM exported)
        """
        assert asked(home, twice) == [(0,)]
        met = """
            SELECT count(DISTINCT battle_id) FROM answers a JOIN contenders c
            ON c.id = a.contender_id WHERE c.kind = 'tuned'
        """
        assert asked(home, met)[0][0], "the entered one met the others"

    def test_what_is_not_as_it_was_is_refused(self, home: Path) -> None:
        [(slug,)] = asked(home, "SELECT slug FROM contenders WHERE parent = 'tiny'")
        record = home / "adapters" / str(slug) / "training.json"
        as_it_was = record.read_text("utf-8")
        told = json.loads(as_it_was)
        record.write_text(json.dumps(told | {"template_digest": "0" * 8}), "utf-8")
        for command in (("try", str(slug)), ("enter", str(slug))):
            assert "or says something else now" in twofold(home, "models", *command).stderr
        record.write_text(as_it_was, "utf-8")

        leave(home)
        tried = twofold(home, "models", "try", str(slug))
        assert "Somebody has left since" in tried.stderr
        assert not tried.stdout

        with closing(sqlite3.connect(home / "twofold.db")) as connection, connection:
            connection.execute("DELETE FROM tunings")
        for command in (("round", "--simulated", "1"), ("train", "--simulated")):
            begun = twofold(home, *command, "--contender", str(slug))
            assert f"does not know {slug}" in begun.stderr


async def exported(config: Config, dataset: str) -> None:
    async with opened(config) as store:
        facts = {"format": "dpo", "purpose": Consent.TRAIN, "manifest": {}, "sha256": "0"}
        await store.exports.record(**facts, dataset=dataset, rows=(), at=NOON)


def leave(home: Path) -> None:
    with closing(sqlite3.connect(home / "twofold.db")) as connection, connection:
        connection.execute("UPDATE exports SET stale_since = created_at")


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Config, Round]:
    """A round that has exported and trained."""
    config = Config(home=tmp_path)
    one = begin(tmp_path, Asked(parent=config.contenders[0].slug, least=1), at=NOON)
    folders = {name: tmp_path / name for name in ("dataset", "adapter")}
    for folder in folders.values():
        folder.mkdir()
    one.done = {
        Step.COLLECT: {},
        Step.EXPORT: {"dataset": "d1", "folder": str(folders["dataset"])},
        Step.TRAIN: {"slug": "tuned", "folder": str(folders["adapter"])},
    }
    asyncio.run(exported(config, "d1"))
    return config, one


def untrained(one: Round) -> Round:
    done = {step: found for step, found in one.done.items() if step is not Step.TRAIN}
    return one.model_copy(update={"done": done})


def test_where_somebody_left_a_round_exports_anew_or_is_given_up(
    trained: tuple[Config, Round],
) -> None:
    config, one = trained
    early = untrained(one)
    freshen(config, early)
    assert Step.EXPORT in early.done
    leave(config.home)
    freshen(config, early)
    assert set(all_of(config.home)[0].done) == {Step.COLLECT}
    asyncio.run(exported(config, "d1"))  # the same rows, as they came back
    freshen(config, one)
    assert not one.given_up
    leave(config.home)
    with pytest.raises(ConfigError, match=r"Somebody has left.*this round is given up"):
        freshen(config, one)
    assert unfinished(config.home, simulated=False) is None


@pytest.mark.parametrize("gone", ["dataset", "adapter"])
def test_so_is_one_whose_files_were_taken_away(trained: tuple[Config, Round], gone: str) -> None:
    config, one = trained
    (config.home / gone).rmdir()
    early = untrained(one)
    freshen(config, early)
    assert (Step.EXPORT in early.done) is (gone == "adapter")
    with pytest.raises(ConfigError, match="was taken away, so this round is given up"):
        freshen(config, one)
    assert unfinished(config.home, simulated=False) is None


def test_a_round_does_not_train_who_is_gone(trained: tuple[Config, Round]) -> None:
    config, one = trained
    early = untrained(one)
    early.asked = one.asked.model_copy(update={"parent": "gone-dpo-1a2b3c4d"})
    freshen(config, early)
    assert set(early.done) == {Step.COLLECT}


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(ConfigError, match="Another process"), alone(tmp_path):
        pass


def test_a_round_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    begin(tmp_path, Asked(parent="wild", least=1), at=NOON)
    (tmp_path / "rounds/1/round.json").write_text("{", "utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        all_of(tmp_path)


def test_rounds_are_due_by_the_calendar(tmp_path: Path) -> None:
    week, day = timedelta(days=7), timedelta(days=1)

    def is_due(now: datetime, tried: datetime | None = None) -> bool:
        return due(tmp_path, every=week, now=now, tried=tried)

    assert is_due(NOON), "there was none yet"
    assert not is_due(NOON + day / 2, tried=NOON), "it was tried today"
    one = begin(tmp_path, Asked(parent="wild", method=Method.DPO, least=1), at=NOON)
    assert is_due(NOON + day), "it is not done"
    one.done = {step: {} for step in Step}
    save(tmp_path, one)
    assert not is_due(NOON + 6 * day)
    assert is_due(NOON + week)
