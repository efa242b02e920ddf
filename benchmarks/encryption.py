"""What SQLCipher costs beside a plain file: `python -m benchmarks.encryption`.

The same battles and votes go into a plain and an encrypted file, in turns, each in a new folder.
Figures are medians of the turns.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from storage.backup import back_up
from storage.database import Database, database_url
from storage.records import Outcome
from tests.storage.conftest import CONTENDERS, KEY, START, Arena

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

MB = 1e6

PROMPT = "What would you do with a box that has no lid and no floor? " * 20
"""A battle's texts are a few kilobytes."""


class Stopwatch:
    """What was done in a second of waiting, and of processor time, by name."""

    def __init__(self) -> None:
        self.waiting: dict[str, float] = {}
        self.working: dict[str, float] = {}

    @contextmanager
    def times(self, name: str, how_many: float) -> Iterator[None]:
        """Time the block, in which so many are done."""
        waited, worked = time.perf_counter(), time.process_time()
        yield
        self.waiting[name] = how_many / (time.perf_counter() - waited)
        self.working[name] = how_many / (time.process_time() - worked)


async def turn(folder: Path, key: SecretStr | None, *, battles: int, votes: int) -> Stopwatch:
    """Fill one database, read it, copy it."""
    watch, file = Stopwatch(), folder / "twofold.db"
    url = database_url(file)
    async with Database.open(url, key=key) as store:
        await store.contenders.register(CONTENDERS, at=START)
        arena = Arena(store)
        with watch.times("battles opened", battles):
            opened = [await arena.open(PROMPT) for _ in range(battles)]

        async def cast(voter: int) -> None:
            await store.votes.cast(
                battle_id=opened[voter % battles].id,
                voter_id=voter,
                outcome=Outcome.TIE,
                winner_answer_id=None,
                by_author=False,
                at=START,
            )

        with watch.times("votes, one by one", votes):
            for voter in range(votes):
                await cast(voter)
        with watch.times("votes, all at once", votes):
            await asyncio.gather(*(cast(votes + voter) for voter in range(votes)))
        with watch.times("battles read", battles):
            for battle in opened:
                await store.battles.get(battle.id)
    size = file.stat().st_size / MB
    async with Database.open(url, key=key) as store:
        with watch.times("MB checked at a start", size):
            await store.require_sound()
    with watch.times("MB backed up", size):
        back_up(file, folder / "copy.db", key=key, advance=lambda _done, _of: None)
    return watch


async def main(arguments: argparse.Namespace, out: Console) -> None:
    """Take turns, and print a table."""
    watches: defaultdict[str, list[Stopwatch]] = defaultdict(list)
    for number in range(arguments.turns):
        for name, key in (("plain", None), ("encrypted", KEY))[:: 1 if number % 2 else -1]:
            with tempfile.TemporaryDirectory() as folder:
                found = await turn(
                    Path(folder), key, battles=arguments.battles, votes=arguments.votes
                )
                watches[name].append(found)
    table = Table("in a second", "plain", "encrypted", "processor time, times that of plain")
    for name in watches["plain"][0].waiting:
        plain, encrypted = (
            median(watch.waiting[name] for watch in watches[which])
            for which in ("plain", "encrypted")
        )
        worked = [
            one.working[name] / other.working[name]
            for one, other in zip(watches["plain"], watches["encrypted"], strict=True)
        ]
        table.add_row(name, f"{plain:,.0f}", f"{encrypted:,.0f}", f"{median(worked):.2f}")
    out.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--battles", type=int, default=1000)
    parser.add_argument("--votes", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    asyncio.run(main(parser.parse_args(), Console(width=110)))
