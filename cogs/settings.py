"""The admins' settings, with a subcommand for each that is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.growth import Showing
from bot.guilds import ALL, Others
from bot.roster import permitted
from cogs._render import layout
from cogs._render import settings as setting_views
from cogs.errors import tell
from storage.records import Continuing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.client import TwofoldClient
    from bot.config import Config
    from bot.guilds import GuildService, GuildSettings
    from bot.prompting import PromptTemplate
    from storage.records import Contender


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class SettingsCog(commands.GroupCog, group_name="settings", group_description="How I behave here."):
    """Shows and changes a guild's settings."""

    def __init__(
        self,
        *,
        guilds: GuildService,
        templates: Mapping[str, PromptTemplate],
        contenders: Sequence[Contender],
        config: Config,
    ) -> None:
        self._guilds = guilds
        self._templates = templates
        self._contenders = contenders
        self._config = config

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
        lines = [f"Every message in {channel.mention} {what}."]
        if answers == "on":
            lacking = _lacking(channel)
            reads = interaction.client.intents.message_content
            lines += setting_views.channel_warnings(lacking, reads_messages=reads)
        await self._answer(interaction, "\n".join(lines))

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """A channel that is gone need not be listed."""
        if channel.id in (await self._guilds.settings(channel.guild.id)).channels:
            await self._guilds.set_channel(channel.guild.id, channel.id, answers=False)

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

    @app_commands.command(description="Choose which models meet in this server.")
    @app_commands.describe(contender="Which one.", use="On: it may be drawn for a battle here.")
    async def contenders(
        self,
        interaction: discord.Interaction,
        contender: app_commands.Range[str, 1, 64],
        use: Literal["on", "off"],
    ) -> None:
        """Turn a contender on or off in this server."""
        await self._guilds.set_contender(_guild(interaction), contender, meets=use == "on")
        which = "All contenders are" if contender == ALL else f"`{contender}` is"
        await self._answer(interaction, f"{which} {use} here.")

    @contenders.autocomplete("contender")
    async def suggest_contender(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """The contenders with their kinds and whether they are on here."""
        chosen = (await self._guilds.settings(_guild(interaction))).contenders
        on = permitted(self._contenders, chosen)
        offered = {
            c.slug: f"{c.slug}: {layout.KIND_NAMES[c.kind]}, {'on' if c in on else 'off'} here"
            for c in self._contenders
        }
        return [
            app_commands.Choice(name=name[:100], value=slug)
            for slug, name in {**offered, ALL: "all of them"}.items()
            if current.lower() in name.lower()
        ][:25]

    @app_commands.command(description="Choose how the two answers appear.")
    @app_commands.describe(answers="At once when both are done, or growing side by side.")
    async def showing(
        self, interaction: discord.Interaction, answers: Literal["at_once", "lockstep"]
    ) -> None:
        """Choose how answers appear in this server."""
        chosen = Showing(answers)
        await self._guilds.set_showing(_guild(interaction), chosen)
        how = "when both are done" if chosen is Showing.AT_ONCE else "growing side by side"
        await self._answer(interaction, f"Answers now appear {how}.")

    @app_commands.command(description="Choose which of two answers a conversation goes on from.")
    @app_commands.describe(answer="The winner of the votes so far, or always the same model's.")
    async def continuing(
        self, interaction: discord.Interaction, answer: Literal["winner", "instruct", "base"]
    ) -> None:
        """Choose the answer that the models take for what was said."""
        chosen = Continuing(answer)
        await self._guilds.set_continuing(_guild(interaction), chosen)
        await self._answer(
            interaction, f"Conversations now go on from {setting_views.CONTINUING[chosen]}."
        )

    @app_commands.command(description="Choose what models get of members who have not agreed.")
    @app_commands.describe(messages="As they are, or a placeholder that says nothing.")
    async def others(
        self,
        interaction: discord.Interaction,
        messages: Literal["as_they_are", "placeholder"],
    ) -> None:
        """Choose whether messages of members who have not agreed to be kept are context."""
        chosen = Others(messages)
        await self._guilds.set_others(_guild(interaction), chosen)
        await self._answer(
            interaction,
            f"Members who have not agreed to be kept are now given {setting_views.OTHERS[chosen]}.",
        )

    @app_commands.command(description="Lower how many messages are answered in a minute.")
    @app_commands.describe(
        member="For each member; leave it out for the operator's limit.",
        server="For all members together; leave it out for the operator's limit.",
    )
    async def limits(
        self,
        interaction: discord.Interaction,
        member: app_commands.Range[int, 1] | None = None,
        server: app_commands.Range[int, 1] | None = None,
    ) -> None:
        """Choose the limits of this server."""
        await self._guilds.set_limits(_guild(interaction), member=member, guild=server)
        await self._answer(interaction, "The limits are changed.")

    async def _answer(self, interaction: discord.Interaction, done: str) -> None:
        current = await self._without_gone_channels(interaction.guild, _guild(interaction))
        text = setting_views.settings(current, config=self._config, contenders=self._contenders)
        await tell(interaction, f"{done}\n\n{text}".strip())

    async def _without_gone_channels(
        self, guild: discord.Guild | None, guild_id: int
    ) -> GuildSettings:
        """The settings, less the channels that were deleted while nobody was listening."""
        settings = await self._guilds.settings(guild_id)
        for channel_id in settings.channels:
            if guild is not None and guild.get_channel(channel_id) is None:
                settings = await self._guilds.set_channel(guild_id, channel_id, answers=False)
        return settings


def _lacking(channel: discord.abc.GuildChannel) -> list[str]:
    """The permissions that answering there needs and that the bot has not."""
    threads = isinstance(channel, discord.ForumChannel)
    send = "send_messages_in_threads" if threads else "send_messages"
    granted = channel.permissions_for(channel.guild.me)
    needed = ("view_channel", send, "read_message_history")
    return [name.replace("_", " ").title() for name in needed if not getattr(granted, name)]


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
            contenders=services.roster.contenders,
            config=services.config,
        )
    )
