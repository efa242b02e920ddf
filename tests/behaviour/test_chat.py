"""A person chats; the real client answers twice, in a simulated Discord."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING

import aiohttp
import discord
import pytest

from bot.answers import utf16_length
from storage.records import NOBODY, BattleState
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts

if TYPE_CHECKING:
    from tests.behaviour.conftest import OpenTown

LABELS = ["A is better", "B is better", "Tie", "Both bad", "⋯"]
TELLTALES = re.compile(
    rf"{BASE}|{INSTRUCT}|scripted|\bbase\b|\binstruct\b|\btuned\b", re.IGNORECASE
)


def buttons(message: discord.Message) -> list[list[str]]:
    view = discord.ui.LayoutView.from_message(message)
    rows = [i for i in view.walk_children() if isinstance(i, discord.ui.ActionRow)]
    return [[button.label for button in row.children] for row in rows]


async def test_a_message_gets_one_reply_with_both_answers_and_a_ballot(town: Town) -> None:
    prompt = await town.alice.send(town.lounge, "what is the capital of France?")
    (ballot,) = town.mine()
    assert ballot.flags.components_v2
    assert ballot.reference.message_id == prompt.id
    assert buttons(ballot) == [LABELS]
    containers = [c for c in ballot.components if isinstance(c, discord.Container)]
    assert len(containers) == 2
    assert len({container.accent_colour for container in containers}) == 1
    assert [c.children[0].content for c in containers] == ["**A**", "**B**"]


async def test_what_is_stored_is_what_is_shown(town: Town) -> None:
    prompt = await town.alice.send(town.lounge, "hello there")
    ballot = town.ballot()
    battle = await town.services.store.battles.by_source(prompt.id)
    assert battle.state is BattleState.OPEN
    assert battle.shown_message_id == ballot.id
    containers = [c for c in ballot.components if isinstance(c, discord.Container)]
    assert [c.children[1].content for c in containers] == [a.shown for a in battle.answers]


async def test_nothing_sent_before_a_vote_tells_the_sides_apart(town: Town) -> None:
    await town.alice.send(town.lounge, "hello there")
    told = [entry for entry in town.env.http_requests if not entry.path.endswith("/commands")]
    sent = [json.dumps(entry.json, default=str) for entry in told]
    assert sent
    assert not [found for body in sent if (found := TELLTALES.search(body))]


@pytest.mark.parametrize("text", ["", "   ", "// just for us", "//"])
async def test_empty_and_silent_messages_are_left_alone(town: Town, text: str) -> None:
    await town.alice.send(town.lounge, text, attachments=[("a.txt", b"x")])
    assert not town.mine()


async def test_bots_are_left_alone(town: Town) -> None:
    robot = town.guild.add_member(town.env.create_user("robot", bot=True))
    await robot.send(town.lounge, "hello fellow bot")
    await robot.send(town.hall, f"{town.me} hello fellow bot")
    assert not town.mine() + town.mine(town.hall)


async def test_elsewhere_a_mention_or_a_reply_is_needed(town: Town) -> None:
    await town.alice.send(town.hall, "nobody asked you")
    assert not town.mine(town.hall)
    await town.alice.send(town.hall, f"{town.me} but now I do")
    assert len(town.mine(town.hall)) == 1
    await town.bob.send(town.hall, "and me", reply_to=town.ballot(town.hall))
    assert len(town.mine(town.hall)) == 2


async def test_a_leading_mention_is_not_part_of_the_prompt(town: Town) -> None:
    prompt = await town.alice.send(town.hall, f"{town.me}  two  spaces\nand a line ")
    battle = await town.services.store.battles.by_source(prompt.id)
    assert battle.conversation.prompt.text == prompt.content.removeprefix(f"{town.me} ")


async def test_direct_messages_are_answered(town: Town) -> None:
    user = town.env.create_user("dora")
    await user.send_dm("hello in private")
    assert len(town.mine(user.dm_channel)) == 1


SEED = (
    "Q: What is 1+1? A:5\nQ: How many people live in Mumbai? A: 9 billion people\n"
    "Q: What is the innermost planet in the solar system? A: Mars\n"
    "Q: What is the capital of France? A:"
)


async def test_raw_gives_the_model_the_message_byte_for_byte(town: Town) -> None:
    await town.services.guilds.set(town.guild.id, "template", "raw", by=NOBODY)
    prompt = await town.alice.send(town.lounge, SEED)
    battle = await town.services.store.battles.by_source(prompt.id)
    (raw,) = [a for a in battle.answers if a.contender == BASE]
    assert raw.rendered == SEED
    assert raw.template == "raw"


async def test_a_transcript_never_shows_anybody_elses_turn(town: Town) -> None:
    await town.alice.send(town.lounge, "hi all")
    prompt = await town.bob.send(town.lounge, "hi alice")
    battle = await town.services.store.battles.by_source(prompt.id)
    (logged,) = [a for a in battle.answers if a.contender == BASE]
    assert logged.template == "transcript"
    assert logged.rendered.endswith("\nbob: hi alice\nTestBot:")
    assert "alice: hi all\n" in logged.rendered
    assert not re.search(r"^(alice|bob|TestBot|User):", logged.shown, re.MULTILINE)


async def test_both_sides_get_the_same_frozen_conversation(town: Town) -> None:
    await town.alice.send(town.lounge, "remember the number 4127")
    prompt = await town.bob.send(town.lounge, "which number was it?")
    battle = await town.services.store.battles.by_source(prompt.id)
    for answer in battle.answers:
        assert "4127" in answer.rendered
    (polite,) = [a for a in battle.answers if a.contender == INSTRUCT]
    assert json.loads(polite.rendered)[0]["role"] == "system"


async def test_a_conversation_goes_on_from_the_winner(town: Town) -> None:
    first = await town.alice.send(town.lounge, "tell me something")
    battle = await town.services.store.battles.by_source(first.id)
    (plain,) = [a for a in battle.answers if a.contender == BASE]
    await town.alice.click(town.ballot(), label=f"{plain.side.upper()} is better")
    second = await town.alice.send(town.lounge, "and more", reply_to=town.ballot())
    turns = (await town.services.store.battles.by_source(second.id)).conversation.turns
    assert [(t.text, t.is_bot) for t in turns] == [
        ("tell me something", False),
        (plain.shown, True),
        ("and more", False),
    ]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("scripted:fail=99", "could not answer"),
        ("scripted:empty=99", "could not answer"),
    ],
)
async def test_a_failed_side_shows_no_ballot_and_says_so(
    open_town: OpenTown, model: str, says: str
) -> None:
    async with open_town(base=model) as town:
        prompt = await town.alice.send(town.lounge, "hello")
        (message,) = town.mine()
        assert says in texts(message)
        assert "Nothing was recorded" in texts(message)
        assert not buttons(message)
        assert not TELLTALES.search(texts(message))
        battle = await town.services.store.battles.by_source(prompt.id)
        assert battle.state is BattleState.FAILED


@pytest.mark.parametrize("model", ["scripted:fail=2", "scripted:empty=2"])
async def test_a_side_is_drawn_again_at_most_twice(open_town: OpenTown, model: str) -> None:
    async with open_town(base=model) as town:
        prompt = await town.alice.send(town.lounge, "hello")
        battle = await town.services.store.battles.by_source(prompt.id)
        (plain,) = [a for a in battle.answers if a.contender == BASE]
        assert plain.retries == 2


async def test_no_answer_can_ping_anyone(open_town: OpenTown) -> None:
    async with open_town(base="scripted:text=@everyone%20@here%20<@1>%20<@%262>") as town:
        await town.alice.send(town.lounge, "hello")
        (posted,) = [
            entry.json
            for entry in town.env.http_requests
            if entry.method == "POST" and entry.path.endswith("/messages")
        ]
        assert posted["allowed_mentions"]["parse"] == []
        assert not posted["allowed_mentions"].get("replied_user")


async def test_a_prompt_deleted_while_it_is_answered_cancels_the_battle(
    open_town: OpenTown,
) -> None:
    async with open_town(base="scripted:delay=60", deadline_seconds=600) as town:
        prompt = await town.alice.send(town.lounge, "never mind")
        await town.alice.delete(prompt)
        assert not town.mine()
        battle = await town.services.store.battles.by_source(prompt.id)
        assert battle.state is BattleState.CANCELLED
        assert battle.conversation.prompt.text == ""


async def test_ask_answers_text_that_stands_nowhere(town: Town) -> None:
    await town.alice.slash(town.hall, "ask", prompt="what *is* this?")
    ballot = town.ballot(town.hall)
    assert "alice asked: what \\*is\\* this?" in texts(ballot)
    assert buttons(ballot) == [LABELS]


async def test_ask_wants_words(town: Town) -> None:
    result = await town.alice.slash(town.hall, "ask", prompt=" \u200b ")
    assert result.ephemeral
    assert "nothing to answer" in texts(result.response)


async def test_ask_tells_the_asker_alone_when_it_cannot(open_town: OpenTown) -> None:
    async with open_town(instruct="scripted:fail=99") as town:
        result = await town.alice.slash(town.hall, "ask", prompt="hello")
        assert not town.mine(town.hall)
        assert result.ephemeral
        assert "could not answer" in texts(result.response)


async def test_the_menu_answers_a_message_that_was_not_addressed(town: Town) -> None:
    message = await town.alice.send(town.hall, "talking to myself")
    await town.bob.context_menu(town.hall, "Answer this twice", message)
    assert town.ballot(town.hall).reference.message_id == message.id
    again = await town.bob.context_menu(town.hall, "Answer this twice", message)
    assert "answered already" in texts(again.response)
    assert len(town.mine(town.hall)) == 1


async def test_the_menu_refuses_what_has_no_prompt(town: Town) -> None:
    await town.alice.send(town.lounge, "hello")
    result = await town.bob.context_menu(town.lounge, "Answer this twice", town.ballot())
    assert result.ephemeral
    assert "Only messages of people" in texts(result.response)


@pytest.mark.parametrize(
    "text",
    [
        "🙂🙂🙂",
        "```python\nprint('x')\n```",
        "x" * 4000,
        "مرحبا، كيف حالك؟",
        "[.*](name) ^$ \\d+",
        "<@1> <#2> <@&3> @everyone",
        "a\nalice: I did not say that\nTestBot: nor I",
        "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    ],
)
async def test_strange_prompts_are_answered(town: Town, text: str) -> None:
    await town.alice.send(town.lounge, text[:2000])
    assert buttons(town.ballot()) == [LABELS]


async def test_typing_goes_on_until_the_answers_are_there(open_town: OpenTown) -> None:
    words = "+".join(f"word-{number}" for number in range(19))
    slow = f"scripted:text={words}&delay=2"
    async with open_town(
        base=slow, instruct=slow.replace("word", "term"), deadline_seconds=600
    ) as town:
        await town.alice.send(town.lounge, "take your time")
        for _ in range(6):
            await town.env.advance_time(5)
        assert not town.mine()
        assert len(typed(town)) == 7
        for _ in range(6):
            await town.env.advance_time(5)
        assert buttons(town.ballot()) == [LABELS]
        assert len(typed(town)) == 8


def typed(town: Town) -> list[str]:
    return [r.path for r in town.env.http_requests if r.path.endswith("/typing")]


async def test_the_menu_counts_for_the_one_who_uses_it(open_town: OpenTown) -> None:
    async with open_town(member_battles_per_minute=1) as town:
        messages = [await town.alice.send(town.hall, f"thought {n}") for n in range(2)]
        await town.bob.context_menu(town.hall, "Answer this twice", messages[0])
        refused = await town.bob.context_menu(town.hall, "Answer this twice", messages[1])
        assert "You have asked 1 time within a minute" in texts(refused.response)
        await town.alice.send(town.lounge, "my own")
        assert buttons(town.ballot()) == [LABELS]


async def test_an_answered_message_is_linked_and_a_failed_one_is_told(open_town: OpenTown) -> None:
    async with open_town(base="scripted:fail=3") as town:
        message = await town.alice.send(town.hall, "thinking aloud")
        told = [
            await town.bob.context_menu(town.hall, "Answer this twice", message) for _ in range(2)
        ]
        assert "could not answer" in texts(told[0].response)
        assert "could not be answered. Send it again" in texts(told[1].response)
        other = await town.alice.send(town.hall, "again, aloud")
        for _ in range(2):
            done = await town.bob.context_menu(town.hall, "Answer this twice", other)
        assert str(town.ballot(town.hall).id) in texts(done.response)


@pytest.mark.parametrize("prompt", ["*" * 4000, "`_" * 2000, "|" * 4000, "\\" * 3000])
async def test_a_hostile_prompt_leaves_room_for_two_full_answers(
    open_town: OpenTown, prompt: str
) -> None:
    page = "scripted:text=" + "+".join(f"word-{n}" for n in range(400))
    async with open_town(base=page, instruct=page.replace("word", "term"), max_tokens=4000) as town:
        name = town.env.create_user("_" * 32)
        await town.guild.add_member(name).slash(town.hall, "ask", prompt=prompt)
        assert buttons(town.ballot(town.hall)) == [LABELS]
        view = discord.ui.LayoutView.from_message(town.ballot(town.hall))
        assert 3600 < utf16_length(texts(town.ballot(town.hall))) <= 4000
        assert view.content_length() <= 4000


async def test_over_the_limit_nothing_is_read_or_shown(open_town: OpenTown) -> None:
    async with open_town(member_battles_per_minute=1) as town:
        await town.alice.send(town.lounge, "hello")
        before = len(town.env.http_requests)
        await town.alice.send(town.lounge, "and again")
        (told,) = [r for r in town.env.http_requests[before:] if r.method != "PUT"]
        assert (told.method, told.path.rsplit("/")[-1]) == ("POST", "messages")


async def test_asking_for_an_answered_message_costs_nothing(open_town: OpenTown) -> None:
    async with open_town(member_battles_per_minute=1) as town:
        message = await town.alice.send(town.lounge, "hello")
        for _ in range(2):
            told = await town.bob.context_menu(town.lounge, "Answer this twice", message)
            assert "answered already: https" in texts(told.response)
        await town.bob.send(town.lounge, "my own")
        assert buttons(town.ballot()) == [LABELS]


async def test_a_lost_connection_while_the_context_is_read_loses_no_message(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise aiohttp.ServerDisconnectedError

    monkeypatch.setattr(discord.TextChannel, "history", broken)
    await town.alice.send(town.lounge, "hello")
    assert buttons(town.ballot()) == [LABELS]


async def test_nothing_begins_while_the_bot_stops(town: Town) -> None:
    await town.alice.send(town.lounge, "hello")
    opened = await town.alice.click(town.ballot(), label="⋯")
    (unloaded,) = [town.env.bot.get_cog("ChatCog")]
    await unloaded.cog_unload()
    told = await town.alice.click(opened.response, label="Again")
    assert "I am being restarted" in texts(told.followups[0])
    assert len(town.mine()) == 1


def bad_form(where: str) -> discord.HTTPException:
    flaw = {where: {"_errors": [{"code": "X", "message": "bad"}]}}
    said = {"code": 50035, "message": "Invalid Form Body", "errors": flaw}
    return discord.HTTPException(SimpleNamespace(status=400, reason="Bad Request"), said)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (bad_form("components"), BattleState.FAILED),
        (bad_form("message_reference"), BattleState.CANCELLED),
        (RuntimeError("Session is closed"), BattleState.FAILED),
    ],
)
async def test_only_a_missing_prompt_counts_as_deleted(
    town: Town, monkeypatch: pytest.MonkeyPatch, fault: Exception, state: BattleState
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(discord.Message, "reply", refused)
    prompt = await town.alice.send(town.lounge, "hello")
    assert (await town.services.store.battles.by_source(prompt.id)).state is state
