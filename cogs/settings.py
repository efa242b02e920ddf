"""The admins' settings: one command, and the panel that it opens."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import ConfigError
from bot.guilds import SETTINGS
from bot.settings import PERMISSION, Group
from cogs._permissions import ANSWERING, POSTING, lacking
from cogs._render import settings as views
from cogs._render.settings import Panel
from cogs._responding import Response, amend, respond
from cogs.errors import report

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping, Sequence

    from bot.client import TwofoldClient
    from bot.governing import GuildService
    from bot.guilds import GuildSettings

NEEDED = {"channels": ANSWERING, "digests": POSTING}
"""The settings that are channels, with what I must be allowed to do there."""


class SettingsCog(commands.Cog):
    """Shows and changes a guild's settings."""

    def __init__(self, *, guilds: GuildService) -> None:
        self._guilds = guilds

    @app_commands.command(name="settings", description="How I behave here.")
    @app_commands.describe(setting="Go straight to one of them.")
    @app_commands.guild_only()
    @app_commands.default_permissions(discord.Permissions(**{PERMISSION: True}))
    async def settings(
        self,
        interaction: discord.Interaction,
        setting: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        """The panel, or one setting's control."""
        _check_permission(interaction)
        if setting is None:
            await respond(interaction, _alone(self._done(interaction, "show", None, ())))
        else:
            await self._change(interaction, _key(setting))

    @settings.autocomplete("setting")
    async def suggest(
        self,
        interaction: discord.Interaction,  # noqa: ARG002 - discord.py's signature
        current: str,
    ) -> list[app_commands.Choice[str]]:
        """The settings with their help."""
        named = {key: f"{s.label}: {s.help}" for key, s in SETTINGS.items()}
        return [
            app_commands.Choice(name=name[:100], value=key)
            for key, name in named.items()
            if current.lower() in f"{key} {name}".lower()
        ][: views.MOST_OPTIONS]

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """A button, a menu or a form of the panel, whichever process made it."""
        data = cast("Mapping[str, Any]", interaction.data or {})
        if not str(data.get("custom_id", "")).startswith(views.PREFIX):
            return
        try:
            # Discord hides the command from others; their presses it does not stop.
            _check_permission(interaction)
            await self._act(interaction, data)
        except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
            await report(interaction, error)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """A channel that is gone need not be listed."""
        await self._current(channel.guild, channel.guild.id)

    async def _change(self, interaction: discord.Interaction, key: str) -> None:
        panel = await self._panel(interaction)
        if SETTINGS[key].control in views.FORMS:
            await interaction.response.send_modal(panel.form(key))
        elif interaction.message is None:
            await interaction.response.send_message(view=panel.setting(key), ephemeral=True)
        else:
            await interaction.response.edit_message(view=panel.setting(key))

    async def _act(self, interaction: discord.Interaction, data: Mapping[str, Any]) -> None:
        known = views.KNOWN.fullmatch(data["custom_id"])
        opens = known is not None and known["action"] == "change"
        # A form cannot open another one, and none of ours asks for that.
        if known is None or (opens and interaction.type is discord.InteractionType.modal_submit):
            raise ConfigError(views.STRANGE)
        if opens:
            await self._change(interaction, known["key"])
            return
        values = [known["value"]] if known["value"] else _values(data)
        done = self._done(interaction, known["place"] or known["action"], known["key"], values)
        if interaction.message is None:  # a form that a command opened
            await respond(interaction, _alone(done))
        else:
            await amend(interaction, done)

    async def _done(
        self, interaction: discord.Interaction, action: str, key: str | None, values: Sequence[str]
    ) -> discord.ui.LayoutView:
        """Do what was pressed; what is to be seen then."""
        if key and action in {"set", "reset"}:
            await self._set(interaction, key, values if action == "set" else None)
        panel = await self._panel(interaction)
        if action == "history":
            return panel.history(await self._guilds.history(_guild_id(interaction)))
        if key and action != "show":
            panel = replace(panel, said=f"Changed. **{SETTINGS[key].label}**: {panel.now(key)}")
        group = SETTINGS[key].group if key else Group.__members__.get("".join(values))
        return panel.group(group) if group else panel.overview()

    async def _set(
        self, interaction: discord.Interaction, key: str, values: Sequence[str] | None
    ) -> None:
        """Store what was picked or written; nothing at all is the default."""
        value: object = None
        if values is not None and SETTINGS[key].control in views.LISTS:
            kept = (await self._panel(interaction)).kept(key)
            value = list(dict.fromkeys([*values, *map(str, kept)]))
        elif values:
            value = values[0].strip()
        await self._guilds.set(_guild_id(interaction), key, value or None, by=interaction.user.id)

    async def _panel(self, interaction: discord.Interaction) -> Panel:
        current = await self._current(interaction.guild, _guild_id(interaction))
        reads = interaction.client.intents.message_content
        warnings = _warnings(interaction.guild, current, reads_messages=reads)
        return Panel(guilds=self._guilds, current=current, warnings=tuple(warnings))

    async def _current(self, guild: discord.Guild | None, guild_id: int) -> GuildSettings:
        """The settings, less the channels that were deleted while nobody was listening."""
        settings = await self._guilds.settings(guild_id)
        if guild is None or guild.unavailable:
            return settings
        for key in NEEDED:
            listed = getattr(settings, key)
            there = [channel for channel in listed if guild.get_channel(channel)]
            if len(there) < len(listed):
                settings = await self._guilds.set(guild_id, key, there, by=guild.me.id)
        return settings


async def _alone(making: Coroutine[Any, Any, discord.ui.LayoutView]) -> Response:
    return Response(await making)


def _warnings(
    guild: discord.Guild | None, settings: GuildSettings, *, reads_messages: bool
) -> Iterator[str]:
    """What keeps me from answering or posting where I should."""
    where: defaultdict[tuple[str, ...], dict[int, None]] = defaultdict(dict)
    for key, needed in NEEDED.items():
        for channel in map(guild.get_channel, getattr(settings, key)) if guild else ():
            if channel and (missing := lacking(channel, needed)):
                where[missing][channel.id] = None
    for missing, channels in where.items():
        yield views.lacking(list(channels), missing)
    if settings.channels and not reads_messages:
        yield views.NO_CONTENT


def _values(data: Mapping[str, Any]) -> list[str]:
    """What was picked from a menu, or written into a form."""
    if "components" in data:
        return [part["component"]["value"] for part in data["components"]]
    return list(data.get("values", ()))


def _key(name: str) -> str:
    """The setting that is meant: suggestions are keys, but a label may be written too."""
    for key, setting in SETTINGS.items():
        if name.lower() in {key, setting.label.lower()}:
            return key
    raise ConfigError(f"There is no setting “{name}”. Choose one that is suggested.")


def _check_permission(interaction: discord.Interaction) -> None:
    if not getattr(interaction.permissions, PERMISSION):
        raise app_commands.MissingPermissions([PERMISSION])


def _guild_id(interaction: discord.Interaction) -> int:
    if interaction.guild_id is None:
        raise app_commands.NoPrivateMessage
    return interaction.guild_id


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    await client.add_cog(SettingsCog(guilds=client.services.guilds))
