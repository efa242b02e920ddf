"""The admins' settings, with a subcommand for each that is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands
from discord.ext import commands

from cogs import _render
from cogs.errors import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.client import TwofoldClient
    from bot.guilds import GuildService
    from bot.prompting import PromptTemplate


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class SettingsCog(commands.GroupCog, group_name="settings", group_description="How I behave here."):
    """Shows and changes a guild's settings."""

    def __init__(
        self,
        *,
        guilds: GuildService,
        templates: Mapping[str, PromptTemplate],
        default_template: str,
    ) -> None:
        self._guilds = guilds
        self._templates = templates
        self._default_template = default_template

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Discord hides the commands from others; a server may have changed that."""
        if not interaction.permissions.manage_guild:
            raise app_commands.MissingPermissions(["manage_guild"])
        return True

    @app_commands.command(description="Show the settings of this server.")
    async def show(self, interaction: discord.Interaction) -> None:
        """The effective values with their sources."""
        await self._answer(interaction, "")

    @app_commands.command(description="Answer every message of a channel, or stop doing so.")
    @app_commands.describe(channel="Which channel.", answers="On: every message of a person.")
    async def channel(
        self,
        interaction: discord.Interaction,
        channel: discord.TextChannel | discord.VoiceChannel | discord.ForumChannel,
        answers: Literal["on", "off"] = "on",
    ) -> None:
        """Turn a channel on or off."""
        guild_id = _guild(interaction)
        await self._guilds.set_channel(guild_id, channel.id, answers=answers == "on")
        what = "is answered twice" if answers == "on" else "is no longer answered by itself"
        await self._answer(interaction, f"Every message in {channel.mention} {what}.")

    @app_commands.command(description="Choose how models that only continue text are prompted.")
    @app_commands.describe(template="What of the conversation such a model gets to see.")
    async def template(self, interaction: discord.Interaction, template: str) -> None:
        """Choose the prompt template of this server."""
        await self._guilds.set_template(_guild(interaction), template)
        await self._answer(interaction, f"Prompts are now given as `{template}`.")

    @template.autocomplete("template")
    async def suggest_template(
        self,
        interaction: discord.Interaction,  # noqa: ARG002 - discord.py's signature
        current: str,
    ) -> list[app_commands.Choice[str]]:
        """The templates with what each is for."""
        return [
            app_commands.Choice(name=f"{name}: {template.help}"[:100], value=name)
            for name, template in self._templates.items()
            if current.lower() in f"{name} {template.help}".lower()
        ][:25]

    async def _answer(self, interaction: discord.Interaction, done: str) -> None:
        current = await self._guilds.settings(_guild(interaction))
        text = _render.settings(current, default_template=self._default_template)
        await tell(interaction, f"{done}\n\n{text}".strip())


def _guild(interaction: discord.Interaction) -> int:
    if interaction.guild_id is None:
        raise app_commands.NoPrivateMessage
    return interaction.guild_id


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    services = client.services
    await client.add_cog(
        SettingsCog(
            guilds=services.guilds,
            templates=services.templates,
            default_template=services.config.template,
        )
    )
