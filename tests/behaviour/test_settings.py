"""The admins' commands in a simulated Discord."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from tests.behaviour.conftest import BASE, Town, texts

if TYPE_CHECKING:
    import pytest


async def test_an_admin_turns_a_channel_on_and_off(town: Town) -> None:
    hall = town.env.bot.get_channel(town.hall.id)
    on = await town.admin.slash(town.lounge, "settings channel", channel=town.hall)
    assert on.ephemeral
    assert hall.mention in texts(on.response)
    await town.alice.send(town.hall, "hello")
    assert len(town.mine(town.hall)) == 1
    await town.admin.slash(town.lounge, "settings channel", channel=town.hall, answers="off")
    await town.alice.send(town.hall, "hello again")
    assert len(town.mine(town.hall)) == 1


async def test_an_admin_chooses_the_template(town: Town) -> None:
    told = await town.admin.slash(town.lounge, "settings template", template="raw")
    assert "`raw` (set here)" in texts(told.response)
    shown = await town.admin.slash(town.lounge, "settings show")
    assert "`raw` (set here)" in texts(shown.response)


async def test_others_do_not_even_see_the_settings(town: Town) -> None:
    assert not [c for c in town.alice.available_commands(town.lounge) if c.startswith("settings")]


async def test_others_are_refused_where_the_server_shows_them(town: Town) -> None:
    commands = await town.env.bot.tree.fetch_commands()
    (settings,) = [command for command in commands if command.name == "settings"]
    town.guild.set_command_permissions(settings, {town.guild.default_role: True})
    result = await town.alice.slash(town.lounge, "settings template", template="raw")
    assert result.ephemeral
    assert "Only people who may manage this server" in texts(result.response)
    assert (await town.services.guilds.settings(town.guild.id)).template is None


async def test_about_is_plain(town: Town) -> None:
    told = await town.alice.slash(town.lounge, "about")
    assert told.ephemeral
    assert "answers every message twice" in texts(told.response)


async def test_a_fault_of_ours_is_told_with_a_reference(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object) -> None:
        raise RuntimeError("the innards")

    monkeypatch.setattr(town.services.store.votes, "standings", broken)
    told = await town.alice.slash(town.lounge, "leaderboard")
    town.env.errors.clear()
    assert told.ephemeral
    assert "as " in texts(told.response)
    assert "innards" not in texts(told.response)


def test_only_what_is_needed_is_asked_of_discord(town: Town) -> None:
    intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
    intents.message_content = True
    assert town.env.bot.intents == intents


async def test_templates_are_suggested_with_what_each_is_for(town: Town) -> None:
    offered = await town.admin.autocomplete(
        town.lounge, "settings template", "template", "question"
    )
    assert [choice["value"] for choice in offered] == ["qa"]
    assert "A list of questions and answers" in offered[0]["name"]


async def test_a_template_that_does_not_exist_is_refused(town: Town) -> None:
    told = await town.admin.slash(town.lounge, "settings template", template="sonnet")
    assert told.ephemeral
    assert "There is no template sonnet. Choose one of: irc, qa, raw" in texts(told.response)


async def test_a_servers_template_is_what_its_base_model_gets(town: Town) -> None:
    await town.admin.slash(town.lounge, "settings template", template="qa")
    prompt = await town.alice.send(town.lounge, "why is the sea salty?")
    battle = await town.services.store.battles.by_source(prompt.id)
    (plain,) = [a for a in battle.answers if a.contender == BASE]
    assert plain.template == "qa"
    assert plain.rendered.endswith("\nQ: why is the sea salty?\nA:")
