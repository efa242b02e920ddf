"""The admins' settings in a simulated Discord."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
import pytest

from bot.client import TwofoldClient
from bot.contenders import ContenderConfig
from bot.guilds import SETTINGS
from bot.settings import Control, Group
from storage.records import NOBODY, Kind
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts
from tests.unit.records import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from simcord import InteractionResult

    from tests.behaviour.conftest import OpenTown

WILD = ContenderConfig(slug="wild", kind=Kind.BASE, model="scripted:", temperature=1.5)


async def opened(town: Town, setting: str | None = None) -> InteractionResult:
    """What `/settings` answers an admin."""
    options = {} if setting is None else {"setting": setting}
    return await town.admin.slash(town.lounge, "settings", **options)


async def press(town: Town, shown: InteractionResult, *parts: str) -> str:
    """Press a button of the panel; what the panel says then."""
    await town.admin.click(shown.response, custom_id=":".join(("twofold-settings:1", *parts)))
    return texts(shown.response)


async def pick(
    town: Town, shown: InteractionResult, values: list[object], *parts: str
) -> InteractionResult:
    """Choose in a menu of the panel."""
    custom_id = ":".join(("twofold-settings:1", *parts))
    return await town.admin.select(shown.response, values, custom_id=custom_id)


async def set_to(town: Town, key: str, *values: object) -> str:
    """Set one that is picked from a menu; what the panel says then."""
    shown = await opened(town, key)
    await pick(town, shown, list(values), "set", key)
    return texts(shown.response)


async def write(town: Town, key: str, text: str) -> str:
    """Set one that is written into a form; what is answered."""
    form = await opened(town, key)
    return texts((await town.admin.submit_modal(form, {"value": text})).response)


async def current(town: Town, key: str) -> object:
    return getattr(await town.services.guilds.settings(town.guild.id), key)


async def test_everything_is_shown_with_where_it_comes_from(town: Town) -> None:
    shown = await opened(town)
    assert shown.ephemeral
    said = texts(shown.response)
    assert all(f"**{group}**" in said for group in Group)
    assert all(f"{setting.label}: " in said for setting in SETTINGS.values())
    assert f"Channels: {town.lounge.mention} (set here)" in said
    assert "Prompt template: `transcript` (the operator's default)" in said
    assert "Votes that close a battle: 5 votes (the default)" in said


@pytest.mark.parametrize("group", Group)
async def test_each_group_shows_its_settings_with_their_help(town: Town, group: Group) -> None:
    shown = await opened(town)
    await pick(town, shown, [group.name], "show")
    said = texts(shown.response)
    own = [setting for setting in SETTINGS.values() if setting.group is group]
    assert all(f"**{setting.label}**: " in said and setting.help in said for setting in own)
    assert said.count("-# ") == len(own)
    await pick(town, shown, ["overview"], "show")
    assert "### Settings of this server" in texts(shown.response)


@pytest.mark.parametrize("key", [key for key in SETTINGS if key != "moderation"])
async def test_each_setting_is_changed_from_its_group(town: Town, key: str) -> None:
    samples = {
        Control.TOGGLE: "off" if key == "authors_vote" else "on",
        Control.NUMBER: "7",
        Control.LINK: "https://example.org/privacy",
        Control.CHANNELS: [town.hall],
        Control.CHOICES: [BASE, INSTRUCT],
        Control.CHOICE: [*town.services.guilds.options(key)][-1:],
    }
    value = samples[SETTINGS[key].control]
    before = await current(town, key)
    shown = await opened(town)
    await pick(town, shown, [SETTINGS[key].group.name], "show")
    if SETTINGS[key].control is Control.TOGGLE:
        await press(town, shown, "set", key, value)
    else:
        custom_id = f"twofold-settings:1:change:{key}"
        change = await town.admin.click(shown.response, custom_id=custom_id)
        if change.modal:
            await town.admin.submit_modal(change, {"value": value})
        else:
            await pick(town, shown, value, "set", key)
    assert texts(shown.response).startswith(f"Changed. **{SETTINGS[key].label}**: ")
    assert await current(town, key) != before or value == [BASE, INSTRUCT]


async def test_moderation_needs_a_moderator(open_town: OpenTown, tmp_path: Path) -> None:
    async with open_town() as town:
        refused = await pick(town, await opened(town, "moderation"), ["hide"], "set", "moderation")
        assert "Ask the operator to set a moderator." in texts(refused.response)
    words = tmp_path / "words"
    words.write_text("fie")
    async with open_town(moderator="words", moderation_words=words) as town:
        assert "**Unfit answers**: hide (set here)" in await set_to(town, "moderation", "hide")


async def test_values_that_this_version_does_not_allow_count_as_not_set(town: Town) -> None:
    stored = {"closing_votes": 1000, "others": "sung", "new": 1, "closing_hours": 2}
    for key, value in stored.items():
        await town.services.store.guilds.update(town.guild.id, key, value, by=1, at=NOON)
    settings = await town.services.guilds.settings(town.guild.id)
    assert settings.model_fields_set == {"channels", "closing_hours"}


def test_the_words_of_each_setting_fit_where_discord_shows_them() -> None:
    for setting in SETTINGS.values():
        assert len(setting.label) <= 45
        assert all(len(line) <= 100 for line in (setting.help, *setting.options.values()))


async def test_a_setting_goes_back_to_its_default(town: Town) -> None:
    assert "`raw` (set here)" in await set_to(town, "template", "raw")
    said = await press(town, await opened(town, "template"), "reset", "template")
    assert "**Prompt template**: `transcript` (the operator's default)" in said
    assert "3 votes (set here)" in await write(town, "closing_votes", "3")
    assert "5 votes (the default)" in await write(town, "closing_votes", "")


async def test_a_channel_is_answered_while_it_is_on(town: Town) -> None:
    assert town.hall.mention in await set_to(town, "channels", town.lounge, town.hall)
    await town.alice.send(town.hall, "hello")
    assert len(town.mine(town.hall)) == 1
    assert town.hall.mention not in await set_to(town, "channels", town.lounge)
    await town.alice.send(town.hall, "hello again")
    assert len(town.mine(town.hall)) == 1


async def test_more_channels_than_fit_stay_on(town: Town) -> None:
    many = [town.guild.create_text_channel(f"room-{number}") for number in range(30)]
    ids = [channel.id for channel in many]
    await town.services.guilds.set(town.guild.id, "channels", ids, by=NOBODY)
    shown = await opened(town, "channels")
    assert "25 of 30 fit into the list; the others stay as they are." in texts(shown.response)
    await pick(town, shown, many[:2], "set", "channels")
    assert set(await current(town, "channels")) == {*ids[:2], *ids[25:]}


async def test_a_server_keeps_to_some_contenders(open_town: OpenTown) -> None:
    async with open_town(more=[WILD]) as town:
        assert "Contenders: all (the default)" in texts((await opened(town)).response)
        said = await set_to(town, "contenders", INSTRUCT, "wild")
        assert f"**Contenders**: `{INSTRUCT}`, `wild` (set here)" in said
        for _ in range(5):
            prompt = await town.alice.send(town.lounge, "hello")
            battle = await town.services.store.battles.by_source(prompt.id)
            assert {a.contender for a in battle.answers} == {INSTRUCT, "wild"}
        assert "**Contenders**: all (the default)" in await set_to(town, "contenders")


async def test_a_choice_that_makes_no_pair_is_refused(open_town: OpenTown) -> None:
    async with open_town(more=[WILD]) as town:
        shown = await opened(town, "contenders")
        refused = await pick(town, shown, [INSTRUCT], "set", "contenders")
        assert "That would leave no base model here" in texts(refused.response)
        assert refused.response.ephemeral
        refused = await pick(town, shown, [BASE, "wild"], "set", "contenders")
        assert "That would leave no instruct or tuned model here" in texts(refused.response)
        assert await current(town, "contenders") == ()


async def test_more_contenders_than_fit_are_told_and_stay(open_town: OpenTown) -> None:
    more = [
        ContenderConfig(slug=f"wild-{n:02}", kind=Kind.BASE, model="scripted:") for n in range(28)
    ]
    async with open_town(more=more) as town:
        shown = await opened(town, "contenders")
        assert "25 of 30 fit into the list" in texts(shown.response)
        await pick(town, shown, [INSTRUCT], "set", "contenders")
        assert set(await current(town, "contenders")) == {
            INSTRUCT,
            *(f"wild-{n}" for n in range(23, 28)),
        }


async def test_contenders_that_left_the_roster_are_passed_over(town: Town) -> None:
    await town.services.store.guilds.update(
        town.guild.id, "contenders", ["gone", "gone-too"], by=NOBODY, at=NOON
    )
    said = texts((await opened(town)).response)
    assert "all (those that were chosen here make no pair any more)" in said
    await town.alice.send(town.lounge, "hello")
    assert town.mine()


async def test_a_servers_template_is_what_its_base_model_gets(town: Town) -> None:
    await set_to(town, "template", "qa")
    prompt = await town.alice.send(town.lounge, "why is the sea salty?")
    battle = await town.services.store.battles.by_source(prompt.id)
    (plain,) = [a for a in battle.answers if a.contender == BASE]
    assert plain.template == "qa"
    assert plain.rendered.endswith("\nQ: why is the sea salty?\nA:")


async def test_templates_are_offered_with_what_each_is_for(town: Town) -> None:
    shown = await opened(town, "template")
    view = discord.ui.LayoutView.from_message(shown.response.message)
    menu = next(item for item in view.walk_children() if isinstance(item, discord.ui.Select))
    offered = {option.value: option for option in menu.options}
    assert menu.placeholder == "Choose"
    assert "A list of questions and answers" in offered["qa"].description
    assert [name for name, option in offered.items() if option.default] == ["transcript"]


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("closing_votes", "101", "takes a whole number from 1 to 100."),
        ("closing_votes", "many", "takes a whole number from 1 to 100."),
        ("control_share", "-1", "takes a whole number from 0 to 50."),
        ("guild_limit", "1001", "takes a whole number from 1 to 1000."),
        ("retention_hours", "25", "takes a whole number from 1 to 24."),
        ("privacy_link", "http://example.org", "takes an address that begins with https://"),
        ("privacy_link", "our rules", "takes an address that begins with https://"),
    ],
)
async def test_what_cannot_be_is_told_in_a_sentence(
    town: Town, key: str, text: str, sentence: str
) -> None:
    form = await opened(town, key)
    refused = await town.admin.submit_modal(form, {"value": text})
    assert f"“{SETTINGS[key].label}” {sentence}" in texts(refused.response)
    assert key not in (await town.services.guilds.settings(town.guild.id)).model_fields_set


async def test_an_admin_lowers_the_limits(open_town: OpenTown) -> None:
    async with open_town(member_battles_per_minute=5, guild_battles_per_minute=20) as town:
        said = await write(town, "member_limit", "2")
        assert "**Battles a minute for a member**: 2 battles (set here)" in said
        assert "**Battles a minute in all**: 20 battles (the operator's default)" in said
        for number in range(4):
            await town.alice.send(town.lounge, f"number {number}")
        ballots = [m for m in town.mine() if "#" in texts(m)]
        assert len(ballots) == 2
        assert "You have asked 2 times within a minute." in texts(town.mine()[-1])
        assert len(town.mine()) == 3


async def test_of_two_limits_the_lower_one_is_shown(open_town: OpenTown) -> None:
    async with open_town(member_battles_per_minute=4, guild_battles_per_minute=9) as town:
        for key, value in (("member_limit", 6), ("guild_limit", 8)):
            await town.services.store.guilds.update(town.guild.id, key, value, by=1, at=NOON)
        said = texts((await opened(town)).response)
        assert "for a member: 4 battles (lowered by the operator's limit)" in said
        assert "in all: 8 battles (set here)" in said


async def test_a_channel_where_the_bot_may_not_work_is_told(open_town: OpenTown) -> None:
    async with open_town(message_content=False) as town:
        silent = discord.PermissionOverwrite(send_messages=False)
        crypt = town.guild.create_text_channel(
            "crypt", overwrites={town.guild.default_role: silent}
        )
        said = await set_to(town, "channels", crypt)
        assert f"I lack permissions in {crypt.mention}: Send Messages." in said
        assert "Message Content is turned off" in said
        assert "⚠" not in await set_to(town, "channels")


async def test_a_channel_that_is_deleted_leaves_the_list(town: Town) -> None:
    await set_to(town, "channels", town.hall)
    await town.env.bot.get_channel(town.hall.id).delete()
    await town.env.settle()
    assert await current(town, "channels") == ()


async def test_a_form_names_its_limits_and_what_is_set(town: Town) -> None:
    await write(town, "closing_votes", "3")
    form = (await opened(town, "closing_votes")).modal
    (label,) = form["components"]
    assert (form["title"], label["label"]) == ("Votes that close a battle", "1 to 100 votes")
    assert (label["description"], label["component"]["value"]) == (
        SETTINGS["closing_votes"].help,
        "3",
    )


async def test_settings_are_suggested_by_name_and_by_help(town: Town) -> None:
    for typed, key in (("closing_v", "closing_votes"), ("sides swapped", "mirror_share")):
        (offered,) = await town.admin.autocomplete(town.lounge, "settings", "setting", typed)
        assert offered["value"] == key
        assert offered["name"].startswith(SETTINGS[key].label)
    assert "### Unfit answers" in texts((await opened(town, "unfit answers")).response)
    assert "There is no setting “sonnet”." in texts((await opened(town, "sonnet")).response)


async def test_the_history_says_who_changed_what(town: Town) -> None:
    await write(town, "closing_votes", "3")
    await write(town, "closing_votes", "3")
    await set_to(town, "showing", "lockstep")
    shown = await opened(town)
    latest, first, furnished = (await press(town, shown, "history")).splitlines()[1:]
    who = town.admin.mention
    assert latest.startswith(f"**Answers appear**: the default → lockstep, {who}, <t:")
    assert first.startswith(f"**Votes that close a battle**: the default → 3 votes, {who}, <t:")
    assert furnished.startswith(f"**Channels**: the default → {town.lounge.mention}, somebody, ")


async def test_what_another_version_stored_is_passed_over_and_told_of(town: Town) -> None:
    for key, value in {"template": ["raw"], "contenders": [None, 7]}.items():
        await town.services.store.guilds.update(town.guild.id, key, value, by=1, at=NOON)
    assert await current(town, "template") is None
    assert "`7`" in await press(town, await opened(town), "history")


async def test_the_history_holds_ten_changes_of_any_length(town: Town) -> None:
    for number in range(12):
        ids = range(10**18 + number, 10**18 + 300)
        await town.services.store.guilds.update(
            town.guild.id, "channels", list(ids), by=10**18, at=NOON
        )
    said = await press(town, await opened(town, "template"), "history")
    assert len(said.splitlines()) == 11
    assert "and 286 more" in said


async def test_the_longest_settings_fit_into_a_message(open_town: OpenTown) -> None:
    more = [
        ContenderConfig(slug=f"{n:02}-{'x' * 61}", kind=Kind.BASE, model="scripted:")
        for n in range(60)
    ]
    async with open_town(more=more) as town:
        many = [town.guild.create_text_channel(f"room-{number}").id for number in range(60)]
        values = {
            "channels": many,
            "contenders": [INSTRUCT, *(c.slug for c in more)],
            "privacy_link": f"https://example.org/{'x' * 480}",
        }
        for key, value in values.items():
            await town.services.guilds.set(town.guild.id, key, value, by=NOBODY)
        said = texts((await opened(town)).response)
        assert f"<#{min(many)}>" in said
        assert "and 50 more" in said


async def test_others_do_not_even_see_the_settings(town: Town) -> None:
    assert "settings" not in town.alice.available_commands(town.lounge)


async def test_others_are_refused_where_the_server_shows_them(town: Town) -> None:
    commands = await town.env.bot.tree.fetch_commands()
    (settings,) = [command for command in commands if command.name == "settings"]
    town.guild.set_command_permissions(settings, {town.guild.default_role: True})
    for options in ({}, {"setting": "template"}):
        result = await town.alice.slash(town.lounge, "settings", **options)
        assert result.ephemeral
        assert "Only people who may manage this server" in texts(result.response)


async def test_who_may_not_manage_the_server_any_more_cannot_press_or_submit(town: Town) -> None:
    shown, form = await opened(town, "authors_vote"), await opened(town, "closing_votes")
    role = town.env.bot.get_guild(town.guild.id).get_role(town.guild.roles["managers"].id)
    await role.edit(permissions=discord.Permissions.none())
    custom_id = "twofold-settings:1:set:authors_vote:off"
    pressed = await town.admin.click(shown.response, custom_id=custom_id)
    submitted = await town.admin.submit_modal(form, {"value": "9"})
    for refused in (pressed, submitted):
        assert "Only people who may manage this server" in texts(refused.response)
    settings = await town.services.guilds.settings(town.guild.id)
    assert settings.model_fields_set == {"channels"}


async def test_a_panel_and_a_form_work_after_a_restart(town: Town) -> None:
    panel, form = await opened(town, "authors_vote"), await opened(town, "closing_hours")
    await town.env.restart_bot(TwofoldClient(town.services))
    assert "Authors vote**: off (set here)" in await press(
        town, panel, "set", "authors_vote", "off"
    )
    submitted = await town.admin.submit_modal(form, {"value": "48"})
    assert "48 hours (set here)" in texts(submitted.response)


async def test_about_is_plain(town: Town) -> None:
    told = await town.alice.slash(town.lounge, "about")
    assert told.ephemeral
    assert "answers every message twice" in texts(told.response)


async def test_a_fault_of_ours_is_told_with_a_reference(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object) -> None:
        raise RuntimeError("the innards")

    monkeypatch.setattr(town.services.insight, "leaderboard", broken)
    told = await town.alice.slash(town.lounge, "leaderboard")
    town.env.errors.clear()
    assert told.ephemeral
    assert "as " in texts(told.response)
    assert "innards" not in texts(told.response)


def test_only_what_is_needed_is_asked_of_discord(town: Town) -> None:
    intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
    intents.message_content = True
    assert town.env.bot.intents == intents
