"""Several processes on one database, and processes that are killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from storage.database import Database
from storage.driver import connect

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from conftest import Arena

PRESSES = """
import asyncio, os, sys
from datetime import UTC, datetime
from pydantic import SecretStr
from storage.database import Database
from storage.records import Outcome

async def main(url, battle_id, first, count):
    key = SecretStr(os.environ["KEY"]) if "KEY" in os.environ else None
    async with Database.open(url, key=key) as database:
        print("open", flush=True)
        for voter in range(first, first + count):
            await database.votes.cast(
                battle_id=battle_id, voter_id=voter, outcome=Outcome.TIE,
                winner_answer_id=None, by_author=False, at=datetime.now(UTC),
            )
            print(voter, flush=True)
        if count == 1:
            await asyncio.sleep(60)

asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
"""

OPENS = """
import asyncio, os, sys
from pydantic import SecretStr
from storage.database import Database

async def main():
    key = SecretStr(os.environ["KEY"]) if "KEY" in os.environ else None
    async with Database.open(sys.argv[1], key=key) as database:
        print(await database.revision())

asyncio.run(main())
"""


async def start(script: str, *arguments: object) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        *map(str, arguments),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )


async def test_a_vote_that_was_acknowledged_survives_a_kill(url: str, arena: Arena) -> None:
    battle = await arena.open()
    child = await start(PRESSES, url, battle.id, 5, 1)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"open\n"
    assert await child.stdout.readline() == b"5\n"
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    async with Database.open(url) as again:
        assert [vote.voter_id for vote in await again.votes.for_battle(battle.id)] == [5]
        assert len(await again.votes.events(battle.id)) == 1


async def test_a_kill_in_the_middle_loses_no_acknowledged_vote(url: str, arena: Arena) -> None:
    battle = await arena.open()
    child = await start(PRESSES, url, battle.id, 0, 100_000)
    assert child.stdout is not None
    for _ in range(40):
        await child.stdout.readline()
    child.kill()
    acknowledged = 39 + len((await child.stdout.read()).split())
    await child.wait()
    votes = await arena.database.votes.for_battle(battle.id)
    # At most the one that was on its way is there without having been acknowledged.
    assert acknowledged <= len(votes) <= acknowledged + 1
    assert len(await arena.database.votes.events(battle.id)) == len(votes)


@pytest.mark.filterwarnings("error")
async def test_two_processes_and_this_one_write_at_once(url: str, arena: Arena) -> None:
    battle = await arena.open()
    children = [await start(PRESSES, url, battle.id, first, 60) for first in (1000, 2000)]
    for child in children:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"open\n"
    guilds = arena.database.guilds
    for number in range(60):
        await guilds.update(7, f"key-{number}", value=number, by=1, at=arena.at())
    for child in children:
        await child.communicate()
        assert child.returncode == 0
    assert len(await arena.database.votes.for_battle(battle.id)) == 120
    assert len(await guilds.get(7)) == 60


async def test_processes_that_start_at_once_make_one_database(fresh: str) -> None:
    children = [await start(OPENS, fresh) for _ in range(4)]
    results = [await child.communicate() for child in children]
    assert [out for out, _ in results] == [b"0007\n"] * 4


async def test_a_connection_that_is_stopped_and_closed_at_once_ends(tmp_path: Path) -> None:
    """SQLAlchemy does both to one whose work is cancelled; the program then ended never."""
    connection = await connect(str(tmp_path / "votes.db"))
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    connection.stop()
    await asyncio.wait_for(closing, timeout=10)
