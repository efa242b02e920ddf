"""Tuned contenders by the command line, as an operator manages them."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bot.cli import main
from bot.engines.adapters import WEIGHTS
from storage.database import Database, database_url
from storage.records import Contender, Kind, Standing, Tuning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SLUG = "plain-dpo-1"
AT = datetime(2026, 11, 20, tzinfo=UTC)
EVALUATION = {
    "accuracy": {"value": 0.7134, "low": 0.6, "high": 0.8},
    "mean_margin": 1.25,
    "better": True,
    "notes": {"value": "good"},
    "pairs": 40,
    "kl": 0.5,
    "fifth": 5,
}


def tuning(adapter: str, *, slug: str = SLUG, model: str = "wheel:gemma==1", **more: Any) -> Tuning:
    contender = Contender(slug=slug, kind=Kind.TUNED, model=model, adapter=adapter, parent="plain")
    made = Tuning(
        contender=contender,
        method="dpo",
        dataset=None,
        adapter_sha256=hashlib.sha256(b"weights").hexdigest(),
        generation=1,
        trained_at=AT,
        evaluation=EVALUATION,
    )
    return replace(made, **more)


async def record(home: Path, one: Tuning) -> None:
    async with Database.open(database_url(home / "twofold.db")) as store:
        await store.tunings.record(one)


def standings(home: Path) -> dict[str, Standing]:
    async def read() -> dict[str, Standing]:
        async with Database.open(database_url(home / "twofold.db")) as store:
            return {one.contender.slug: one.standing for one in await store.tunings.all()}

    return asyncio.run(read())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where an adapter is, in the data folder, that was recorded."""
    folder = tmp_path / "adapters" / SLUG
    (folder / "pictures").mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(b"weights")
    (folder / "pictures" / "loss.png").write_bytes(bytes(2_500_000))
    asyncio.run(record(tmp_path, tuning(str(folder))))
    return folder


@pytest.fixture
def twofold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("TWOFOLD_HOME", str(tmp_path))
        monkeypatch.setattr(sys, "argv", ["twofold", "models", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return run


def test_the_list_tells_what_was_trained_and_how_it_stands(twofold, folder: Path) -> None:
    code, out, _ = twofold("list")
    assert code == 0
    lines = out.splitlines()
    at = lines.index(SLUG)
    assert lines[at + 1] == (
        "  tuned from plain by dpo, generation 1, 2.5 MB, trained and not in the arena: "
        f"`twofold models enter {SLUG}`"
    )
    assert lines[at + 2] == (
        "  on prompts that it was not trained on: accuracy 0.713 (0.6 to 0.8), mean margin 1.25, "
        "pairs 40, kl 0.5"
    )
    assert len(lines) == at + 3


def test_without_a_database_the_list_has_models_alone(twofold, tmp_path: Path) -> None:
    code, out, err = twofold("list")
    assert (code, err) == (0, "")
    assert "used by" in out
    assert not (tmp_path / "twofold.db").exists()
    assert twofold("enter", SLUG)[0] == 1


def test_one_enters_rests_and_is_taken_away(twofold, folder: Path, tmp_path: Path) -> None:
    assert twofold("enter", SLUG)[:2] == (
        0,
        f"{SLUG} enters the arena. A bot that runs takes it up within a minute.\n",
    )
    assert standings(tmp_path) == {SLUG: Standing.ENTERED}
    assert ", in the arena" in twofold("list")[1]
    assert twofold("rest", SLUG)[0] == 0
    assert standings(tmp_path) == {SLUG: Standing.RESTING}
    twofold("enter", SLUG)
    code, out, _ = twofold("rm", SLUG, "--yes")
    assert (code, out) == (0, f"{SLUG} is removed, 3 MB are free again\n")
    assert not folder.exists()
    assert standings(tmp_path) == {SLUG: Standing.RESTING}
    assert "its files are gone, rests" in twofold("list")[1]
    code, _, err = twofold("enter", SLUG)
    assert code == 1
    assert "cannot be read" in err
    assert twofold("rm", SLUG, "--yes")[:2] == (0, f"{SLUG} is removed, 0 MB are free again\n")


def test_weights_that_are_others_do_not_enter(twofold, folder: Path, tmp_path: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"others")
    code, _, err = twofold("enter", SLUG)
    assert code == 1
    assert f"does not have the weights that {SLUG} was trained to" in err
    assert standings(tmp_path) == {SLUG: Standing.TRAINED}


@pytest.mark.parametrize("command", ["enter", "rest", "rm"])
def test_names_that_nobody_has_are_refused(twofold, folder: Path, command: str) -> None:
    code, _, err = twofold(command, "nobody", *(["--yes"] if command == "rm" else []))
    assert code == 1
    assert "No tuned contender is called nobody" in err


def test_one_that_learnt_from_what_was_erased_says_so_and_enters_only_anyway(
    twofold, folder: Path, tmp_path: Path
) -> None:
    asyncio.run(record(tmp_path, tuning(str(folder), slug="stale", stale_since=AT)))
    assert "  stale since 2026-11-20: " in twofold("list")[1]
    code, _, err = twofold("enter", "stale")
    assert code == 1
    assert "--anyway" in err
    assert twofold("enter", "stale", "--anyway")[0] == 0
    assert standings(tmp_path)["stale"] is Standing.ENTERED


def test_an_adapter_on_a_server_is_named_and_taken_away_there(twofold, tmp_path: Path) -> None:
    asyncio.run(record(tmp_path, tuning("llama-dpo", model="openai:llama")))
    assert "llama-dpo on its server" in twofold("list")[1]
    assert twofold("enter", SLUG)[0] == 0
    code, _, err = twofold("rm", SLUG, "--yes")
    assert code == 1
    assert "is on the server of its model" in err
    assert standings(tmp_path) == {SLUG: Standing.RESTING}


def test_a_folder_elsewhere_is_not_touched(twofold, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / SLUG
    elsewhere.mkdir(parents=True)
    asyncio.run(record(tmp_path, tuning(str(elsewhere))))
    code, _, err = twofold("rm", SLUG, "--yes")
    assert code == 1
    assert "which is not in the data folder" in err
    assert standings(tmp_path) == {SLUG: Standing.RESTING}
    assert elsewhere.is_dir()
