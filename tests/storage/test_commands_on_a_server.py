"""Every command that reads or writes the database does so on PostgreSQL, password unseen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from conftest import CONTENDERS, START, Arena
from typer.testing import CliRunner

from bot.alone import alone
from bot.cli import cli
from bot.errors import DatabaseTaken, StorageError, TwofoldError
from bot.keeping.erased import Erased
from storage.database import Database
from storage.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Server

PASSWORD = "not-to-be-shown"
GONE = 2**60 + 1
"""Whose text the conversations of an arena hold."""


@pytest.fixture
def url(postgres: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Name a database that all commands work on."""
    with postgres.another() as name:
        url = name.replace("postgres@", f"postgres:{PASSWORD}@")
        monkeypatch.setenv("TWOFOLD_DATABASE", url)
        monkeypatch.setenv("TWOFOLD_HOME", str(tmp_path))
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.chdir(tmp_path)
        yield url


@pytest.fixture
def twofold() -> Callable[..., str]:
    """Run a command; what it prints, which never is the password."""

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, words, catch_exceptions=True)
        if isinstance(done.exception, TwofoldError):
            raise done.exception
        assert done.exit_code == 0, done.output
        assert PASSWORD not in done.output
        return done.output

    return run


async def fill(url: str) -> None:
    async with Database.open(url) as store:
        await store.contenders.register(CONTENDERS, at=START)
        arena = Arena(store)
        for voter in (5, 6):
            battle = await arena.open()
            await store.votes.cast(
                battle_id=battle.id,
                voter_id=voter,
                outcome=Outcome.TIE,
                winner_answer_id=None,
                by_author=False,
                at=arena.at(3),
            )


def test_a_community_is_made_ranked_exported_reported_and_taken_away(
    url: str, tmp_path: Path, twofold: Callable[..., str]
) -> None:
    assert "schema 0007 at another_" in twofold("check")
    twofold("simulate", "--battles", "12", "--members", "5", "--votes", "3")
    assert "Counted:" in twofold("leaderboard", "--simulated")
    assert "What moves votes" in twofold("stats", "--simulated")
    assert orjson.loads(twofold("integrity", "--simulated", "--json"))
    out = str(tmp_path / "set")
    twofold("export", "--simulated", "--purpose", "evaluate", "--format", "raw", "--out", out)
    twofold("report", "--simulated", "--out", str(tmp_path / "report"))
    assert "5 members are gone" in twofold("simulate", "--remove")


def test_a_move_there_and_back_is_told_by_table(
    url: str, tmp_path: Path, twofold: Callable[..., str]
) -> None:
    asyncio.run(fill(url))
    file = str(tmp_path / "there.db")
    there = twofold("migrate", "--to", file)
    assert "All rows are the same in both" in there
    assert "votes" in there
    with pytest.raises(StorageError, match="has rows already"):
        twofold("migrate", "--from", file)
    with pytest.raises(TwofoldError, match="Name with --from or with --to"):
        twofold("migrate")

    async def busy() -> None:
        async with alone(url):
            await asyncio.to_thread(twofold, "migrate", "--to", str(tmp_path / "other.db"))

    with pytest.raises(DatabaseTaken, match="Stop it first"):
        asyncio.run(busy())


def test_who_was_erased_since_a_backup_is_erased_again(
    url: str, tmp_path: Path, postgres: Server, twofold: Callable[..., str]
) -> None:
    asyncio.run(fill(url))
    Erased(tmp_path).note(GONE, at=START.replace(year=2027))
    assert "Erased again: 1" in twofold("erase", "--again")
    assert "Erased again: 0" in twofold("erase", "--again")
    assert "turns: 1" not in twofold("erase", "--member", str(GONE), "--yes")


def test_what_keeps_files_says_what_keeps_a_servers_database(
    url: str, twofold: Callable[..., str]
) -> None:
    for command in (("backup",), ("restore", "x.db", "--yes"), ("rollback", "0005", "--yes")):
        with pytest.raises(TwofoldError, match="A server has this database"):
            twofold(*command)
