"""The admins' commands in a simulated Discord."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.contenders import ContenderConfig
from storage.records import Kind
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts
from tests.unit.records import NOON

if TYPE_CHECKING:
    import pytest

    from tests.behaviour.conftest import OpenTown

WILD = ContenderConfig(slug="wild", kind=Kind.BASE, model="scripted:", temperature=1.5)


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


async def test_a_server_keeps_to_some_contenders(open_town: OpenTown) -> None:
    async with open_town(more=[WILD]) as town:
        shown = await town.admin.slash(town.lounge, "settings show")
        assert "Contenders: all (the default)" in texts(shown.response)
        off = await town.admin.slash(town.lounge, "settings contenders", contender=BASE, use="off")
        assert f"`{BASE}` is off here" in texts(off.response)
        assert f"Contenders: `{INSTRUCT}`, `wild` (set here)" in texts(off.response)
        for _ in range(5):
            prompt = await town.alice.send(town.lounge, "hello")
            battle = await town.services.store.battles.by_source(prompt.id)
            assert {a.contender for a in battle.answers} == {INSTRUCT, "wild"}
        last = await town.admin.slash(
            town.lounge, "settings contenders", contender="wild", use="off"
        )
        assert "That would leave no base model here" in texts(last.response)
        back = await town.admin.slash(town.lounge, "settings contenders", contender="all", use="on")
        assert "Contenders: all (the default)" in texts(back.response)
        none = await town.admin.slash(
            town.lounge, "settings contenders", contender="nobody", use="on"
        )
        assert f"There is no contender nobody. Choose one of: {BASE}" in texts(none.response)


async def test_contenders_are_suggested_with_how_they_stand(open_town: OpenTown) -> None:
    async with open_town(more=[WILD]) as town:
        await town.admin.slash(town.lounge, "settings contenders", contender="wild", use="off")
        offered = await town.admin.autocomplete(
            town.lounge, "settings contenders", "contender", "base model"
        )
        assert {choice["value"]: choice["name"] for choice in offered} == {
            BASE: f"{BASE}: base model, on here",
            "wild": "wild: base model, off here",
        }


async def test_contenders_that_left_the_roster_are_passed_over(town: Town) -> None:
    await town.services.store.guilds.update(
        town.guild.id, "contenders", ["gone", "gone-too"], at=NOON
    )
    shown = await town.admin.slash(town.lounge, "settings show")
    assert "all (those that were chosen here make no pair any more)" in texts(shown.response)
    await town.alice.send(town.lounge, "hello")
    assert town.mine()


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


async def test_an_admin_lowers_the_limits_but_not_raises_them(open_town: OpenTown) -> None:
    async with open_town(member_battles_per_minute=5, guild_battles_per_minute=20) as town:
        told = await town.admin.slash(town.lounge, "settings limits", member=2)
        assert "`2` (set here) for a member, `20` (the default) in all" in texts(told.response)
        refused = await town.admin.slash(town.lounge, "settings limits", server=21)
        assert "1 to 20 in a minute are possible" in texts(refused.response)
        for number in range(4):
            await town.alice.send(town.lounge, f"number {number}")
        ballots = [m for m in town.mine() if "#" in texts(m)]
        assert len(ballots) == 2
        assert "You have asked 2 times within a minute." in texts(town.mine()[-1])
        assert len(town.mine()) == 3


async def test_a_channel_where_the_bot_may_not_work_is_told(open_town: OpenTown) -> None:
    async with open_town(message_content=False) as town:
        silent = discord.PermissionOverwrite(send_messages=False)
        crypt = town.guild.create_text_channel(
            "crypt", overwrites={town.guild.default_role: silent}
        )
        told = await town.admin.slash(town.lounge, "settings channel", channel=crypt)
        assert "I lack permissions there: Send Messages." in texts(told.response)
        assert "Message Content is turned off" in texts(told.response)
        off = await town.admin.slash(town.lounge, "settings channel", channel=crypt, answers="off")
        assert "I lack" not in texts(off.response)


async def test_a_channel_that_is_deleted_leaves_the_list(town: Town) -> None:
    await town.admin.slash(town.lounge, "settings channel", channel=town.hall)
    assert town.hall.id in (await town.services.guilds.settings(town.guild.id)).channels
    await town.env.bot.get_channel(town.hall.id).delete()
    await town.env.settle()
    assert town.hall.id not in (await town.services.guilds.settings(town.guild.id)).channels


async def test_of_two_limits_the_lower_one_is_shown(open_town: OpenTown) -> None:
    async with open_town(member_battles_per_minute=4, guild_battles_per_minute=9) as town:
        for key, value in (("member_limit", 6), ("guild_limit", 8)):
            await town.services.store.guilds.update(town.guild.id, key, value, at=NOON)
        shown = texts((await town.admin.slash(town.lounge, "settings show")).response)
        assert "`4` (the default) for a member, `8` (set here) in all" in shown
