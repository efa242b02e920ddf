"""Both answers grow side by side, in a simulated Discord whose time is moved by hand."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import discord

from bot.growth import HELD_BACK
from storage.records import BattleState
from tests.behaviour.conftest import Town, texts
from tests.behaviour.test_chat import buttons

if TYPE_CHECKING:
    from tests.behaviour.conftest import OpenTown

SLOW = {"showing": "lockstep", "deadline_seconds": 600, "context_messages": 0}


def story(words: int, *, delay: float) -> str:
    """A model that says so many words, one in `delay` seconds."""
    return f"scripted:text={'+'.join(f'word-{number}' for number in range(words))}&delay={delay}"


def both(message: discord.Message) -> list[str]:
    """The texts of the two containers, without their headings."""
    containers = [c for c in message.components if isinstance(c, discord.Container)]
    return [container.children[1].content for container in containers]


async def watched(town: Town, seconds: float, step: float) -> list[list[str]]:
    """What the newest message showed of both answers, each time that it changed."""
    seen: list[list[str]] = []
    for _ in range(int(seconds / step)):  # each step has five seconds of real time
        await town.env.advance_time(step)
        now = both(town.ballot()) if town.mine() else []
        if now and now not in seen[-1:]:
            seen.append(now)
    return seen


async def test_both_grow_by_the_same_share_and_end_as_a_ballot(open_town: OpenTown) -> None:
    async with open_town(base=story(40, delay=6), instruct=story(60, delay=8), **SLOW) as town:
        prompt = await town.alice.send(town.lounge, "tell me of the river")
        assert not town.mine()
        seen = await watched(town, 500, 4)
        *growing, last = seen
        assert len(growing) > 5
        for pair in growing:
            assert len(pair[0]) == len(pair[1])
        for earlier, later in pairwise(growing):
            assert all(b.startswith(a) for a, b in zip(earlier, later, strict=True))
        (ballot,) = town.mine()
        assert ballot.reference.message_id == prompt.id
        assert buttons(ballot) == [["A is better", "B is better", "Tie", "Both bad", "⋯"]]
        battle = await town.services.store.battles.by_source(prompt.id)
        assert (battle.state, battle.shown_message_id) == (BattleState.OPEN, ballot.id)
        assert last == [answer.shown for answer in battle.answers]


async def test_what_has_ended_looks_like_what_is_waited_for(open_town: OpenTown) -> None:
    short = "scripted:text=It+was+over+before+it+had+begun,+they+said,+and+went+home+for+tea.+Yes."
    async with open_town(base=short, instruct=story(100, delay=5), **SLOW) as town:
        await town.alice.send(town.lounge, "go on")
        await watched(town, 300, 20)
        shown = both(town.ballot())
        length = len("It was over before it had begun, they said, and went home for tea. Yes.")
        assert [len(text) for text in shown] == [length - HELD_BACK] * 2
        assert not buttons(town.ballot())


async def test_a_leak_is_never_half_shown(open_town: OpenTown) -> None:
    telling = story(60, delay=5).replace(
        "word-9", "as+an+AI+language+model+that+was+trained+by+OpenAI"
    )
    async with open_town(base=telling, instruct=story(60, delay=5), **SLOW) as town:
        await town.alice.send(town.lounge, "who are you?")
        seen = await watched(town, 400, 3)
        assert "▒▒▒" in " ".join(seen[-1])
        for pair in seen:
            assert not re.search(r"\bAI\b|language|OpenAI", " ".join(pair))


async def test_a_fence_is_closed_in_every_edit(open_town: OpenTown) -> None:
    code = story(80, delay=5).replace("word-1+", "```python%0A").replace("word-50+", "%0A```%0A")
    async with open_town(base=code, instruct=story(80, delay=5), **SLOW) as town:
        await town.alice.send(town.lounge, "code")
        seen = await watched(town, 450, 5)
        assert len(seen) > 5
        assert all(text.count("```") % 2 == 0 for pair in seen for text in pair)


async def test_a_short_battle_is_shown_at_once(open_town: OpenTown) -> None:
    async with open_town(showing="lockstep", base="scripted:text=Yes.") as town:
        await town.alice.send(town.lounge, "is it?")
        edits = [r for r in town.env.http_requests if r.method == "PATCH" and "messages" in r.path]
        assert not edits
        assert buttons(town.ballot())


async def test_a_battle_that_fails_says_why_in_its_place(open_town: OpenTown) -> None:
    slow, settings = story(100, delay=6), {**SLOW, "deadline_seconds": 300}
    async with open_town(base=slow, instruct=slow, **settings) as town:
        await town.alice.send(town.lounge, "hello")
        await watched(town, 200, 20)
        assert len(both(town.ballot())) == 2
        await watched(town, 200, 20)
        (message,) = town.mine()
        assert "did not answer in time" in texts(message)
        assert not both(message)


async def test_a_deleted_prompt_takes_what_grew_with_it(open_town: OpenTown) -> None:
    slow = story(90, delay=6)
    async with open_town(base=slow, instruct=slow, **SLOW) as town:
        prompt = await town.alice.send(town.lounge, "hello")
        await watched(town, 200, 20)
        assert town.mine()
        await town.alice.delete(prompt)
        assert not town.mine()
        battle = await town.services.store.battles.by_source(prompt.id)
        assert battle.state is BattleState.CANCELLED


async def test_a_server_chooses_lockstep_for_itself(open_town: OpenTown) -> None:
    slow, settings = story(60, delay=6), {**SLOW, "showing": "at_once"}
    async with open_town(base=slow, instruct=slow, **settings) as town:
        await town.services.guilds.set(town.guild.id, "showing", "lockstep", by=town.admin.id)
        await town.alice.send(town.lounge, "hello")
        await watched(town, 200, 20)
        assert len(both(town.ballot())) == 2
        assert not buttons(town.ballot())
