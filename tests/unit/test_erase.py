"""Erasing a member by the command line, as an operator does."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bot.app import alone
from bot.mydata import WORDS, in_words
from storage.database import database_url
from storage.people import personal_columns
from storage.records import Consent, Contender, Kind, Tuning
from tests.unit.records import NOON
from tests.unit.town import AUTHOR, town

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "the treasure is under the oak"
VOTER = 2**60 + 7


def twofold(home: Path, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        env={"TWOFOLD_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        input=said,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    async with town(tmp_path) as t:
        battle = await t.battle(SECRET, "nothing of that sort")
        await t.vote(battle, VOTER, 0)
        await t.store.exports.record(
            format="dpo",
            purpose=Consent.TRAIN,
            manifest={},
            sha256="ab",
            dataset="cd",
            rows=[(battle.id, 1)],
            at=NOON,
        )
        tuned = Contender(slug="raw-dpo-1", kind=Kind.TUNED, model="scripted:", adapter="a")
        await t.store.tunings.record(
            Tuning(
                contender=tuned,
                method="dpo",
                dataset="cd",
                adapter_sha256="ef",
                generation=1,
                trained_at=NOON,
            )
        )
    return tmp_path


def kept(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.glob("twofold.db*"))


def test_what_was_made_to_train_on_goes_too(home: Path) -> None:
    dataset = home / "training" / "datasets" / "cd"
    dataset.mkdir(parents=True)
    (dataset / "train.jsonl").write_text(SECRET, "utf-8")
    assert twofold(home, "erase", "--member", str(AUTHOR), "--yes").returncode == 0
    assert not dataset.exists()


def test_the_operator_is_told_what_was_erased_and_what_is_left_elsewhere(home: Path) -> None:
    assert SECRET.encode() in kept(home)
    done = twofold(home, "erase", "--member", str(AUTHOR), "--yes")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    for line in ("battles: 1", "turns: 1", "votes: 0", "battles whose texts were wiped: 1"):
        assert line in lines
    assert f"The export 1 of {NOON:%Y-%m-%d} (dpo) has rows of this member" in done.stdout
    assert "The tuned contender raw-dpo-1 learnt from this member" in done.stdout
    assert "backups" in done.stdout
    assert SECRET.encode() not in kept(home)
    assert AUTHOR.to_bytes(8, "big") not in kept(home)
    assert VOTER.to_bytes(8, "big") in kept(home)


def test_nothing_is_erased_before_it_is_confirmed(home: Path) -> None:
    refused = twofold(home, "erase", "--member", str(AUTHOR), said="n\n")
    assert refused.returncode == 1
    assert "for good?" in refused.stdout
    assert SECRET.encode() in kept(home)


async def test_a_member_is_erased_while_the_bot_runs(home: Path) -> None:
    async with alone(database_url(home / "twofold.db")):
        done = await asyncio.to_thread(twofold, home, "erase", "--member", str(AUTHOR), "--yes")
    assert "Twofold is running" in done.stdout
    assert SECRET.encode() not in kept(home)


def test_the_operator_is_told_of_a_reader_who_keeps_what_was_erased(home: Path) -> None:
    with closing(sqlite3.connect(home / "twofold.db")) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM battles").fetchall() == [(1,)]
        first = twofold(home, "erase", "--member", str(AUTHOR), "--yes")
    assert "still in its log" in first.stdout
    second = twofold(home, "erase", "--member", str(AUTHOR), "--yes")
    assert "still in its log" not in second.stdout
    assert SECRET.encode() not in kept(home)


def test_there_are_words_for_every_table_that_knows_people() -> None:
    assert set(WORDS) == {column.table.name for column in personal_columns()}
    assert list(in_words({"votes": 1, "turns": 2, "members": 0})) == [
        "2 messages in conversations",
        "1 vote",
    ]


def test_an_id_that_nobody_on_discord_has_wipes_no_texts_with_that_number(home: Path) -> None:
    before = kept(home)
    refused = twofold(home, "erase", "--member", "7", "--yes")
    assert (refused.returncode, "twofold simulate --remove" in refused.stderr) == (1, True)
    assert kept(home) == before
