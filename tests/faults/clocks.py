"""Clocks that jump: the machine's, Discord's, and all of them while the machine sleeps."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import libfaketime

from tests.wire.clock import until
from tests.wire.components import rows
from tests.wire.table import LABELS

from .fault import fault
from .tried import tried

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.table import Table
    from tests.wire.world import Message

AREA = "Clocks"


class MachineClock:
    """The clock that the program sees, in a process of its own; its timers are as ever."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.jump(0)

    def jump(self, seconds: float) -> None:
        """Put the clock so far from the right time."""
        self._file.write_text(f"{seconds:+f}", "ascii")

    @property
    def env(self) -> dict[str, str]:
        """What makes a process see it."""
        _, loading = libfaketime.get_reload_information()
        return loading | {
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


async def _votes(at: Table, ballot: Message, label: str, told: str) -> None:
    press = await at.alice.press(ballot, label)
    await press.says(told)


@fault(
    AREA,
    "the machine's clock jumps a day ahead, and back again",
    "battles and votes are as ever",
)
async def machine(folder: Path) -> None:
    clock = MachineClock(folder)
    async with tried(folder, env=clock.env) as at:
        ballot = await at.ask()
        await _votes(at, ballot, "A is better", "You chose **A**")
        clock.jump(-86_400)
        await _votes(at, ballot, "B is better", "You chose **B**")
        second = await at.ask("and before?")
        await _votes(at, second, "A is better", "You chose **A**")
        clock.jump(+86_400)
        third = await at.ask("and after?")
        await _votes(at, third, "A is better", "You chose **A**")
        clock.jump(0)
        await _votes(at, third, "B is better", "You chose **B**")
        assert at.count("votes") == 3
        assert at.count("vote_events") == 5
        query = "SELECT round(julianday(created_at) - julianday('now')) FROM battles ORDER BY id"
        assert at.program.rows(query) == [(0,), (-1,), (1,)]


@fault(
    AREA,
    "Discord's clock is an hour ahead of the machine's, or behind it",
    "battles and votes are as ever, and what was missed is found",
    long=True,
)
async def discord(folder: Path) -> None:
    async with tried(folder, ago=3600) as at:
        await at.program.set(at.channel.guild, "channels", [at.channel.id])
        for ahead in (-3600, 3600):
            at.wire.world.new_id.ahead = ahead
            ballot = await at.ask("now?")
            assert rows(ballot) == [LABELS]
            await _votes(at, ballot, "A is better", "You chose **A**")
        at.wire.gateway.lose()
        missed = await at.alice.send(at.channel, "meanwhile, in an hour")
        await at.wire.wait_ready(identified=2)
        assert rows(await at.wire.wait_for_reply(missed)) == [LABELS]
        assert at.count("votes") == 2


@fault(
    AREA,
    "the machine sleeps, and Discord forgets the bot meanwhile",
    "it comes back, and what was said in enabled channels is answered, once",
    long=True,
)
async def asleep(folder: Path) -> None:
    async with tried(folder) as at:
        await at.program.set(at.channel.guild, "channels", [at.channel.id])
        await at.ask()
        at.program.signal(signal.SIGSTOP)
        at.wire.gateway.cut_all()
        await until(lambda: not at.wire.gateway.online, "nobody on the gateway")
        at.wire.gateway.forget()
        missed = await at.alice.send(at.channel, "while it slept")
        await asyncio.sleep(3)
        at.program.signal(signal.SIGCONT)
        await at.wire.wait_ready(identified=2)
        assert rows(await at.wire.wait_for_reply(missed)) == [LABELS]
        assert at.count("battles") == 2
