"""What a message, a battle, a vote and a server cost: `python -m benchmarks.costs`.

The whole program against the tests' loopback server, with models that take no time, on SQLite
and on a PostgreSQL of its own. Processor time is that of the program's process; bytes are what
the database has grown by, indexes and all, once the program is stopped. Members write the prompts
of this folder, and answers are some 60 words, each with the last messages of its channel as
context. `benchmarks/sums.py` does its sums with these figures.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.load import SETTINGS, scripts
from benchmarks.wired import Asking, Community, Heard, Seen, Watched, ballot_for, pin
from storage.database import Database, database_url
from tests.postgres import Server, server
from tests.wire.components import buttons
from tests.wire.driver import WireServer
from tests.wire.limits import RateLimits

if TYPE_CHECKING:
    from tests.wire.world import Message

GUILDS, CHANNELS, MEMBERS = 10, 20, 200
CHANNELS_OF_A_SERVER = 30
QUIET = 0.5
"""Seconds without work after which everything is heard."""

Size = Callable[[], Awaitable[int]]


class Town:
    """A community, and the program that is started and stopped to see what it wrote."""

    def __init__(self, wire: WireServer, program: Seen, size: Size) -> None:
        self._community = Community.found(wire, guilds=GUILDS, channels=CHANNELS, members=MEMBERS)
        self._wire = wire
        self._program = program
        self._size = size
        self._asking = Asking(self._community, Heard(wire, ballot_for))
        self._pressed: set[int] = set()

    async def chat(self, messages: int) -> None:
        """Have members write what the bot is not asked."""
        for number in range(messages):
            channel = self._community.channels[number % CHANNELS]
            member = self._community.members[channel.guild_id or 0][0]
            await member.send(channel, self._community.texts[number % 200])
            await asyncio.sleep(0)

    async def ask(self, battles: int) -> None:
        """Have messages answered."""
        await self._asking.ask(battles, at_once=16)

    async def press(self, votes: int) -> None:
        """Have each member vote once on some battles, and guess."""
        ballots = [
            message
            for channel in self._community.channels
            for message in self._wire.messages(channel, author=self._wire.bot)
            if buttons(message)
        ]
        found = ((b, m) for m in range(MEMBERS // GUILDS) for b in ballots)
        some = [next(found) for _ in range(votes)]
        for at in range(0, votes, 20):
            await asyncio.gather(*(self._vote(*pair) for pair in some[at : at + 20]))

    async def _vote(self, ballot: Message, number: int) -> None:
        member = self._community.members[ballot.channel.guild_id or 0][number]
        press = await member.press(ballot, "A is better")
        await press.says("You ")
        await (await member.press(press.ephemeral[0], "Not sure")).acknowledged()

    async def cost(self, work: Callable[[int], Awaitable[None]], count: int) -> tuple[float, float]:
        """Milliseconds of processor time, and bytes, for each of so many."""
        await self._program.start()
        await self._stop()
        before = await self._size()
        await self._program.start()
        watched = Watched(self._program.pid)
        began = await _quiet(watched)
        await work(count)
        spent = await _quiet(watched) - began
        await self._stop()
        return spent / count * 1000, (await self._size() - before) / count

    async def _stop(self) -> None:
        self._program.terminate()
        await self._program.wait_exit()


async def _quiet(watched: Watched) -> float:
    """Wait until the process has nothing to do; the seconds it has worked by then."""
    last = -1.0
    while watched.seconds > last + 0.01:
        last = watched.seconds
        await asyncio.sleep(QUIET)
    return last


async def measured(folder: Path, postgres: Server | None, counts: argparse.Namespace) -> list[str]:
    """What each costs on one kind of database, as a row."""
    async with WireServer(limits=RateLimits.off()) as wire:
        config = SETTINGS + scripts()
        program = Seen(wire, folder, config)
        url = database_url(program.database)
        if postgres is not None:
            await asyncio.to_thread(postgres.run, "CREATE DATABASE costs")
            url = program.extra["TWOFOLD_DATABASE"] = postgres.url("costs")

        async def size() -> int:
            if postgres is None:
                return program.database.stat().st_size
            # What was thrown away meanwhile is for new rows, as in a file.
            await asyncio.to_thread(postgres.run, "VACUUM FULL", database="costs")
            ((found,),) = await asyncio.to_thread(
                postgres.run, "SELECT pg_database_size('costs')", database="costs"
            )
            return int(found)

        async with Database.open(url):
            pass
        town = Town(wire, program, size)
        try:
            await town.cost(town.ask, 20)
            heard, _ = await town.cost(town.chat, counts.messages)
            battle, of_battle = await town.cost(town.ask, counts.battles)
            vote, of_vote = await town.cost(town.press, counts.votes)
        finally:
            await program.kill9()
    return [f"{heard:.2f}", f"{battle:.1f}", f"{of_battle:.0f}", f"{vote:.1f}", f"{of_vote:.0f}"]


async def memory(folder: Path, servers: int) -> float:
    """KiB of resident memory for each server that the bot is in."""
    found = []
    for count in (1, 1 + servers):
        async with WireServer(limits=RateLimits.off()) as wire:
            for _ in range(count):
                guild = wire.guild()
                for number in range(CHANNELS_OF_A_SERVER):
                    wire.channel(guild, f"channel-{number}")
            program = Seen(wire, folder / str(count), scripts())
            async with program:
                await asyncio.sleep(8)
                found.append(Watched(program.pid).memory)
    return (found[1] - found[0]) / servers


async def main(counts: argparse.Namespace, folder: Path) -> None:
    """Measure and print."""
    headings = ("database", "ms a message", "ms a battle", "bytes", "ms a vote", "bytes")
    table = Table(*headings, title="One of each")
    table.add_row("SQLite", *await measured(folder / "sqlite", None, counts))
    with ExitStack() as stack:
        postgres = stack.enter_context(server())
        table.add_row("PostgreSQL", *await measured(folder / "postgresql", postgres, counts))
    out = Console(width=100)
    out.print(table)
    kib = await memory(folder, counts.servers)
    out.print(f"{kib:.0f} KiB for a server of {CHANNELS_OF_A_SERVER} channels")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--battles", type=int, default=600)
    parser.add_argument("--votes", type=int, default=1200)
    parser.add_argument("--servers", type=int, default=300)
    pin()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(main(parser.parse_args(), Path(name)))
