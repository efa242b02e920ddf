"""A plain discord.py bot that uses what Twofold uses, to try the server itself."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import discord
import yarl
from discord import app_commands, ui
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from .clock import until

if TYPE_CHECKING:
    import re
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .driver import WireServer


class Vote(ui.DynamicItem[ui.Button], template=r"vote:(?P<choice>[ab])"):
    """A restart-proof button."""

    def __init__(self, choice: str, *, disabled: bool = False) -> None:
        label = f"{choice.upper()} is better"
        super().__init__(ui.Button(label=label, custom_id=f"vote:{choice}", disabled=disabled))
        self.choice = choice

    @classmethod
    async def from_custom_id(
        cls,
        _interaction: discord.Interaction,
        _item: ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> Self:
        return cls(match["choice"])

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"You chose {self.choice}", ephemeral=True)
        file = discord.File(io.BytesIO(b"all of it"), "full.txt")
        await interaction.followup.send("The full text", ephemeral=True, file=file)


class Feedback(ui.Modal, title="Feedback"):
    """One text and one choice."""

    words = ui.Label(text="Words", component=ui.TextInput())
    mood = ui.Label(
        text="Mood",
        component=ui.Select(options=[discord.SelectOption(label="Good", value="good")]),
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        said, chosen = self.words.component.value, self.mood.component.values
        await interaction.response.send_message(f"{said} {chosen}", ephemeral=True)


def ballot(*texts: str, disabled: bool = False) -> ui.LayoutView:
    """Make a container for each text and one row of buttons."""
    view = ui.LayoutView(timeout=None)
    for text in texts:
        view.add_item(ui.Container(ui.TextDisplay(text)))
    view.add_item(ui.ActionRow(*(Vote(choice, disabled=disabled) for choice in "ab")))
    return view


class PlainBot(commands.Bot):
    """Replies to every person; `answer` may be replaced by a test."""

    def __init__(self, *, message_content: bool = True) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        intents.message_content = message_content
        super().__init__(
            command_prefix=commands.when_mentioned,
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.05,
        )
        self.heard: list[discord.Message] = []
        self.errors: list[BaseException] = []
        self.resumes = 0
        self.answer: Callable[[discord.Message], Awaitable[object]] = self._reply
        self._declare()

    async def _reply(self, message: discord.Message) -> None:
        await message.reply(f"echo {message.content}")

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Vote)
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait five seconds before a new IDENTIFY."""

    async def on_message(self, message: discord.Message, /) -> None:
        self.heard.append(message)
        if message.author != self.user:
            try:
                await self.answer(message)
            except discord.HTTPException as error:
                self.errors.append(error)

    async def on_resumed(self) -> None:
        self.resumes += 1

    def _declare(self) -> None:
        tree = self.tree

        @tree.command(description="Ask")
        @app_commands.describe(prompt="What")
        async def ask(
            interaction: discord.Interaction,
            prompt: app_commands.Range[str, 1, 100],
            who: discord.Member | None = None,
        ) -> None:
            await interaction.response.defer(thinking=True)
            await interaction.edit_original_response(view=ballot(prompt, str(who)))

        @ask.autocomplete("prompt")
        async def suggest(
            interaction: discord.Interaction, typed: str
        ) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=typed * 2, value=typed)]

        @tree.command(description="Form")
        async def feedback(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Feedback())

        @tree.command(description="Late and twice")
        async def slow(interaction: discord.Interaction, times: int) -> None:
            for _ in range(times):
                try:
                    await interaction.response.send_message("late")
                except (discord.HTTPException, discord.InteractionResponded) as error:
                    self.errors.append(error)

        @tree.command(description="Admins")
        @app_commands.default_permissions(manage_guild=True)
        async def admin(interaction: discord.Interaction) -> None:
            allowed = interaction.permissions.manage_guild
            await interaction.response.send_message(f"allowed: {allowed}", ephemeral=True)

        @tree.context_menu(name="Quote")
        async def quote(interaction: discord.Interaction, message: discord.Message) -> None:
            await interaction.response.send_message(message.content, ephemeral=True)


def point_at(wire: WireServer) -> None:
    """Send discord.py to the server."""
    Route.BASE = wire.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(wire.gateway_url)


@asynccontextmanager
async def online(wire: WireServer, bot: PlainBot | None = None) -> AsyncIterator[PlainBot]:
    """Run a bot against the server."""
    point_at(wire)
    bot = bot or PlainBot()
    running = asyncio.create_task(bot.start(wire.token))
    try:
        await until(lambda: running.done() or bot.is_ready(), "ready")
        if running.done():
            running.result()
        yield bot
    finally:
        await bot.close()
        await asyncio.gather(running, return_exceptions=True)
