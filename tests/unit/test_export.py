"""From real votes on a real database to files that `datasets` loads."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import datasets
import pytest

from bot.voting import Press
from storage.records import Choice, Side
from tests.unit.records import said, talk
from tests.unit.test_battles import Ask, services

if TYPE_CHECKING:
    from pathlib import Path

    from bot.app import Services
    from storage.records import Battle

A, B, TIE, BAD = Choice.A, Choice.B, Choice.TIE, Choice.BOTH_BAD


async def fought(s: Services, number: int, *choices: Choice) -> Battle:
    ask = Ask(
        source_message_id=number,
        guild_id=5,
        channel_id=6,
        author_id=1,
        conversation=talk(said(f"question {number} \ud83d", name="Alice")),
    )
    battle = await s.battles.answer(await s.battles.open(ask))
    for voter, choice in enumerate(choices, start=100):
        await s.voting.cast(
            Press(
                battle_id=battle.id,
                choice=choice,
                voter_id=voter,
                voter_is_bot=False,
                guild_id=5,
                channel_id=6,
            )
        )
    return battle


def export(home: Path, out: Path) -> str:
    command = [sys.executable, "-m", "bot.cli", "export", "--format", "dpo", "--out", str(out)]
    environment = {"TWOFOLD_HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    async with services(tmp_path) as s:
        clear = await fought(s, 1, A, A, B)
        await fought(s, 2, TIE)
        await fought(s, 3, BAD, BAD, A)
        await fought(s, 4, A, B)
        await fought(s, 5)
        await s.battles.abandon(await fought(s, 6, A), reason="test")
        assert clear.answer(Side.A).shown != clear.answer(Side.B).shown
    return tmp_path


async def test_the_votes_come_out_as_preferences(home: Path) -> None:
    out = home / "out"
    told = export(home, out)
    assert "10 votes on 5 battles → 1 rows" in told
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["left_out"] == {
        "not_live": 0,
        "failed_or_cancelled": 1,
        "tie": 1,
        "both_bad": 1,
        "no_majority": 1,
        "same_text": 0,
        "continued": 0,
    }
    assert manifest["battles"] == manifest["rows"] + sum(manifest["left_out"].values())
    data = (out / "train.jsonl").read_bytes()
    assert manifest["files"]["train.jsonl"]["sha256"] == hashlib.sha256(data).hexdigest()


async def test_datasets_loads_it(home: Path) -> None:
    export(home, home / "out")
    loaded = datasets.load_dataset(str(home / "out"), cache_dir=str(home / "cache"))
    (row,) = loaded["train"]
    assert row["prompt"] == [{"role": "user", "content": "question 1 ?"}]
    assert [m["role"] for m in row["chosen"] + row["rejected"]] == ["assistant", "assistant"]
    assert row["chosen"] != row["rejected"]
    assert (row["votes_chosen"], row["votes_rejected"]) == (2, 1)


async def test_the_same_database_gives_the_same_bytes(home: Path) -> None:
    for name in ("one", "two"):
        export(home, home / name)
    for file in ("train.jsonl", "manifest.json"):
        assert (home / "one" / file).read_bytes() == (home / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "parquet", "--out", "x"], "There is no format parquet. Choose one of: dpo"),
        (["--out", "/dev/null/x"], "cannot be written"),
    ],
)
def test_bad_arguments_are_sentences(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", "export", *arguments],
        env={"TWOFOLD_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
