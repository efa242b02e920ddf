"""The server itself, tried with an unmodified discord.py in this process."""

from __future__ import annotations

import discord
import pytest
from discord import http as discord_http

from .clock import until
from .commands import NotOffered
from .components import containers, rows
from .driver import WireServer
from .plainbot import PlainBot, ballot, online, point_at
from .protocol import Intent
from .world import COMPONENTS_V2, Permission

pytestmark = pytest.mark.usefixtures("real_addresses")


class TestLogin:
    async def test_logs_in_and_syncs_commands(self, wire: WireServer) -> None:
        guild = wire.guild()
        async with online(wire) as bot:
            assert bot.user.id == wire.bot.id
            assert bot.application_id == wire.world.application_id
            assert bot.get_guild(guild.id).me is not None
            names = {command["name"] for command in wire.world.commands[None]}
            assert names == {"ask", "feedback", "slow", "admin", "Quote"}

    async def test_a_wrong_token_is_refused(self, wire: WireServer) -> None:
        point_at(wire)
        async with PlainBot() as bot:
            with pytest.raises(discord.LoginFailure):
                await bot.start("another")

    async def test_an_intent_that_is_not_granted_ends_the_connection(self) -> None:
        async with WireServer(granted=Intent(0)) as wire:
            point_at(wire)
            async with PlainBot() as bot:
                with pytest.raises(discord.PrivilegedIntentsRequired):
                    await bot.start(wire.token)

    async def test_an_unknown_route_is_loud(self) -> None:
        async with WireServer() as wire, online(wire) as bot:
            with pytest.raises(discord.NotFound):
                await bot.http.request(discord_http.Route("GET", "/voice/regions"))
            with pytest.raises(AssertionError, match="unknown route: GET /voice/regions"):
                wire.require_clean()
            wire.unknown_routes.clear()


class TestMessages:
    async def test_a_reply_refers_to_the_message(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        async with online(wire) as bot:
            prompt = await alice.send(channel, "hello")
            answer = await wire.wait_for_reply(prompt)
            assert answer.text == "echo hello"
            assert bot.heard[0].author.name == "alice"
            assert isinstance(bot.heard[0].author, discord.Member)

    async def test_a_private_message_is_answered_in_private(self, wire: WireServer) -> None:
        alice = wire.person("alice")
        async with online(wire):
            answer = await wire.wait_for_reply(await alice.dm("psst"))
            assert answer.channel.recipients == [alice.user]

    @pytest.mark.parametrize(
        ("text", "heard"), [("hello", ""), ("<@{bot}> hello", "<@{bot}> hello")]
    )
    async def test_content_is_empty_without_the_intent(
        self, wire: WireServer, text: str, heard: str
    ) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        async with online(wire, PlainBot(message_content=False)) as bot:
            await alice.send(channel, text.format(bot=wire.bot.id))
            await until(lambda: bot.heard, "a message")
            assert bot.heard[0].content == heard.format(bot=wire.bot.id)

    async def test_edits_deletions_and_history(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        first = await alice.send(channel, "one")
        second = await alice.send(channel, "two")
        async with online(wire) as bot:
            seen = bot.get_channel(channel.id)
            assert [m.content async for m in seen.history(limit=5)] == ["two", "one"]
            assert [m.content async for m in seen.history(after=first)] == ["two"]
            mine = await seen.send("mine")
            await mine.edit(content="changed")
            assert wire.messages(channel, author=wire.bot)[0].text == "changed"
            await mine.delete()
            await alice.delete(second)
            assert [m.text for m in wire.messages(channel)] == ["one"]
            with pytest.raises(discord.NotFound) as gone:
                await mine.edit(content="again")
            assert gone.value.code == 10008

    async def test_a_reply_to_a_deleted_message_is_refused(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        async with online(wire) as bot:

            async def too_late(message: discord.Message) -> None:
                await alice.delete(channel.messages[message.id])
                await message.reply("too late")

            bot.answer = too_late
            await alice.send(channel, "never mind")
            await until(lambda: bot.errors, "an error")
            assert (bot.errors[0].status, bot.errors[0].code) == (400, 50035)

    async def test_missing_permissions(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        async with online(wire) as bot:
            wire.deny(channel, Permission.SEND_MESSAGES)
            with pytest.raises(discord.Forbidden) as refused:
                await bot.get_channel(channel.id).send("hi")
            assert refused.value.code == 50013

    async def test_an_enforced_nonce_posts_once(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        async with online(wire) as bot:
            seen = bot.get_channel(channel.id)
            once, twice = [await seen.send("x", nonce=7) for _ in range(2)]
            assert once.id == twice.id
            assert len(wire.messages(channel)) == 1

    async def test_threads(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        async with online(wire) as bot:
            message = await bot.get_channel(channel.id).send("start")
            thread = await message.create_thread(name="more")
            assert thread.id == message.id
            await thread.send("inside")
            assert wire.messages(wire.world.channels[thread.id])[0].text == "inside"

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ({"content": "x" * 2001}, "content"),
            ({"view": ballot("x" * 2500, "y" * 2500)}, "characters"),
            ({"content": "x", "nonce": "n" * 26}, "nonce"),
            ({"embed": discord.Embed(description="x" * 4097)}, "embeds.0.description"),
        ],
    )
    async def test_what_breaks_a_limit_is_refused(
        self, wire: WireServer, said: dict[str, object], told: str
    ) -> None:
        channel = wire.channel(wire.guild())
        async with online(wire) as bot:
            with pytest.raises(discord.HTTPException) as refused:
                await bot.get_channel(channel.id).send(**said)
            assert (refused.value.status, refused.value.code) == (400, 50035)
            assert told in wire.violations[0]
            wire.violations.clear()

    async def test_pings_follow_allowed_mentions(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        async with online(wire) as bot:
            seen = bot.get_channel(channel.id)
            await seen.send(f"{alice.mention} quiet")
            await seen.send(alice.mention, allowed_mentions=discord.AllowedMentions.all())
            quiet, loud = wire.messages(channel)
            assert (quiet.pings, loud.pings) == (set(), {f"user {alice.user.id}"})


class TestInteractions:
    async def test_a_press_on_a_v2_message(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        async with online(wire) as bot:
            await bot.get_channel(channel.id).send(view=ballot("left", "right"))
            message = await wire.wait_for_message(channel, author=wire.bot)
            assert message.flags & COMPONENTS_V2
            assert len(containers(message)) == 2
            assert rows(message) == [["A is better", "B is better"]]
            press = await alice.press(message, "A is better")
            await press.acknowledged()
            await press.says("The full text")
            assert press.ephemeral_texts == ["You chose a", "The full text"]
            assert press.ephemeral[1].attachments[0].content == b"all of it"
            assert wire.messages(channel) == [message]

    async def test_a_disabled_button_and_a_foreign_eye_are_refused(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice, bob = wire.person("alice", channel.guild), wire.person("bob", channel.guild)
        async with online(wire) as bot:
            seen = bot.get_channel(channel.id)
            await seen.send(view=ballot("x", disabled=True))
            await seen.send(view=ballot("y"))
            disabled, enabled = wire.messages(channel)
            with pytest.raises(NotOffered, match="disabled"):
                await alice.press(disabled, "A is better")
            press = await alice.press(enabled, "A is better")
            await press.answered()
            with pytest.raises(NotOffered, match="does not see"):
                await bob.press(press.ephemeral[0], "A is better")

    async def test_slash_command_with_options(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        async with online(wire):
            asked = await alice.slash(channel, "ask", prompt="why", who=alice.user)
            assert await asked.answered() == "why\nalice"
            assert [r.action for r in asked.responses] == ["defer", "edit"]
            assert asked.public == wire.messages(channel)
            with pytest.raises(NotOffered, match="required"):
                await alice.slash(channel, "ask")
            choices = await alice.autocomplete(channel, "ask", "prompt", "ha")
            assert choices == [{"name": "haha", "value": "ha"}]

    async def test_default_permissions_hide_a_command(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        boss = wire.person("boss", channel.guild, admin=True)
        async with online(wire):
            with pytest.raises(NotOffered, match="not offered to alice"):
                await alice.slash(channel, "admin")
            permitted = await alice.slash(channel, "admin", permitted=True)
            assert await permitted.answered() == "allowed: False"
            assert await (await boss.slash(channel, "admin")).answered() == "allowed: True"

    async def test_modal_and_context_menu(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        said = await alice.send(channel, "quote me")
        async with online(wire):
            opened = await (await alice.slash(channel, "feedback")).acknowledged()
            sent = await alice.submit_modal(opened, {"Words": "nice", "Mood": "Good"})
            assert await sent.answered() == "nice ['good']"
            quoted = await alice.context_menu(said, "Quote")
            await quoted.answered()
            assert quoted.ephemeral_texts == ["quote me"]

    async def test_a_late_acknowledgement_fails(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        async with online(wire) as bot:
            late = await alice.slash(channel, "slow", times=1)
            wire.clock.skip(3.1)
            await until(lambda: bot.errors, "an error")
            assert bot.errors[0].code == 10062
            assert late.reply is None

    async def test_a_second_acknowledgement_and_an_old_token_fail(self, wire: WireServer) -> None:
        channel = wire.channel(wire.guild())
        alice = wire.person("alice", channel.guild)
        async with online(wire) as bot:
            done = await (await alice.slash(channel, "slow", times=1)).acknowledged()
            adapter = discord_http.Route(
                "POST", f"/interactions/{done.id}/{done.token}/callback?with_response=1"
            )
            with pytest.raises(discord.HTTPException) as twice:
                await bot.http.request(adapter, json={"type": 4, "data": {"content": "again"}})
            assert twice.value.code == 40060
            wire.clock.skip(901)
            hook = f"/webhooks/{bot.application_id}/{done.token}/messages/@original"
            with pytest.raises(discord.HTTPException) as expired:
                await bot.http.request(discord_http.Route("GET", hook))
            assert expired.value.code == 50027


async def test_payloads_hold_what_was_sent_before(wire: WireServer) -> None:
    channel = wire.channel(wire.guild())
    alice = wire.person("alice", channel.guild)
    async with online(wire) as bot:
        await bot.change_presence(activity=discord.Game("with words"))
        await bot.get_channel(channel.id).send(view=ballot("before"))
        press = await alice.press(wire.messages(channel)[0], "B is better")
        await press.answered()
        sent = "\n".join(wire.payloads_before(press))
        assert "before" in sent
        assert "with words" in sent
        assert "You chose" not in sent
        assert wire.token not in sent
