"""What of a real conversation reaches the models, in a simulated Discord."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import discord
import pytest

from storage.records import Consent, Continuing, Conversation
from tests.behaviour.conftest import BASE, Town
from tests.unit.records import NOON

if TYPE_CHECKING:
    from pathlib import Path

    import simcord

    from tests.behaviour.conftest import OpenTown


async def context(town: Town, prompt: discord.Message) -> Conversation:
    """The conversation that is stored for a prompt, which is what both sides got."""
    battle = await town.services.store.battles.by_source(prompt.id)
    for answer in battle.answers:
        for turn in battle.conversation.turns:
            assert turn.text in answer.rendered or "\n" in turn.text
    return battle.conversation


async def said(town: Town, prompt: discord.Message) -> list[str]:
    return [turn.text for turn in (await context(town, prompt)).turns]


@pytest.fixture(params=["cached", "first forgotten", "all forgotten"])
def memory(request: pytest.FixtureRequest, town: Town):
    """Whether the bot still has earlier messages in its memory when the prompt comes."""

    def forget() -> None:
        kept = town.env.bot._connection._messages
        if request.param != "cached":
            kept.popleft()
        if request.param == "all forgotten":
            kept.clear()

    return forget


async def test_a_chain_of_replies_is_read_as_it_stands_now(town: Town, memory) -> None:
    first = await town.alice.send(town.hall, "the code is red")
    second = await town.bob.send(town.hall, "which code?", reply_to=first)
    await town.alice.send(town.hall, "something else altogether")
    await town.alice.edit(first, "the code is blue")
    memory()
    prompt = await town.alice.send(town.hall, f"{town.me} which?", reply_to=second)
    assert await said(town, prompt) == ["the code is blue", "which code?", "which?"]


async def test_a_chain_ends_where_a_message_is_gone(town: Town, memory) -> None:
    first = await town.alice.send(town.hall, "never mind me")
    second = await town.bob.send(town.hall, "what?", reply_to=first)
    await town.alice.delete(first)
    memory()
    prompt = await town.alice.send(town.hall, f"{town.me} well?", reply_to=second)
    assert await said(town, prompt) == ["what?", "well?"]


async def test_a_reply_to_nothing_is_read_with_what_was_said_before_it(town: Town, memory) -> None:
    await town.bob.send(town.hall, "is anyone here?")
    gone = await town.alice.send(town.hall, "a mistake")
    prompt = await town.alice.send(town.hall, "so what now?", reply_to=gone)
    await town.alice.delete(gone)
    memory()
    await town.bob.context_menu(town.hall, "Answer this twice", prompt)
    assert await said(town, prompt) == ["is anyone here?", "so what now?"]


async def test_what_may_not_be_read_is_left_away(town: Town, memory) -> None:
    hidden = discord.PermissionOverwrite(read_message_history=False)
    quiet = town.guild.create_text_channel("quiet", overwrites={town.guild.default_role: hidden})
    first = await town.bob.send(quiet, "is anyone here?")
    memory()
    prompt = await town.alice.send(quiet, f"{town.me} hello")
    assert await said(town, prompt) == ["hello"]
    assert first.content


async def thread_from(town: Town, message: discord.Message) -> simcord.ChannelHandle:
    channel = town.env.bot.get_channel(message.channel.id)
    await (await channel.fetch_message(message.id)).create_thread(name="more")
    await town.env.settle()
    return next(t for t in town.hall.threads if t.id == message.id)


async def test_a_thread_goes_on_from_the_message_it_was_started_from(town: Town, memory) -> None:
    root = await town.bob.send(town.hall, "we plan a party")
    start = await town.alice.send(town.hall, "when is the party?", reply_to=root)
    await town.bob.send(town.hall, "this is about something else")
    thread = await thread_from(town, start)
    await town.bob.send(thread, "on friday")
    await town.wait(hours=2)
    memory()
    prompt = await town.alice.send(thread, f"{town.me} which day was that?")
    assert await said(town, prompt) == [
        *("we plan a party", "when is the party?"),
        *("on friday", "which day was that?"),
    ]


async def test_a_chain_of_replies_in_a_thread_does_too(town: Town, memory) -> None:
    start = await town.alice.send(town.hall, "when is the party?")
    thread = await thread_from(town, start)
    first = await town.bob.send(thread, "on friday")
    await town.bob.send(thread, "I like cake")
    memory()
    prompt = await town.alice.send(thread, f"{town.me} sure?", reply_to=first)
    assert await said(town, prompt) == ["when is the party?", "on friday", "sure?"]


async def test_a_thread_that_was_started_from_nothing_has_its_own_messages(town: Town) -> None:
    channel = town.env.bot.get_channel(town.hall.id)
    await channel.create_thread(name="alone", type=discord.ChannelType.public_thread)
    await town.env.settle()
    (thread,) = town.hall.threads
    await town.bob.send(thread, "on friday")
    prompt = await town.alice.send(thread, f"{town.me} sure?")
    assert await said(town, prompt) == ["on friday", "sure?"]


async def test_a_forum_post_begins_with_its_first_message(town: Town, memory) -> None:
    forum = town.guild.create_forum_channel("questions")
    post = forum_post(town, forum, "how do I grow tomatoes?")
    await town.env.settle()
    tip = await town.bob.send(post, "with a lot of sun")
    await town.bob.send(post, "I prefer beans")
    memory()
    prompt = await town.alice.send(post, f"{town.me} how much?", reply_to=tip)
    assert await said(town, prompt) == ["how do I grow tomatoes?", "with a lot of sun", "how much?"]


def forum_post(town: Town, forum: simcord.ChannelHandle, text: str) -> simcord.ChannelHandle:
    """A post by alice. SimCord has posts of bots alone, and gives the first message another id."""
    backend = town.env.backend
    post = backend.create_thread(forum.id, "a post", town.alice.id, broadcast=False)
    backend.announce_thread_create(post)
    first = backend.create_message(post.id, town.alice.id, text)
    del backend.messages[post.id][first.id]
    backend.messages[post.id][post.id] = replace(first, id=post.id)
    (handle,) = forum.threads
    return handle


async def test_a_long_talk_is_cut_to_what_both_models_may_read(open_town: OpenTown) -> None:
    async with open_town(context_tokens=120, context_messages=100) as town:
        for number in range(60):
            await town.alice.send(town.hall, f"line {number} of a long talk")
        prompt = await town.bob.send(town.hall, f"{town.me} what was that?")
        kept = await said(town, prompt)
        assert kept[-2:] == ["line 59 of a long talk", "what was that?"]
        assert 3 < len(kept) < 30
        battle = await town.services.store.battles.by_source(prompt.id)
        assert all(answer.prompt_tokens <= 120 for answer in battle.answers)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


async def test_others_who_have_not_agreed_are_nowhere_to_be_found(
    open_town: OpenTown, tmp_path: Path
) -> None:
    async with open_town() as town:
        shy = town.guild.add_member(town.env.create_user("shy-member"))
        await town.services.guilds.set(town.guild.id, "others", "placeholder", by=town.admin.id)
        await town.services.store.members.set_consent(
            town.bob.id, Consent.EVALUATE, at=NOON, version=1
        )
        await shy.send(town.hall, "the treasure is under the oak")
        await town.bob.send(town.hall, "no it is not")
        prompt = await town.alice.send(town.hall, f"{town.me} who is right?")
        assert await said(town, prompt) == ["<message omitted>", "no it is not", "who is right?"]
        names = [turn.name for turn in (await context(town, prompt)).turns]
        assert names == ["someone", "bob", "alice"]
    stored = b"".join(path.read_bytes() for path in files_in(tmp_path))
    assert b"no it is not" in stored
    for secret in (b"treasure", b"shy-member", str(shy.id).encode()):
        assert secret not in stored


@pytest.mark.parametrize("policy", list(Continuing))
async def test_a_conversation_goes_on_as_the_server_chose(town: Town, policy: Continuing) -> None:
    await town.services.guilds.set(town.guild.id, "continuing", policy, by=town.admin.id)
    first = await town.alice.send(town.lounge, "tell me something")
    battle = await town.services.store.battles.by_source(first.id)
    (base,) = [a for a in battle.answers if a.contender == BASE]
    (instruct,) = [a for a in battle.answers if a.contender != BASE]
    await town.alice.click(town.ballot(), label=f"{base.side.upper()} is better")
    second = await town.alice.send(town.lounge, "and more", reply_to=town.ballot())
    frozen = await context(town, second)
    expected = instruct if policy is Continuing.INSTRUCT else base
    assert frozen.turns[1].text == expected.shown
    assert frozen.continuing is policy
