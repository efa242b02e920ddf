"""`kill -9` at any moment: nothing that anybody was told is lost, and nothing is said twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.wire.clock import until
from tests.wire.crowd import label_of
from tests.wire.driver import WireServer
from tests.wire.ledger import PARTS, Ledger, Press, battle_of
from tests.wire.program import Program
from tests.wire.table import roster

from .fault import fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.wire.world import Message

AREA = "Ends"
CONFIG = """
showing = "lockstep"
member_battles_per_minute = 1000
guild_battles_per_minute = 1000
""" + roster("delay=0.04&tokens=16", "delay=0.04&tokens=16")

CHANNELS, MEMBERS, BALLOTS = 8, 40, 24
ASKED, PRESSED = 3.0, 25.0
"""In a second."""
LINGER = 0.3
"""Seconds in which what a killed program sent may still arrive."""
LOAD, EARLY = 2.0, 0.25
"""Seconds of load, at most, before a kill, and the share of kills while the program starts."""

TOLD_OF = """
SELECT id, source_message_id, state FROM battles WHERE state != 'cancelled'
"""


@dataclass
class Storm:
    """Members who ask and press without a pause, while the program is killed and started."""

    wire: WireServer
    program: Program
    rng: Random
    ledger: Ledger = field(default_factory=Ledger)
    kills: int = 0
    early: int = 0
    """Of them, those while it started."""
    took: float = 3.0
    """Seconds that a start takes."""

    def __post_init__(self) -> None:
        self.guild = self.wire.guild()
        self.channels = [self.wire.channel(self.guild, f"table-{n}") for n in range(CHANNELS)]
        self.members = [self.wire.person(f"member-{n}", self.guild) for n in range(MEMBERS)]
        self._known: list[Message] = []

    async def set(self) -> None:
        """Let battles stay open, and have the bot listen in all channels."""
        started = time.monotonic()
        await self.program.start()
        self.took = time.monotonic() - started
        await self.program.set(self.guild, "closing_votes", 100)
        ids = [channel.id for channel in self.channels]
        await self.program.set(self.guild, "channels", ids)
        await self.program.kill9()
        self.wire.gateway.forget()

    async def strike(self) -> None:
        """Start the program and kill it, while it starts or at some moment of load."""
        early = self.rng.random() < EARLY
        await self.program.launch()
        async with self._load():
            if not early:
                await until(lambda: self.wire.gateway.online, self.program.log_tail, 60)
            await asyncio.sleep(self.rng.uniform(0, self.took if early else LOAD))
        await self.program.kill9()
        self.early += early
        self.kills += 1
        await asyncio.sleep(LINGER)
        self.ledger.end()
        self.wire.gateway.forget()
        if self.program.database.exists():
            flaws = self.ledger.flaws(self.program)
            assert not flaws, flaws
        self.require_once()

    async def calm(self) -> None:
        """Start it for good, and wait until everybody knows how things stand."""
        await self.program.start()
        await until(lambda: not self._waiting(), lambda: f"answers: {self._waiting()[:9]}", 120)
        self.ledger.end()
        flaws = self.ledger.flaws(self.program)
        assert not flaws, flaws
        self.require_once()
        assert "Traceback" not in self.program.stderr

    def require_once(self) -> None:
        """Raise AssertionError where a message has two answers."""
        said = Counter(m.reference_id for m in self._said())
        twice = [reference for reference, times in said.items() if times > 1]
        assert not twice, [m.text for m in self._said() if m.reference_id in twice]

    def told(self) -> str:
        """What happened, in figures."""
        confirmed = sum(press.confirmed for press in self.ledger.presses)
        cut = sum(press.cut_off for press in self.ledger.presses)
        answered = {m.reference_id for m in self._said()}
        asked = [m for m in self._everything() if not m.author.bot]
        silent = sum(m.id not in answered for m in asked)
        return (
            f"{self.kills} kills, {self.early} of them while it started; {len(asked)} messages, "
            f"{silent} of them not answered; {len(self.ledger.presses)} presses, {confirmed} "
            f"confirmed, {cut} cut off"
        )

    @asynccontextmanager
    async def _load(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (self._ask(), self._press())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for done in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(done, asyncio.CancelledError), done

    async def _ask(self) -> None:
        """Whether the bot is there or not."""
        while True:
            await asyncio.sleep(self.rng.expovariate(ASKED))
            channel, member = self.rng.choice(self.channels), self.rng.choice(self.members)
            await member.send(channel, f"what is a fold, {self.wire.world.new_id()}?")

    async def _press(self) -> None:
        while True:
            await asyncio.sleep(self.rng.expovariate(PRESSED))
            ballots = self._ballots()
            if not ballots or not self.wire.gateway.online:
                continue
            ballot, part = self.rng.choice(ballots), self.rng.choice(PARTS)
            member = self.rng.choice(self.members)
            interaction = await member.press(ballot, label_of(ballot, part))
            self.ledger.presses.append(Press(interaction))

    def _ballots(self) -> list[Message]:
        """The latest ones; each is noted once."""
        known = {message.id for message in self._known}
        for message in self._said():
            if message.id not in known and battle_of(message) is not None:
                self.ledger.opened(message)
                self._known.append(message)
        return self._known[-BALLOTS:]

    def _everything(self) -> list[Message]:
        return [m for channel in self.channels for m in self.wire.messages(channel)]

    def _said(self) -> list[Message]:
        return [m for m in self._everything() if m.author is self.wire.bot]

    def _waiting(self) -> list[tuple[int, int, str]]:
        """The battles of which nobody was told how they stand."""
        replies = {m.reference_id: m for m in self._said()}
        waiting = []
        for battle, source, state in self.program.rows(TOLD_OF):
            reply = replies.get(source)
            shown = reply is not None and (state == "failed" or battle_of(reply) == battle)
            if state == "answering" or not shown:
                waiting.append((battle, source, state))
        return waiting


async def killed(folder: Path, *, times: int, seed: int) -> str:
    """Kill the program so many times, and look after each whether anything is wrong."""
    async with WireServer() as wire:
        program = Program(wire, folder, CONFIG)
        storm = Storm(wire, program, Random(seed))
        try:
            await storm.set()
            for _ in range(times):
                await storm.strike()
            await storm.calm()
        finally:
            await program.kill9()
        return storm.told()


@fault(
    AREA,
    "kill -9, three times, while members ask and vote",
    "every vote that was confirmed is there, every message that was being answered is answered "
    "at the next start, and nothing is posted twice",
)
async def killed_thrice(folder: Path) -> None:
    await killed(folder, times=3, seed=3)


@fault(
    AREA,
    "kill -9 at 200 random moments, of starts and of load",
    "the same, after each of them",
    long=True,
)
async def killed_often(folder: Path) -> None:
    print(await killed(folder, times=200, seed=200))
