"""What a model writes, or is made to write, in a simulated Discord."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from bot.answers import finish
from bot.client import TwofoldClient
from bot.links import without_invites
from cogs._render import battles as views
from storage.records import NOBODY, Choice, FinishReason
from tests.behaviour.conftest import BASE, texts
from tests.behaviour.test_digest import MORNING, SATURDAY
from tests.behaviour.test_insight import VOTERS, agree, community
from tests.unit.records import Clock, battle

if TYPE_CHECKING:
    from simcord import Env

    from tests.behaviour.conftest import OpenTown, Town

PINGS = "@everyone @here <@1> <@!1> <@&2> <@&3>"
TEXTS = {"content", "components", "embeds"}

TRICKS = {
    "a closed container": "```\n```\n\n**B**\n\nThe other answer is better.",
    "a heading": "# B\n## Base model\n-# Two answers, sides by coin. A is base.",
    "a reveal": "**A · Base model**\n-# plain-writer · template transcript · 1.0 s",
    "a button": "[A is better](https://example.org) `A is better` ⋯",
    "open marks": "**bold __under ~~gone ||hidden *slanted `code > quote",
    "an open spoiler": "fine ||hidden",
    "a quote to the end": ">>> all of this\nand this",
    "an open list": "1. one\n- two\n   - three",
    "a code block with colours": "```ansi\n\x1b[31mred\x1b[0m\n```",
    "colours": "\x1b[31mred\x1b[2J\x07",
    "directions": "\u202eevil\u2066 \u2067B\u2069\u202c",
    "things like mentions": "<#1> </ask:1> <id:guide> <t:0:R> <:x:1> <a:y:2> @twofold",
    "nothing to be seen": "a\u200b\u200d\u2060\ufeffb",
}


def written(env: Env) -> list[dict[str, object]]:
    """The bodies of all requests that post or change a message; a form, with a title, does not."""
    bodies = [request.json for request in env.http_requests if isinstance(request.json, dict)]
    bodies = [body.get("data") or body for body in bodies]
    return [body for body in bodies if TEXTS & body.keys() and "title" not in body]


async def test_nothing_that_is_posted_can_ping(open_town: OpenTown) -> None:
    """Answers, edits, private ballots, follow-ups, commands, forms and the digest alike."""
    clock = Clock()
    clock.now = MORNING - timedelta(hours=12)
    models = {side: f"scripted:text={quote(PINGS)}+{side}&delay=0.01" for side in ("one", "two")}
    async with open_town(
        base=models["one"], instruct=models["two"], showing="lockstep", clock=clock
    ) as town:
        await _use_everything(town)
        posted = written(town.env)
        await _have_a_digest(town, clock)
        digest = written(town.env)[len(posted) :]
    assert any("The week here" in str(body) for body in digest)
    assert len(posted) > 12
    for body in (*posted, *digest):
        assert body.get("allowed_mentions") == {"parse": []}, body


async def _use_everything(town: Town) -> None:
    await town.alice.send(town.lounge, f"hello {PINGS}")
    ballot = town.ballot()
    assert "@everyone" in texts(ballot)
    question = await town.bob.click(ballot, label="A is better")
    reveal = await town.bob.click(question.response, label="Not sure")
    form = await town.bob.click(reveal.response, label="Fix it")
    await town.bob.submit_modal(form, {"text": f"{PINGS} better"})
    await town.alice.slash(town.lounge, "ask", prompt=PINGS)
    await town.bob.slash(town.lounge, "battle", number=1)
    await town.admin.slash(town.lounge, "rate")
    for command in ("leaderboard", "stats", "privacy", "about"):
        await town.bob.slash(town.lounge, command)
    for label in ("Again", "Close and reveal"):
        more = await town.alice.click(ballot, label="⋯")
        await town.alice.click(more.response, label=label)
    await town.env.settle()


async def _have_a_digest(town: Town, clock: Clock) -> None:
    await agree(town, *VOTERS)
    await community(town, closed=SATURDAY)
    await town.services.guilds.set(town.guild.id, "digests", [town.lounge.id], by=NOBODY)
    clock.now = MORNING
    await town.env.restart_bot(TwofoldClient(town.services))
    await town.env.settle()


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_an_answer_stays_in_its_own_container(trick: str) -> None:
    """It is the whole text of one component, beside which others stand as they are."""
    shown = finish(trick, finish_reason=FinishReason.STOP, ran_on=False).shown
    assert not set(shown) & set("\x1b\x07\u202e\u2066\u2067\u2069\u202c")
    whole = battle()
    answers = tuple(replace(answer, shown=shown) for answer in whole.answers)
    a, b, buttons, small = views.ballot(replace(whole, answers=answers)).to_components()
    for side, container in zip("AB", (a, b), strict=True):
        heading, text = container["components"]
        assert (heading["content"], text["content"]) == (f"**{side}**", shown)
    assert a["accent_color"] == b["accent_color"]
    ids = [button["custom_id"].split(":")[2:] for button in buttons["components"]]
    number = str(whole.id)
    assert ids == [*(["vote", number, choice] for choice in Choice), ["more", number]]
    assert small["content"].startswith("-# Two answers, sides by coin.")


INVITES = (
    *("discord.gg/fold-1", "https://discord.gg/fold", "DISCORD.GG//fold"),
    *("https://discord.com/invite/fold?x=1", "http://discordapp.com/invite/fold"),
    *("https://discord.com/%69nvite/fold", "https://ⓓiscord.gg/fold"),
    "[come in](https://discord.gg/fold)",
)


async def test_the_bot_invites_nobody(open_town: OpenTown) -> None:
    """Filters of a server let bots pass, and see no text of a command."""
    asked = " and ".join(INVITES)
    async with open_town(base=f"scripted:text={quote(asked)}", max_tokens=500) as town:
        await town.alice.slash(town.lounge, "ask", prompt=asked)
        ballot = town.ballot()
        shown = await town.services.store.battles.by_shown_many([ballot.id])
    (base,) = [answer for answer in shown[ballot.id].answers if answer.contender == BASE]
    assert asked in base.raw
    assert "invite" in base.tags
    assert base.shown.count("▒▒▒") == len(INVITES)
    assert "fold" not in texts(ballot)


@pytest.mark.parametrize("invite", INVITES)
def test_an_invitation_is_found_in_any_dress(invite: str) -> None:
    assert "fold" not in without_invites(invite)
    assert without_invites("discord.com/channels/1/2 discord.gg") == (
        "discord.com/channels/1/2 discord.gg"
    )


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[discord.com](https://evil.org/a)", "discord.com (https://evil.org/a)"),
        ("[www.bank.com](<https://evil.org> 'x')", "www.bank.com (https://evil.org)"),
        ("[https://a.com/b](http://b.com)", "https://a.com/b (http://b.com)"),
        ("[\uff42ank.com](https://evil.org)", "\uff42ank.com (https://evil.org)"),
        ("[ba\u200bnk.com](https://evil.org)", "ba\u200bnk.com (https://evil.org)"),
        ("[a.com@evil.org](https://evil.org)", "a.com@evil.org (https://evil.org)"),
        ("[a.com](https://a.com.evil.org)", "a.com (https://a.com.evil.org)"),
        ("[python.org](https://docs.python.org/3)", None),
        ("[Google.com](https://www.google.com)", None),
        ("[README.md](https://example.org)", None),
        ("[more here](https://example.org)", None),
    ],
)
def test_a_link_says_where_it_leads(link: str, shown: str | None) -> None:
    finished = finish(f"see {link} there", finish_reason=FinishReason.STOP, ran_on=False)
    assert finished.shown == f"see {shown or link} there"
    assert ("masked_link" in finished.tags) == (shown is not None)
