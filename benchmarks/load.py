"""What a battle costs the program that runs it: `python -m benchmarks.load --llmcord PATH`.

The whole program, a process of its own, against the tests' loopback server in place of Discord,
with models that take no time: both answers are there as fast as they can be handed over, a word
at a time. Members of five guilds write in fifty channels, each message mentions the bot, and so
many at once wait for an answer. Discord's rate limits are off. All is kept to two cores; the
server and the members take most of one.

Beside it, in turns, llmcord's own code answers each message once, on the same kind of server,
from a model server on loopback that says the same words, a word in each event of its stream.
Both bots do what they do by default. Twofold shows typing, reads the channel's last messages,
draws two models, answers twice, stores the battle (three transactions, each on the disk before
it goes on), and posts one message with both answers and the buttons. llmcord shows typing, makes
a client for the model's server, posts the first word in a message and the whole answer in one
edit (while it has many others to edit; else one every second), and stores nothing. `by HTTP` is
Twofold with both its models behind that same server, instead of null engines in its process.

Processor time is user and system time of the bot's process alone, all its threads.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import quote_plus

from rich.console import Console
from rich.table import Table
from scipy.stats import theilslopes

from benchmarks.llmcord import HOW_TO_GET_IT, llmcord, whole_answer_to
from benchmarks.nullmodel import null_model
from benchmarks.wired import (
    LONGEST_STALL,
    Asking,
    Community,
    Heard,
    Seen,
    Stalls,
    Watched,
    ballot_for,
    pin,
)
from tests.wire.driver import WireServer
from tests.wire.limits import RateLimits
from tests.wire.table import roster

ANSWER = (
    "Start with the smallest step that could work, and then look at what came of it. If the "
    "parts fit together better than they look, go on; if not, change one thing at a time and "
    "note what happens. It depends on what matters more to you here: that it is done soon, or "
    "that it is still right next year."
)
SETTINGS = """
battles_at_once = 64
member_battles_per_minute = 1000
channel_battles_per_minute = 10000
guild_battles_per_minute = 10000
discord_requests_per_second = 10000
"""
BY_HTTP = """
[[contenders]]
slug = "gemma-x"
kind = "base"
model = "openai:null"
base_url = "{url}"

[[contenders]]
slug = "smol-y"
kind = "instruct"
model = "openai:null"
base_url = "{url}"
"""
TURNS, PARTS = 5, 5
WARM_UP = 0.2
"""The share of all battles, at first, in which memory may grow: caches fill."""

AIM = 2.0
FLAT = 500.0
"""KiB in a thousand battles that are taken for no growth: two hundredths of all in 10,000. The
texts of a thousand battles alone are 3,000."""

LOOK_SECONDS = 0.5


@dataclass
class Bot:
    """A bot on a server of its own, and what each turn took it, in ms of processor time."""

    name: str
    asking: Asking
    watched: Watched
    program: Seen | None = None
    costs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    stalls: list[Stalls] = field(default_factory=list)

    async def turn(self, messages: int, *, at_once: int) -> None:
        """Answer so many messages, and note what that took."""
        before = self.watched.seconds
        seconds = await self.asking.ask(messages, at_once=at_once)
        self.costs.append((self.watched.seconds - before) / messages * 1000)
        self.rates.append(messages / seconds)
        await self.look()

    async def look(self) -> None:
        """Note how its event loop was held up."""
        if self.program is not None:
            self.stalls.append(await self.program.stalls())

    @property
    def too_long(self) -> int:
        """How often it was held up for too long since the first look."""
        return self.stalls[-1].too_long - self.stalls[0].too_long


def scripts() -> str:
    """Two null engines that say the same words, the second in another order."""
    words = ANSWER.split()
    return roster(f"text={quote_plus(' '.join(words[::-1]))}", f"text={quote_plus(ANSWER)}")


class Field:
    """The bots of one run."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder

    async def twofold(self, name: str, models: str) -> Bot:
        """Start the program with these contenders."""
        community = await self._community()
        wire = community.wire
        program = Seen(wire, self._folder / name, SETTINGS + models)
        await self._stack.enter_async_context(program)
        asking = Asking(community, Heard(wire, ballot_for))
        return Bot(name, asking, Watched(program.pid), program)

    async def llmcord(self, checkout: Path, *, python: str, model: str) -> Bot:
        """Start llmcord."""
        community = await self._community()
        started = llmcord(
            checkout,
            python=python,
            wire=community.wire,
            model=model,
            folder=self._folder / "llmcord",
        )
        pid = await self._stack.enter_async_context(started)
        asking = Asking(community, Heard(community.wire, whole_answer_to))
        return Bot("llmcord", asking, Watched(pid))

    async def _community(self) -> Community:
        wire = await self._stack.enter_async_context(WireServer(limits=RateLimits.off()))
        return Community.found(wire, guilds=5, channels=50, members=500)


async def main(arguments: argparse.Namespace, folder: Path, out: Console) -> bool:
    """Measure and print; whether the aims are met."""
    async with AsyncExitStack() as stack:
        field_of = Field(stack, folder)
        bots = [await field_of.twofold("Twofold", scripts())]
        if arguments.llmcord:
            model = await stack.enter_async_context(null_model(ANSWER.split()))
            bots.append(await field_of.twofold("Twofold by HTTP", BY_HTTP.format(url=model)))
            python = arguments.llmcord_python
            bots.append(await field_of.llmcord(arguments.llmcord, python=python, model=model))
        messages = max(1, arguments.messages // TURNS)
        for bot in bots:
            await bot.asking.ask(messages, at_once=arguments.at_once)
            await bot.look()
        for _ in range(TURNS):
            for bot in bots:
                await bot.turn(messages, at_once=arguments.at_once)
                gc.collect()
        within = compare(bots, out)
        flat = growth(await memory(bots[0], arguments), out)
        told = f"{bots[0].too_long} over {LONGEST_STALL * 1000:g} ms"
        out.print(f"Hold-ups of its event loop in all: {told}")
        return flat and within


def compare(bots: list[Bot], out: Console) -> bool:
    """Print what a message costs each; whether Twofold's is within the aim."""
    table = Table(title=f"Medians of {TURNS} turns")
    held_up = f"hold-ups over {LONGEST_STALL * 1000:g} ms"
    headings = ("", "ms of processor time a message", "least … most", "messages/s", held_up)
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    for bot in bots:
        table.add_row(
            bot.name,
            f"{median(bot.costs):.1f}",
            f"{min(bot.costs):.1f} … {max(bot.costs):.1f}",
            f"{median(bot.rates):.0f}",
            f"{bot.too_long}" if bot.stalls else "-",
        )
    out.print(table)
    last = bots[-1]
    if last.name != "llmcord":
        out.print(f"To compare with llmcord: {HOW_TO_GET_IT}")
        return True
    for bot in bots[:-1]:
        ratios = [ours / theirs for ours, theirs in zip(bot.costs, last.costs, strict=True)]
        out.print(f"{bot.name}: {median(ratios):.2f} times llmcord (at most {AIM:g} is the aim)")
    return median(bots[0].costs) <= AIM * median(last.costs)


async def memory(bot: Bot, arguments: argparse.Namespace) -> list[tuple[int, float]]:
    """Go on to as many battles as are wanted; the least KiB in each part.

    What was freed stays resident until the program gives it back, which it does once a minute.
    """
    found = []
    for _ in range(PARTS):
        seen = [bot.watched.memory]
        looking = asyncio.create_task(_look(bot.watched, seen))
        await bot.asking.ask(arguments.battles // PARTS, at_once=arguments.at_once)
        looking.cancel()
        found.append((bot.asking.asked, min(seen)))
        await bot.look()
    return found


async def _look(watched: Watched, seen: list[float]) -> None:
    while True:
        seen.append(watched.memory)
        await asyncio.sleep(LOOK_SECONDS)


def growth(found: list[tuple[int, float]], out: Console) -> bool:
    """Print the memory by battles; whether it stays where it is once it is warm."""
    table = Table("up to battle", "MiB at least", title="Resident memory")
    for battles, kib in found:
        table.add_row(f"{battles}", f"{kib / 1024:.1f}")
    out.print(table)
    warm = found[int(WARM_UP * len(found)) :]
    slope = theilslopes([kib for _, kib in warm], [battles / 1000 for battles, _ in warm])[0]
    out.print(f"After {warm[0][0]} battles: {slope:+.0f} KiB in each 1,000 ({FLAT:g} is flat)")
    return bool(slope <= FLAT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--battles", type=int, default=10_000, help="for the memory")
    parser.add_argument("--messages", type=int, default=2000, help="of each bot, to compare")
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--llmcord", type=Path, help=f"a checkout: {HOW_TO_GET_IT}")
    parser.add_argument("--llmcord-python", default=sys.executable, metavar="PYTHON")
    given = parser.parse_args()
    pin()
    gc.disable()  # a pause of the server's would look like one of the program's
    with tempfile.TemporaryDirectory() as name:
        met = asyncio.run(main(given, Path(name), Console(width=110)))
    raise SystemExit(not met)
