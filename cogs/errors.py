"""One place for errors: the known ones plainly, the unknown ones with a reference."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.errors import TwofoldError
from cogs._render import layout

if TYPE_CHECKING:
    from bot.client import TwofoldClient

log = structlog.get_logger(__name__)


def sentence(error: BaseException) -> str:
    """What a person is told. An unknown fault is logged whole, under a short reference."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, TwofoldError):
        return error.user_message
    if isinstance(error, app_commands.MissingPermissions):
        return "Only people who may manage this server can do that."
    if isinstance(error, app_commands.NoPrivateMessage):
        return "That works in a server, not in direct messages."
    reference = secrets.token_hex(4)
    log.error("unexpected fault", reference=reference, exc_info=error)
    return f"Something went wrong here. The operator finds it in the log as {reference}."


async def tell(interaction: discord.Interaction, text: str) -> None:
    """Say something to the one who acted, through whichever way is still open."""
    view = layout.message(text)
    if interaction.response.is_done():
        await interaction.followup.send(view=view, ephemeral=True)
    else:
        await interaction.response.send_message(view=view, ephemeral=True)


async def report(interaction: discord.Interaction, error: BaseException) -> None:
    """Tell the one who acted what went wrong; a gone interaction is only logged."""
    try:
        await tell(interaction, sentence(error))
    except discord.HTTPException as gone:
        log.warning("could not tell about a fault", status=gone.status, code=gone.code)


class ErrorsCog(commands.Cog):
    """Catches what commands raise."""

    def __init__(self, client: TwofoldClient) -> None:
        client.tree.error(self.on_command_error)

    async def on_command_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError
    ) -> None:
        """Discord.py calls this for every failed slash command or menu entry."""
        await report(interaction, error)


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    await client.add_cog(ErrorsCog(client))
