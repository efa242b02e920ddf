"""Discord's REST side: limits, failures before and after the effect, what is gone or forbidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.wire.clock import until
from tests.wire.components import rows
from tests.wire.errors import ApiError, missing_access, unknown
from tests.wire.faults import (
    ALWAYS,
    CALLBACK,
    EDIT,
    FILL,
    FOLLOW_UP,
    HISTORY,
    SEND,
    TYPING,
    failing,
    lost,
    refused,
    too_many,
)
from tests.wire.table import LABELS

from .fault import fault
from .tried import UNDERWAY, tried

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.table import Table

AREA = "Discord's API"


async def _votes(at: Table) -> None:
    """Somebody asks and votes, as if nothing were the matter."""
    ballot = await at.ask()
    await until(lambda: rows(ballot) == [LABELS], "the ballot", 20)
    press = await at.alice.press(ballot, "A is better")
    await press.says("You chose **A**")
    assert at.count("votes") == 1


@fault(
    AREA,
    "429 on reading, sending, editing, typing or answering, each by its own bucket",
    "the bot waits as long as it is told, and everything arrives",
)
async def limited_by_route(folder: Path) -> None:
    async with tried(folder) as at:
        limited = [too_many(route) for route in (HISTORY, SEND, EDIT, TYPING, CALLBACK)]
        at.wire.rest.faults += limited
        await _votes(at)
        at.wire.rest.faults += (more := [too_many(FOLLOW_UP), too_many(FILL)])
        asked = await at.alice.slash(at.channel, "ask", prompt="why fold?")
        public = await until(lambda: asked.public, "both answers for all to see")
        assert rows(public[0]) == [LABELS]
        met = [limit.route for limit in (*limited, *more) if limit.met]
        assert {HISTORY, SEND, TYPING, CALLBACK, FOLLOW_UP, FILL} <= set(met)


@fault(
    AREA,
    "429 for the whole bot, or for a resource that others share",
    "all requests wait as long as they are told, and everything arrives",
    long=True,
)
async def limited_globally(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.faults += [too_many(SEND, scope="global"), too_many(SEND, scope="shared")]
        await _votes(at)
        assert all(fault.met for fault in at.wire.rest.faults)


@fault(
    AREA,
    "429 without the proxy header, as the guard in front of Discord bans",
    "nothing more is asked of Discord for this message; the next one is answered",
    long=True,
)
async def banned(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.faults += [too_many(SEND, via=False, times=ALWAYS)]
        await at.alice.send(at.channel, f"{at.wire.mention} anyone?")
        await at.state("failed")
        assert at.wire.rest.faults[0].met <= 2
        at.wire.rest.faults.clear()
        await _votes(at)


@fault(
    AREA,
    "500, 502 and 504 before the request has any effect",
    "it is tried again and arrives, once",
    long=True,
)
async def failing_before(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.faults += [failing(SEND, 500), failing(CALLBACK, 502), failing(EDIT, 504)]
        await _votes(at)


@fault(
    AREA,
    "500, 502 and 504 after the request had its effect",
    "it is tried again, and nothing is posted or counted twice",
)
async def failing_after(folder: Path) -> None:
    async with tried(folder, UNDERWAY) as at:
        at.wire.rest.faults += [
            failing(SEND, 502, effect=True),
            failing(EDIT, 504, effect=True),
            failing(CALLBACK, 500, effect=True),
        ]
        await _votes(at)
        assert len(at.said()) == 1
        assert at.count("vote_events") == 1


@fault(
    AREA,
    "5xx after a slash command's answer was taken",
    "the member's command is answered once, for all to see",
)
async def command_failing_after(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.faults += [
            failing(CALLBACK, 502, effect=True),
            failing(FOLLOW_UP, 502, effect=True),
        ]
        asked = await at.alice.slash(at.channel, "ask", prompt="why fold?")
        await at.state("open")
        await until(lambda: at.wire.rest.faults[1].met, "the follow-up")
        ballots = await until(
            lambda: [m for m in asked.public if rows(m) == [LABELS]], "both answers"
        )
        press = await at.alice.press(ballots[-1], "A is better")
        await press.says("You chose **A**")
        await until(lambda: len(asked.public) == 1, "one message")


@fault(
    AREA,
    "503, after which discord.py gives up",
    "it is tried again and arrives, once",
    long=True,
)
async def unavailable(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.faults += [failing(SEND, 503), failing(SEND, 503, effect=True)]
        await _votes(at)


@fault(
    AREA,
    "the connection breaks while a message is sent, or while its answer is on the way",
    "it is sent again and arrives, once",
)
async def connection_lost(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.faults += [lost(SEND), lost(SEND, effect=True)]
        await _votes(at)
        assert len(at.said()) == 1


@fault(
    AREA,
    "the connection breaks while the last edit of a growing message is sent",
    "it is sent again; the ballot stands where the text grew",
    long=True,
)
async def edit_lost(folder: Path) -> None:
    async with tried(folder, UNDERWAY) as at:
        at.wire.rest.faults += [
            lost(EDIT, meant=lambda r: "A is better" in r.text),
            failing(EDIT, 503, meant=lambda r: "A is better" in r.text),
        ]
        prompt = await at.alice.send(at.channel, f"{at.wire.mention} what is a fold?")
        message = await at.wire.wait_for_reply(prompt)
        await until(lambda: rows(message) == [LABELS], "the ballot", 20)
        press = await at.alice.press(message, "A is better")
        await press.says("You chose **A**")


@fault(
    AREA,
    "5xx for longer than anybody waits",
    "the battle is given up with a line in the log; the next message is answered",
    long=True,
)
async def down_for_long(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.faults += [failing(SEND, 502, times=ALWAYS)]
        await at.alice.send(at.channel, f"{at.wire.mention} anyone?")
        query = "SELECT count(*) FROM battles WHERE state = 'failed'"
        await until(lambda: at.program.rows(query)[0][0], "given up", 120)
        assert "could not post" in at.program.stderr
        at.wire.rest.faults.clear()
        await _votes(at)


@fault(
    AREA,
    "403 where the bot may not write, or a member takes no messages from it",
    "the battle ends with a line in the log, and costs the models nothing more",
    long=True,
)
async def forbidden(folder: Path) -> None:
    async with tried(folder) as at:
        deaf = ApiError(403, 50007, "Cannot send messages to this user")
        query = "SELECT count(*) FROM battles WHERE state IN ('failed', 'cancelled')"
        at.wire.rest.faults += [refused(SEND, missing_access())]
        await at.alice.send(at.channel, f"{at.wire.mention} hello?")
        await until(lambda: at.program.rows(query) == [(1,)], "an ended battle")
        at.wire.rest.faults += [refused(SEND, deaf)]
        await at.alice.dm("hello?")
        await until(lambda: at.program.rows(query) == [(2,)], "another")
        await _votes(at)


@fault(
    AREA,
    "404: the channel is deleted while a battle is answered there",
    "the models stop at once, and nothing of the text is kept",
)
async def channel_gone(folder: Path) -> None:
    async with tried(folder, UNDERWAY) as at:
        other = at.wire.channel(at.channel.guild, "doomed")
        await at.wire.wait_for_reply(await at.alice.send(other, f"{at.wire.mention} fold?"))
        await at.state("answering")
        at.wire.remove(other)
        await at.state("cancelled")
        assert at.program.rows("SELECT prompt FROM battles") == [("",)]
        await at.ask("still there?")


@fault(
    AREA,
    "404: the bot's message is deleted while the answers grow in it",
    "the battle ends; nothing is posted again",
    long=True,
)
async def message_gone(folder: Path) -> None:
    async with tried(folder, UNDERWAY) as at:
        growing = await at.ask()
        await at.boss.delete(growing)
        query = "SELECT count(*) FROM battles WHERE state IN ('failed', 'cancelled')"
        await until(lambda: at.program.rows(query)[0][0], "an ended battle", 20)
        assert at.said() == []


@fault(
    AREA,
    "404: the server is gone, or the bot was thrown out of it, while a battle is answered",
    "the models stop at once; other servers are served",
    long=True,
)
async def guild_gone(folder: Path) -> None:
    async with tried(folder, UNDERWAY) as at:
        other = at.wire.channel(at.wire.guild("Elsewhere"))
        eve = at.wire.person("eve", other.guild)
        await at.wire.wait_for_reply(await eve.send(other, f"{at.wire.mention} fold?"))
        await at.state("answering")
        at.wire.leave(other.guild)
        await at.state("cancelled")
        await at.ask("still there?")


@fault(
    AREA,
    "404: the member who asked leaves, and their account is deleted",
    "the battle goes on for the others",
    long=True,
)
async def member_gone(folder: Path) -> None:
    async with tried(folder, UNDERWAY) as at:
        eve = at.wire.person("eve", at.channel.guild)
        prompt = await eve.send(at.channel, f"{at.wire.mention} what is a fold?")
        await at.state("answering")
        del at.channel.guild.members[eve.user.id]
        del at.wire.world.users[eve.user.id]
        ballot = await at.wire.wait_for_reply(prompt)
        await until(lambda: rows(ballot) == [LABELS], "the ballot", 20)
        press = await at.alice.press(ballot, "A is better")
        await press.says("You chose **A**")


@fault(
    AREA,
    "404: Discord does not know a press any more when it is answered",
    "the vote is stored; the log has a line",
    long=True,
)
async def press_gone(folder: Path) -> None:
    async with tried(folder) as at:
        ballot = await at.ask()
        at.wire.rest.faults += [refused(CALLBACK, unknown("Interaction"), times=ALWAYS)]
        await at.alice.press(ballot, "A is better")
        await until(lambda: at.count("votes"), "the vote")
        await until(lambda: "did not take it" in at.program.stderr, "a line in the log")
