"""Discord's gateway: closed, cut, silent, in the wrong order; and what was said meanwhile."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from tests.wire.clock import until
from tests.wire.components import rows
from tests.wire.table import LABELS

from .fault import fault
from .tried import UNDERWAY, said_in, tried

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.table import Table
    from tests.wire.world import Message

AREA = "Discord's gateway"

FEW = {"TWOFOLD_MEMBER_BATTLES_PER_MINUTE": "1"}


async def _enabled(at: Table) -> None:
    """Have everything in the channel answered."""
    await at.program.set(at.channel.guild, "channels", [at.channel.id])


async def _answered(at: Table, *prompts: Message, within: float = 30.0) -> None:
    """Wait until each of these has its ballot, and that is the only one."""
    for prompt in prompts:
        ballot = await at.wire.wait_for_reply(prompt, within=within)
        await until(lambda b=ballot: rows(b) == [LABELS], "a ballot", within)
        assert [m.id for m in at.said() if m.reference_id == prompt.id] == [ballot.id]


@fault(
    AREA,
    "closed by Discord, cut off, or asked to reconnect (op 7, op 9 resumable)",
    "the session is resumed; what was said meanwhile is answered, once",
)
async def resumed(folder: Path) -> None:
    async with tried(folder) as at:
        gateway = at.wire.gateway
        ways = (
            gateway.close_all,
            lambda: gateway.close_all(1000),
            gateway.cut_all,
            gateway.reconnect,
            lambda: gateway.invalidate(resumable=True),
        )
        for number, way in enumerate(ways, start=1):
            way()
            text = f"{at.wire.mention} number {number}?"
            await _answered(at, await at.alice.send(at.channel, text))
            assert (gateway.identified, gateway.resumed) == (1, number)


@fault(
    AREA,
    "the session is lost (closed with 4009, op 9 not resumable)",
    "the bot identifies anew; what was said meanwhile in enabled channels is answered, once",
)
async def session_lost(folder: Path) -> None:
    async with tried(folder) as at:
        await _enabled(at)
        aside = at.wire.channel(at.channel.guild, "aside")
        heard = await at.alice.send(at.channel, "before")
        await _answered(at, heard)
        at.wire.gateway.lose()
        missed = [await at.alice.send(at.channel, f"meanwhile, {n}") for n in range(2)]
        await at.alice.send(at.channel, "// a note")
        await at.alice.send(aside, "not for the bot")
        await at.wire.wait_ready(identified=2)
        await _answered(at, *missed)
        await _answered(at, await at.alice.send(at.channel, "after"))
        assert said_in(at, aside.id) == []
        assert at.count("battles") == 4


@fault(
    AREA,
    "the session is lost while a battle is answered",
    "the battle goes on, and nothing else is answered twice",
    long=True,
)
async def session_lost_underway(folder: Path) -> None:
    async with tried(folder, UNDERWAY) as at:
        await _enabled(at)
        prompt = await at.alice.send(at.channel, "what is a fold?")
        await at.state("answering")
        at.wire.gateway.invalidate(resumable=False)
        await at.wire.wait_ready(identified=2)
        await _answered(at, prompt)
        await asyncio.sleep(4)
        assert at.count("battles") == 1


@fault(
    AREA,
    "the program is killed and started again",
    "what was said meanwhile in enabled channels is answered, once, and nothing before that",
)
async def restarted(folder: Path) -> None:
    async with tried(folder, env=FEW) as at:
        early = await at.alice.send(at.channel, "before it was enabled")
        carol = at.wire.person("carol", at.channel.guild)
        await _answered(at, await carol.send(at.channel, f"{at.wire.mention} heard all?"))
        await _enabled(at)
        heard = await at.boss.send(at.channel, "heard")
        await _answered(at, heard)
        refused = await at.boss.send(at.channel, "one too many")
        told = await at.wire.wait_for_reply(refused)
        await at.program.kill9()
        at.wire.gateway.forget()
        missed = await at.alice.send(at.channel, "meanwhile")
        await at.program.start()
        await _answered(at, missed)
        await asyncio.sleep(3)
        replied = {m.reference_id for m in at.said()}
        assert replied >= {heard.id, refused.id, missed.id}
        assert len(at.said()) == 4
        assert rows(told) == []
        assert early.id not in replied


@fault(
    AREA,
    "the bot was away for longer than a quarter of an hour",
    "what was said in the last quarter of an hour is answered; the rest is past",
    long=True,
)
async def away_for_long(folder: Path) -> None:
    async with tried(folder, ago=3600) as at:
        await _enabled(at)
        await _answered(at, await at.alice.send(at.channel, "heard"))
        await at.program.kill9()
        at.wire.gateway.forget()
        at.wire.world.new_id.ahead = -1200
        old = await at.alice.send(at.channel, "twenty minutes ago")
        at.wire.world.new_id.ahead = 0
        new = await at.alice.send(at.channel, "just now")
        await at.program.start()
        await _answered(at, new)
        assert old.id not in {m.reference_id for m in at.said()}


@fault(
    AREA,
    "heartbeats are acknowledged late, or not at all",
    "the bot stays where it is as long as it hears anything",
    long=True,
)
async def late_acks(folder: Path) -> None:
    async with tried(folder, heartbeat_ms=300) as at:
        at.wire.gateway.unrest.ack_after = 1.0
        await at.ask()
        at.wire.gateway.unrest.ack_after = math.inf
        await at.ask("still there?")
        assert at.wire.gateway.identified == 1


@fault(
    AREA,
    "the connection is dead, and nobody hangs up",
    "noticed after a minute; the session is resumed, and what was said is answered, once",
    long=True,
)
async def dead(folder: Path) -> None:
    async with tried(folder, heartbeat_ms=2_000) as at:
        gateway = at.wire.gateway
        await at.ask()
        gateway.fall_silent()
        prompt = await at.alice.send(at.channel, f"{at.wire.mention} anybody?")
        beats = len(gateway.frames)
        await until(lambda: len(gateway.frames) > beats, "a heartbeat", 10)
        await _answered(at, prompt, within=90)
        assert (gateway.identified, gateway.resumed) == (1, 1)


@fault(
    AREA,
    "the gateway cannot be reached for a while",
    "the bot keeps trying, and answers what was said meanwhile, once",
    long=True,
)
async def unreachable(folder: Path) -> None:
    async with tried(folder) as at:
        await _enabled(at)
        at.wire.gateway.closed = True
        at.wire.gateway.lose()
        missed = await at.alice.send(at.channel, "meanwhile")
        await asyncio.sleep(10)
        at.wire.gateway.closed = False
        await at.wire.wait_ready(identified=2, within=60)
        await _answered(at, missed)


@fault(
    AREA,
    "every message and every press is delivered twice",
    "each is answered once and counted once",
)
async def delivered_twice(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.gateway.unrest.twice = frozenset({"MESSAGE_CREATE", "INTERACTION_CREATE"})
        ballot = await at.ask()
        press = await at.alice.press(ballot, "A is better")
        await press.says("You chose **A**")
        assert (at.count("votes"), at.count("vote_events")) == (1, 1)
        asked = await at.alice.slash(at.channel, "ask", prompt="why fold?")
        await until(lambda: asked.public, "both answers for all to see")
        await asyncio.sleep(1)
        assert at.count("battles") == 2
        assert len(at.said()) == 2
        assert len(set(press.ephemeral_texts)) == len(press.ephemeral_texts)


@fault(
    AREA,
    "a message's deletion arrives before the message",
    "it is not answered",
    long=True,
)
async def out_of_order(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.gateway.unrest.hold()
        prompt = await at.alice.send(at.channel, f"{at.wire.mention} never mind")
        await at.alice.delete(prompt)
        at.wire.gateway.unrest.release(backwards=True)
        await at.ask("and this?")
        assert len(at.said()) == 1
        assert at.count("battles WHERE prompt != ''") == 1


@fault(
    AREA,
    "the bot's own private messages, and other bots' messages, arrive as messages",
    "none of them is answered, nor taken for what somebody said",
    long=True,
)
async def echoes(folder: Path) -> None:
    async with tried(folder) as at:
        await _enabled(at)
        robot = at.wire.person("robot", at.channel.guild, bot=True)
        ballot = await at.ask()
        press = await at.alice.press(ballot, "A is better")
        await press.says("You chose **A**")
        await at.alice.press(press.ephemeral[0], "Not sure")
        await until(lambda: "base model" in press.text, "the reveal")
        await robot.send(at.channel, f"{at.wire.mention} I am a bot")
        await robot.dm("me too")
        at.wire.gateway.lose()
        await robot.send(at.channel, "I was a bot meanwhile")
        missed = await at.alice.send(at.channel, "and I was not")
        await at.wire.wait_ready(identified=2)
        await _answered(at, missed)
        assert at.count("battles") == 2
