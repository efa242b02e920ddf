"""Presses, commands and forms: late, twice, of another version, on what is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cogs._render.votes import IN_OWN_WORDS
from tests.wire.clock import until
from tests.wire.components import buttons, rows
from tests.wire.interactions import TOKEN_SECONDS
from tests.wire.table import LABELS

from .fault import fault
from .tried import tried

if TYPE_CHECKING:
    from pathlib import Path

AREA = "Presses and commands"


@fault(
    AREA,
    "a press is acknowledged too late, as Discord sees it",
    "the vote is stored; a second press says which one stands",
)
async def late(folder: Path) -> None:
    async with tried(folder) as at:
        ballot = await at.ask()
        at.wire.rest.held = lambda record: record.route.endswith("/callback")
        press = await at.alice.press(ballot, "A is better")
        await until(lambda: at.count("votes"), "the vote")
        at.wire.clock.skip(4)
        at.wire.rest.held = lambda _: False
        again = await at.alice.press(ballot, "A is better")
        await again.says("You chose **A**")
        assert press.text == ""
        assert (at.count("votes"), at.count("vote_events")) == (1, 1)


@fault(
    AREA,
    "a command is acknowledged too late, as Discord sees it",
    "nothing is asked of the models; the log has a line",
    long=True,
)
async def late_command(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.held = lambda record: record.route.endswith("/callback")
        asked = await at.alice.slash(at.channel, "ask", prompt="why fold?")
        await until(lambda: "callback" in at.wire.last_requests(), "the first response")
        at.wire.clock.skip(4)
        at.wire.rest.held = lambda _: False
        await at.ask()
        assert asked.text == ""
        assert at.count("battles") == 1


@fault(
    AREA,
    "the quarter of an hour in which a press can be answered is over",
    "what was asked for is posted in the channel",
    long=True,
)
async def token_over(folder: Path) -> None:
    async with tried(folder) as at:
        at.wire.rest.held = lambda record: record.route.startswith("/webhooks/")
        asked = await at.alice.slash(at.channel, "ask", prompt="why fold?")
        await asked.acknowledged()
        at.wire.clock.skip(TOKEN_SECONDS)
        at.wire.rest.held = lambda _: False
        await until(lambda: [m for m in at.said() if rows(m) == [LABELS]], "the ballot")
        assert len(at.said()) == 1


@fault(
    AREA,
    "buttons and menus of another version of the bot are used",
    "each is answered politely, for the one who did it alone",
)
async def other_versions(folder: Path) -> None:
    async with tried(folder) as at:
        ballot = await at.ask()
        for strange in ("twofold:9:vote:1:a", "vote-a", "twofold-privacy:7:x", "a" * 100):
            buttons(ballot)[0]["custom_id"] = strange
            press = await at.alice.press(ballot, LABELS[0])
            assert "another version" in await press.answered()
            assert len(press.ephemeral) == 1
        menu = {"type": 3, "custom_id": "twofold:2:choose:1", "id": 77}
        menu["options"] = [{"label": "A", "value": "a"}]
        ballot.components.append({"type": 1, "id": 76, "components": [menu]})
        chosen = await at.alice.choose(ballot, "A")
        assert "another version" in await chosen.answered()
        assert at.count("votes") == 0


@fault(
    AREA,
    "a form of another version is handed in",
    "the member is told, and gets back what they wrote",
    long=True,
)
async def other_forms(folder: Path) -> None:
    async with tried(folder) as at:
        ballot = await at.ask()
        press = await at.alice.press(ballot, "A is better")
        await press.says("You chose **A**")
        await at.alice.press(press.ephemeral[0], "Not sure")
        await until(lambda: "Why?" in str(rows(press.ephemeral[0])), "the reveal")
        await at.alice.press(press.ephemeral[0], "Why?")
        await until(lambda: IN_OWN_WORDS in str(rows(press.ephemeral[0])), "the reasons")
        opened = await at.alice.press(press.ephemeral[0], IN_OWN_WORDS)
        await until(lambda: opened.modal, "a form")
        opened.modal["custom_id"] = "twofold:9:essay:1"
        sent = await at.alice.submit_modal(opened, {"text": "because"})
        assert "another version" in await sent.answered()
        given_back = [a.content for m in sent.ephemeral for a in m.attachments]
        assert given_back == [b"because"]


@fault(
    AREA,
    "a command that this version does not know is used",
    "the member is told to reload Discord",
    long=True,
)
async def other_commands(folder: Path) -> None:
    async with tried(folder) as at:
        (commands,) = at.wire.world.commands.values()
        known = next(c for c in commands if c["name"] == "about")
        commands.append(known | {"name": "gone", "id": str(at.wire.world.new_id())})
        used = await at.alice.slash(at.channel, "gone")
        assert "Reload Discord" in await used.answered()


@fault(
    AREA,
    "a press on a ballot whose prompt was deleted",
    "the member is told so in private",
    long=True,
)
async def over(folder: Path) -> None:
    async with tried(folder) as at:
        prompt = await at.alice.send(at.channel, f"{at.wire.mention} what is a fold?")
        ballot = await at.wire.wait_for_reply(prompt)
        kept = list(ballot.components)
        await at.alice.delete(prompt)
        await at.state("cancelled")
        ballot.components = kept
        press = await at.alice.press(ballot, "A is better")
        assert "this battle" in (await press.answered()).lower()
        assert len(press.ephemeral) == 1
        assert at.count("votes") == 0
