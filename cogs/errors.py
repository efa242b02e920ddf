"""One place for errors: the known ones plainly, the unknown ones with a reference."""

from __future__ import annotations

import io
import secrets
from typing import TYPE_CHECKING, Any, cast

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.errors import DatabaseBusy, StorageError, TwofoldError
from cogs._edits import FAULTS
from cogs._render import layout
from cogs._responding import ACKNOWLEDGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.client import TwofoldClient

log = structlog.get_logger(__name__)

BUSY = "The database is busy, so that could not be done. Try again in a moment."
BROKEN = (
    "The database does not work just now, so that could not be done. The operator's log says why."
)

BAD_REQUEST = 400


def sentence(error: BaseException) -> str:
    """What a person is told. An unknown fault is logged whole, under a short reference."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, StorageError):  # which tells the operator what to do
        log.error("the database failed", why=error.user_message)
        return BUSY if isinstance(error, DatabaseBusy) else BROKEN
    if isinstance(error, TwofoldError):
        return error.user_message
    if isinstance(error, app_commands.MissingPermissions):
        return "Only people who may manage this server can do that."
    if isinstance(error, app_commands.NoPrivateMessage):
        return "That works in a server, not in direct messages."
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        return "This command is from another version of me. Reload Discord and use it again."
    if _of_discord(error):
        log.warning("Discord did not take it", error=repr(error))
        return "Discord did not take my answer. Try again in a moment."
    reference = secrets.token_hex(4)
    log.error("unexpected fault", reference=reference, exc_info=error)
    return f"Something went wrong here. The operator finds it in the log as {reference}."


async def tell(interaction: discord.Interaction, text: str) -> None:
    """Say something to the one who acted, through whichever way is still open."""
    await _send(interaction, lambda: {"view": layout.message(text)})


async def _send(interaction: discord.Interaction, message: Callable[[], dict[str, Any]]) -> None:
    """Send in private what `message` makes, anew for each way that is tried."""
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(**message(), ephemeral=True)
        except discord.HTTPException as error:
            if error.code != ACKNOWLEDGED:
                raise
        else:
            return
    await interaction.followup.send(**message(), ephemeral=True)


async def report(interaction: discord.Interaction, error: BaseException) -> None:
    """Tell the one who acted what went wrong; a gone interaction is only logged."""
    client = cast("TwofoldClient", interaction.client)
    client.services.instruments.failed("interaction", getattr(error, "original", error))
    try:
        await tell(interaction, sentence(error))
    except FAULTS as gone:
        log.warning("could not tell about a fault", error=repr(gone))


async def give_back(interaction: discord.Interaction, error: Exception, text: str) -> None:
    """Tell why it was not stored, with what was written as a file."""
    told = f"{sentence(error)} Nothing was stored; what you wrote is in the file."

    def message() -> dict[str, Any]:
        file = discord.File(io.BytesIO(text.encode()), "your-text.txt")
        return {"content": told, "file": file}

    try:
        await _send(interaction, message)
    except FAULTS as gone:
        log.warning("could not give a text back", error=repr(gone))


def _of_discord(error: BaseException) -> bool:
    """Whether Discord or the way to it failed; a request that it refuses as wrong is our fault."""
    if isinstance(error, discord.HTTPException):
        return error.status != BAD_REQUEST
    return isinstance(error, FAULTS)


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
