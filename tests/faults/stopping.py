"""Ends that are asked for, and starts on what an earlier end left half-finished."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.wire.clock import until
from tests.wire.components import rows
from tests.wire.faults import FOLLOW_UP, SEND, failing
from tests.wire.table import LABELS, roster

from .fault import fault
from .tried import UNDERWAY, tried

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.table import Table
    from tests.wire.world import Message

AREA = "Ends"
SLOW = "member_battles_per_minute = 100\nbattles_at_once = 4\n" + roster(
    "delay=0.3&tokens=60", "delay=0.3&tokens=60"
)
SOON = roster("delay=0.05&tokens=10", "delay=0.05&tokens=10")
LATE = 60.0


async def asked(at: Table, times: int = 1) -> list[Message]:
    """Have alice ask in several channels, and wait until all are being answered."""
    channels = [at.wire.channel(at.channel.guild, f"table-{n}") for n in range(-(-times // 4))]
    prompts = [
        await at.alice.send(channels[n // 4], f"{at.wire.mention} what is fold {n}?")
        for n in range(times)
    ]
    await until(lambda: at.count("battles") == times, "all of them being answered")
    return prompts


def replies(at: Table, prompt: Message) -> list[Message]:
    """What the bot said below a message."""
    said = at.wire.messages(prompt.channel, author=at.wire.bot)
    return [message for message in said if message.reference_id == prompt.id]


async def is_shown_once(at: Table, prompt: Message) -> Message:
    """Wait for a ballot below a message, and see that there is nothing else."""
    await until(lambda: any(rows(m) == [LABELS] for m in replies(at, prompt)), "a ballot", 20)
    (ballot,) = replies(at, prompt)
    return ballot


def aged(program_database: Path, age: timedelta) -> None:
    """Make every battle older, as if the program had been away."""
    then = (datetime.now(UTC) - age).replace(tzinfo=None).isoformat(" ")
    with contextlib.closing(sqlite3.connect(program_database)) as connection, connection:
        connection.execute("UPDATE battles SET created_at = ?", (then,))


@fault(
    AREA,
    "SIGTERM under load, with slow models and a long line",
    "it ends within 10 seconds with status 0, the log says how many battles ended and how many "
    "were given up, whoever waits is told so, and who could not be is answered at the next start",
)
async def terminated(folder: Path) -> None:
    async with tried(folder, SLOW) as at:
        prompts = await asked(at, 24)
        at.program.terminate()
        assert await at.program.wait_exit(within=10) == 0
        assert "battles ended, or were given up" in at.program.stderr
        left = at.program.rows("SELECT count(*) FROM battles WHERE state = 'answering'")[0][0]
        told = [prompt for prompt in prompts if replies(at, prompt)]
        assert len(told) >= len(prompts) - left
        for prompt in told:
            (reply,) = replies(at, prompt)
            assert "restarted" in reply.text or "busy" in reply.text or rows(reply) == [LABELS]
        at.program.config.write_text(SOON, "utf-8")
        await at.program.start()
        query = "SELECT count(*) FROM battles WHERE state = 'answering'"
        await until(lambda: at.program.rows(query)[0][0] == 0, "nobody left waiting", 30)
        await until(lambda: all(replies(at, prompt) for prompt in prompts), "all told", 30)


@fault(
    AREA,
    "SIGTERM while what was missed is answered",
    "nobody else is told anything; the next start answers what is left, once",
)
async def terminated_while_catching_up(folder: Path) -> None:
    async with tried(folder, SOON) as at:
        await at.program.set(at.channel.guild, "channels", [at.channel.id])
        await until(lambda: "ready" in at.program.stderr, "a session")
        await at.wire.wait_for_reply(await at.alice.send(at.channel, "heard"))
        await at.program.kill9()
        at.wire.gateway.forget()
        missed = [await at.alice.send(at.channel, f"meanwhile, {n}") for n in range(4)]
        at.program.config.write_text(SLOW, "utf-8")
        await at.program.start()
        await at.state("answering")
        at.program.terminate()
        assert await at.program.wait_exit(within=10) == 0
        assert [len(replies(at, prompt)) for prompt in missed] == [1, 0, 0, 0]
        at.program.config.write_text(SOON, "utf-8")
        await at.program.start()
        for prompt in missed[1:]:
            await is_shown_once(at, prompt)


@fault(
    AREA,
    "a second SIGTERM, or SIGINT after it",
    "it ends at once; what was being answered is answered at the next start",
    long=True,
)
async def terminated_twice(folder: Path) -> None:
    async with tried(folder, SLOW) as at:
        (prompt,) = await asked(at)
        at.program.terminate()
        await until(lambda: "waiting for battles" in at.program.stderr, "the first one heard")
        again = time.monotonic()
        at.program.signal(signal.SIGINT)
        assert await at.program.wait_exit(within=2) == -signal.SIGINT
        assert time.monotonic() - again < 1
        at.program.config.write_text(SOON, "utf-8")
        await at.program.start()
        await is_shown_once(at, prompt)


@fault(
    AREA,
    "a start on battles that were being answered: not shown yet, growing, or posted a moment "
    "before the kill without anybody having noted it",
    "each is answered in the place where it stands, once",
)
async def started_on_unfinished(folder: Path) -> None:
    async with tried(folder, SOON) as at:
        unnoted = failing(SEND, effect=True, seconds=LATE)
        at.wire.rest.faults.append(unnoted)
        first = await at.alice.send(at.channel, f"{at.wire.mention} what is a fold?")
        await until(lambda: replies(at, first), "a ballot that nobody noted")
        at.program.config.write_text(UNDERWAY, "utf-8")
        await at.program.kill9()
        assert at.program.rows("SELECT shown_message_id FROM battles") == [(None,)]
        await at.program.start()
        await is_shown_once(at, first)
        second = await at.alice.send(at.channel, f"{at.wire.mention} and a crease?")
        growing = await at.wire.wait_for_reply(second)
        at.wire.rest.faults.append(failing(SEND, times=99))
        third = await at.alice.send(at.channel, f"{at.wire.mention} and a pleat?")
        await until(lambda: at.count("battles") == 3, "three battles")
        await at.program.kill9()
        at.wire.rest.faults.clear()
        at.program.config.write_text(SOON, "utf-8")
        await at.program.start()
        assert await is_shown_once(at, second) is growing
        await is_shown_once(at, third)
        press = await at.alice.press(growing, "A is better")
        await press.says("You chose **A**")


@fault(
    AREA,
    "a start on a slash command that was being answered, or was a moment before the kill",
    "the answers are posted in its channel with what was asked, once",
    long=True,
)
async def started_on_command(folder: Path) -> None:
    async with tried(folder, SOON) as at:
        at.wire.rest.faults.append(failing(FOLLOW_UP, effect=True, seconds=LATE))
        await at.alice.slash(at.channel, "ask", prompt="why fold?")
        await until(at.said, "a ballot that nobody noted")
        await at.program.kill9()
        await at.program.start()
        await at.ask("are you back?")
        assert len([m for m in at.said() if "why fold?" in m.text]) == 1
        await at.program.kill9()
        at.program.config.write_text(SLOW, "utf-8")
        await at.program.start()
        await at.alice.slash(at.channel, "ask", prompt="why crease?")
        await until(lambda: at.count("battles") == 3, "being answered")
        await at.program.kill9()
        at.program.config.write_text(SOON, "utf-8")
        await at.program.start()
        await until(lambda: [m for m in at.said() if "why crease?" in m.text], "both answers", 20)
        await at.state("open")
        assert len([m for m in at.said() if "why crease?" in m.text]) == 1


@fault(
    AREA,
    "a start on what was being answered more than five minutes ago",
    "whoever waits is told to ask again, once; after an hour nobody is disturbed any more",
    long=True,
)
async def started_late(folder: Path) -> None:
    async with tried(folder, SLOW) as at:
        (prompt,) = await asked(at)
        await at.program.kill9()
        aged(at.program.database, timedelta(minutes=10))
        await at.program.start()
        told = await at.wire.wait_for_reply(prompt)
        assert "restarted" in told.text
        await at.state("failed")
        await at.alice.send(prompt.channel, f"{at.wire.mention} and this?")
        await at.state("answering")
        await at.program.kill9()
        aged(at.program.database, timedelta(hours=2))
        at.program.config.write_text(SOON, "utf-8")
        await at.program.start()
        await at.state("failed")
        assert at.wire.messages(prompt.channel, author=at.wire.bot) == [told]


@fault(
    AREA,
    "a start on a message that was deleted meanwhile",
    "nothing is posted, and nothing of its text is kept",
    long=True,
)
async def started_on_deleted(folder: Path) -> None:
    async with tried(folder, SOON) as at:
        at.wire.rest.faults.append(failing(SEND, times=99))
        prompt = await at.alice.send(at.channel, f"{at.wire.mention} never mind")
        await until(lambda: at.count("battles") == 1, "being answered")
        await at.program.kill9()
        at.wire.rest.faults.clear()
        await at.alice.delete(prompt)
        await at.program.start()
        query = "SELECT state, prompt FROM battles"
        ended = [("cancelled", ""), ("failed", "")]
        await until(lambda: at.program.rows(query)[0] in ended, "an end", 20)
        assert at.said() == []
