"""Battles that close, in a simulated Discord: when, by whom, and what is told then."""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import quote

import discord
import pytest

from bot.answers import utf16_length
from bot.client import TwofoldClient
from bot.insight.counting import Counting
from storage.records import NOBODY, BattleState, Closing, Kind, Purpose
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts
from tests.behaviour.test_chat import TELLTALES, buttons
from tests.behaviour.test_more import _rename as rename
from tests.behaviour.test_more import asked, dots
from tests.unit.records import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage.records import Battle
    from tests.behaviour.conftest import OpenTown

MINUTE = 61.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def town(open_town: OpenTown, clock: Clock) -> AsyncIterator[Town]:
    async with open_town(clock=clock) as opened:
        yield opened


async def setting(town: Town, key: str, value: object) -> None:
    await town.services.guilds.set(town.guild.id, key, value, by=NOBODY)


async def now(town: Town, battle: Battle) -> Battle:
    return await town.services.store.battles.get(battle.id)


async def later(town: Town, clock: Clock, passed: timedelta) -> None:
    """Time goes on for the bot, and the next sweep comes."""
    clock.now += passed
    await town.env.advance_time(MINUTE)
    await town.env.settle()


def base_side(battle: Battle) -> str:
    (base,) = [a for a in battle.answers if a.kind is Kind.BASE]
    return base.side.upper()


def edits(town: Town, message_id: int) -> int:
    return sum(
        entry.method == "PATCH" and entry.path.endswith(f"/messages/{message_id}")
        for entry in town.env.http_requests
    )


async def test_enough_votes_close_once_all_have_guessed(town: Town) -> None:
    await setting(town, "closing_votes", 2)
    battle = await asked(town)
    side = base_side(battle)
    for voter, choice, guess in (
        (town.alice, f"{side} is better", side),
        (town.bob, "Tie", "Not sure"),
    ):
        assert not TELLTALES.search(texts(town.ballot()))
        told = await voter.click(town.ballot(), label=choice)
        await voter.click(told.response.message, label=guess)
    closed = await now(town, battle)
    assert (closed.state, closed.closed_because) == (BattleState.CLOSED, Closing.VOTES)
    assert closed.revealed_at is not None
    shown = texts(town.ballot())
    other = "B" if side == "A" else "A"
    votes = {side: "1 vote", other: "0 votes"}
    assert f"**A** {votes['A']} · **B** {votes['B']} · tie 1" in shown
    assert "1 of 2 found the base model; 1 was not sure." in shown
    assert f"Closed with enough votes · #{battle.id}" in shown
    assert buttons(town.ballot()) == [["⋯"]]
    assert edits(town, town.ballot().id) == 1


async def test_the_message_tells_who_was_who_in_the_colours_of_their_kinds(
    town: Town, clock: Clock
) -> None:
    battle = await asked(town)
    await later(town, clock, timedelta(hours=24))
    containers = [c for c in town.ballot().components if isinstance(c, discord.Container)]
    for answer, box in zip(battle.answers, containers, strict=True):
        head, text = (child.content for child in box.children)
        assert head.startswith(f"**{answer.side.upper()} · {answer.kind} model**")
        assert answer.contender in head
        assert f"template {answer.template} · {answer.seconds:.1f} s" in head
        assert text == answer.shown
    assert len({box.accent_colour for box in containers}) == 2
    assert "Nobody voted." in texts(town.ballot())
    assert "Closed after 24 hours" in texts(town.ballot())


async def test_a_voter_who_does_not_guess_is_waited_for_a_minute(town: Town, clock: Clock) -> None:
    await setting(town, "closing_votes", 1)
    battle = await asked(town)
    await town.bob.click(town.ballot(), label="Tie")
    await later(town, clock, timedelta(seconds=50))
    assert (await now(town, battle)).state is BattleState.OPEN
    await later(town, clock, timedelta(seconds=10))
    assert (await now(town, battle)).state is BattleState.CLOSED


async def test_nothing_tells_a_tally_before_that(town: Town) -> None:
    await asked(town)
    for voter in (town.alice, town.bob):
        await voter.click(town.ballot(), label="Tie")
    assert edits(town, town.ballot().id) == 0
    seen = texts(town.ballot()) + texts(await dots(town.admin, town))
    assert not re.search(r"\b2\b|\btie\b|nobody", seen, re.IGNORECASE)


async def test_the_author_closes_it_after_a_vote(town: Town) -> None:
    battle = await asked(town)
    opened = await dots(town.alice, town)
    assert buttons(opened.message) == [["Again", "Close and reveal"]]
    early = await town.alice.click(opened.message, label="Close and reveal")
    assert "Nobody has voted yet" in texts(early.response)
    assert (await now(town, battle)).state is BattleState.OPEN
    await town.bob.click(town.ballot(), label="Tie")
    done = await town.alice.click((await dots(town.alice, town)).message, label="Close and reveal")
    assert "It is closed." in texts(done.response)
    assert (await now(town, battle)).closed_because is Closing.AUTHOR
    assert BASE in texts(town.ballot())
    again = await dots(town.alice, town)
    assert buttons(again.message) == [["Again"]]


async def test_nobody_else_can_close_it(town: Town) -> None:
    battle = await asked(town)
    await town.bob.click(town.ballot(), label="Tie")
    assert buttons((await dots(town.bob, town)).message) == []
    rename(town, "more", "close")
    refused = await town.bob.click(town.ballot(), label="⋯")
    assert "Only the one who asked" in texts(refused.response)
    assert (await now(town, battle)).state is BattleState.OPEN


async def test_a_vote_that_comes_too_late_is_told_who_was_who(town: Town, clock: Clock) -> None:
    battle = await asked(town)
    clock.now += timedelta(hours=24)
    await town.services.closing.close_due()
    late = await town.bob.click(town.ballot(), label="Tie")
    assert "takes no votes any more" in texts(late.response)
    assert INSTRUCT in texts(late.response)
    assert not await town.services.store.votes.for_battle(battle.id)


async def test_what_a_sudden_end_left_unrevealed_is_revealed_at_the_start(
    town: Town, clock: Clock
) -> None:
    battle = await asked(town)
    await town.services.closing.close(battle.id, Closing.TIME)
    assert BASE not in texts(town.ballot())
    await town.env.restart_bot(TwofoldClient(town.services))
    await town.env.settle()
    assert BASE in texts(town.ballot())
    assert (await now(town, battle)).revealed_at == clock.now


async def test_what_came_due_while_the_bot_was_away_closes_at_the_start(
    town: Town, clock: Clock
) -> None:
    battle = await asked(town)
    clock.now += timedelta(hours=30)
    await town.env.restart_bot(TwofoldClient(town.services))
    await town.env.settle()
    assert (await now(town, battle)).closed_because is Closing.TIME
    assert "Closed after 30 hours" in texts(town.ballot())


async def test_all_that_are_due_are_closed_however_many_are_read_at_once(
    town: Town, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("storage.ballots", "bot.closing"):
        monkeypatch.setattr(f"{module}.AT_ONCE", 1)
    battles = [await asked(town) for _ in range(3)]
    clock.now += timedelta(hours=30)
    await town.services.closing.close_due()
    assert {(await now(town, battle)).state for battle in battles} == {BattleState.CLOSED}


async def test_the_voter_who_completes_a_battle_is_told_that_the_vote_stays(town: Town) -> None:
    await setting(town, "closing_votes", 1)
    await asked(town)
    question = (await town.bob.click(town.ballot(), label="A is better")).response
    told = (await town.bob.click(question, label="Not sure")).response
    assert "so your vote stays as it is" in texts(told)
    assert "It closed before" not in texts(told)
    assert buttons(told.message) == [["Why?", "Fix it"]]
    assert "Nobody guessed which one is the base model; 1 was not sure." in texts(town.ballot())


async def test_a_message_in_an_archived_thread_is_told_of_and_archived_again(
    town: Town, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = town.env.bot.get_channel(town.lounge.id)
    await channel.create_thread(name="old", type=discord.ChannelType.public_thread)
    await town.env.settle()
    (thread,) = town.lounge.threads
    await town.alice.send(thread, f"{town.me} hello there")
    live = town.env.bot.get_channel(thread.id)
    await live.edit(archived=True)
    edit, tried = discord.PartialMessage.edit, []

    async def as_discord_does(message: discord.PartialMessage, **what: object) -> object:
        archived = (await town.env.bot.fetch_channel(thread.id)).archived
        tried.append(archived)
        if archived:
            refusal = SimpleNamespace(status=400, reason="Bad Request")
            raise discord.HTTPException(refusal, {"code": 50083, "message": "archived"})
        return await edit(message, **what)

    monkeypatch.setattr(discord.PartialMessage, "edit", as_discord_does)
    await later(town, clock, timedelta(hours=24))
    assert tried == [True, False]
    assert BASE in texts(town.ballot(thread))
    assert (await town.env.bot.fetch_channel(thread.id)).archived


async def test_a_battle_whose_author_was_erased_by_the_operator_says_so(
    town: Town, clock: Clock
) -> None:
    battle = await asked(town)
    await town.services.store.erasure.erase(town.alice.id, at=clock.now)
    await later(town, clock, timedelta(0))
    assert "was deleted, and both answers with it" in texts(town.ballot())
    assert not buttons(town.ballot())
    gone = await now(town, battle)
    assert (gone.state, gone.revealed_at) == (BattleState.CANCELLED, clock.now)
    message, edited = town.ballot().id, edits(town, town.ballot().id)
    await later(town, clock, timedelta(hours=1))
    assert edits(town, message) == edited


async def test_a_message_that_is_gone_needs_no_edit(town: Town, clock: Clock) -> None:
    battle = await asked(town)
    await town.env.bot.remove_cog("PromptsCog")  # as if it went while the bot was away
    await town.ballot().delete()
    await later(town, clock, timedelta(hours=24))
    closed = await now(town, battle)
    assert closed.state is BattleState.CLOSED
    assert closed.revealed_at is not None


async def test_a_message_that_is_not_known_yet_is_waited_for(town: Town, clock: Clock) -> None:
    store, battle = town.services.store, await asked(town)
    await town.bob.click(town.ballot(), label="Tie")
    shown, store.battles.shown = store.battles.shown, never
    late = await asked(town, "and now?")
    store.battles.shown = shown
    for number in (battle.id, late.id):
        await town.services.closing.close(number, Closing.AUTHOR)
    await later(town, clock, timedelta(seconds=30))
    assert (await now(town, battle)).revealed_at is not None
    assert (await now(town, late)).revealed_at is None
    await store.battles.shown(late.id, town.ballot().id)
    await later(town, clock, timedelta(0))
    assert BASE in texts(town.ballot())


async def never(*_: object) -> bool:
    return True


async def test_an_edit_that_fails_is_tried_again(
    town: Town, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    battle = await asked(town)

    async def broken(*_: object, **__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(discord.PartialMessage, "edit", broken)
        await later(town, clock, timedelta(hours=24))
    assert (await now(town, battle)).revealed_at is None
    await later(town, clock, timedelta(0))
    assert (await now(town, battle)).revealed_at is not None
    assert BASE in texts(town.ballot())


async def test_what_was_asked_by_command_is_still_told(town: Town, clock: Clock) -> None:
    await town.alice.slash(town.lounge, "ask", prompt="what is tea?")
    await later(town, clock, timedelta(hours=24))
    assert "alice asked: what is tea?" in texts(town.ballot())
    assert BASE in texts(town.ballot())


async def test_a_closed_message_has_room_for_everything(open_town: OpenTown, clock: Clock) -> None:
    long = f"scripted:text={quote('word ' * 500)}"
    async with open_town(
        base=long, instruct=long.replace("word", "work"), max_tokens=900, clock=clock
    ) as town:
        await town.alice.slash(town.lounge, "ask", prompt="what is tea? " * 50)
        await town.bob.click(town.ballot(), label="Tie")
        await later(town, clock, timedelta(hours=24))
        shown = texts(town.ballot())
        assert BASE in shown
        assert 3000 < utf16_length(shown) <= 4000
        opened = await dots(town.bob, town)
        assert buttons(opened.message) == [["Full text A", "Full text B"]]


SAME = {"base": "scripted:text=The+same.", "instruct": "scripted:text=the++SAME."}


@pytest.mark.parametrize("showing", ["at_once", "lockstep"])
async def test_where_both_say_the_same_there_is_nothing_to_vote_on(
    open_town: OpenTown, clock: Clock, showing: str
) -> None:
    async with open_town(**SAME, clock=clock, showing=showing) as town:
        battle = await asked(town)
        assert (battle.state, battle.closed_because) == (BattleState.CLOSED, Closing.SAME_TEXT)
        assert battle.revealed_at is not None
        assert battle.shown_message_id == town.ballot().id
        shown = texts(town.ballot())
        assert "Both said the same, so there is nothing to vote on." in shown
        assert BASE in shown
        assert INSTRUCT in shown
        assert buttons(town.ballot()) == [["⋯"]]
        before = edits(town, town.ballot().id)
        await later(town, clock, timedelta(hours=48))
        assert edits(town, town.ballot().id) == before


async def test_a_control_looks_like_any_other_and_counts_for_nobody(
    town: Town, clock: Clock
) -> None:
    await setting(town, "control_share", 50)
    found = [await asked(town, f"message {number}") for number in range(12)]
    controls = [battle for battle in found if battle.purpose is Purpose.CONTROL]
    assert 0 < len(controls) < 12
    for battle in controls:
        first, second = battle.answers
        assert first.contender == second.contender
        assert first.seed != second.seed
    messages = {m.id: m for m in town.mine()}
    shapes = {
        texts(messages[b.shown_message_id])
        .replace(b.answers[0].shown, "1")
        .replace(b.answers[1].shown, "2")
        .replace(f"#{b.id}", "#")
        for b in found
        if b.state is BattleState.OPEN
    }
    assert len(shapes) == 1
    control = next(b for b in controls if b.state is BattleState.OPEN)
    await town.bob.click(messages[control.shown_message_id], label="A is better")
    board = await town.services.insight.leaderboard(Counting(guilds=(town.guild.id,)))
    assert board.lines == ()
    await later(town, clock, timedelta(hours=24))
    (shown,) = [texts(m) for m in town.mine() if m.id == control.shown_message_id]
    assert "Both sides were the same model" in shown
    assert "guessed" not in shown
