"""A set table for tests of the program: a server, a channel, people, scripted contenders."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .clock import until
from .driver import WireServer
from .program import Program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .driver import Moment
    from .limits import RateLimits
    from .world import Message

LABELS = ["A is better", "B is better", "Tie", "Both bad", "⋯"]
TELLING = re.compile(r"gemma-x|smol-y|scripted|\bbase\b|\binstruct\b", re.IGNORECASE)


def roster(base: str = "", instruct: str = "") -> str:
    """Write a configuration with two scripted contenders and the given scripts."""
    return f"""
[[contenders]]
slug = "gemma-x"
kind = "base"
model = "scripted:{base}"

[[contenders]]
slug = "smol-y"
kind = "instruct"
model = "scripted:{instruct}"
"""


class Table:
    """A server with one channel and two members, and the program on it."""

    def __init__(self, wire: WireServer, program: Program) -> None:
        self.wire = wire
        self.program = program
        self.channel = wire.channel(wire.guild())
        self.alice = wire.person("alice", self.channel.guild)
        self.boss = wire.person("boss", self.channel.guild, admin=True)

    async def ask(self, text: str = "what is a fold?") -> Message:
        """Mention the bot as alice and wait for what it replies."""
        prompt = await self.alice.send(self.channel, f"{self.wire.mention} {text}")
        return await self.wire.wait_for_reply(prompt)

    def said(self) -> list[Message]:
        """Return the bot's messages in the channel."""
        return self.wire.messages(self.channel, author=self.wire.bot)

    def count(self, table: str) -> int:
        """Count the rows of a table of the program's database."""
        return self.program.rows(f"SELECT count(*) FROM {table}")[0][0]

    def telling(self, moment: Moment | None = None) -> list[str]:
        """What the bot sent until then that could tell the sides apart.

        The list of commands is left out: it names the kinds of models, for the settings.
        """
        sent = self.wire.payloads_before(moment)
        return [text for text in sent if TELLING.search(text) and "dm_permission" not in text]

    async def state(self, wanted: str) -> None:
        """Wait until the newest battle is in a state."""
        query = "SELECT state FROM battles ORDER BY id DESC LIMIT 1"
        await until(lambda: self.program.rows(query) == [(wanted,)], f"a battle {wanted}", 15)


@asynccontextmanager
async def table(
    folder: Path, config: str | None = None, *, limits: RateLimits | None = None
) -> AsyncIterator[Table]:
    """Run the program with scripted contenders, with Discord's limits unless others are given."""
    async with WireServer(limits=limits) as wire:
        program = Program(wire, folder, config or roster())
        laid = Table(wire, program)
        async with program:
            yield laid
