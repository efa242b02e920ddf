"""A server's votes as a dataset: what there is, and a small export, for its managers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.dataset.formats.registry import HELP
from bot.dataset.gate import PURPOSES
from bot.settings import PERMISSION
from cogs._render import dataset as views
from cogs._responding import Response, respond

if TYPE_CHECKING:
    from bot.client import TwofoldClient
    from bot.dataset.serving import ServingService

CHAT = " chat"
"""After the name of a format: the same rows as chats."""

_FORMATS = {
    "dpo": HELP["dpo"],
    f"dpo{CHAT}": "the same as chats, for instruct models",
    **{name: HELP[name] for name in ("kto", "sft", "reward", "openai")},
}
"""Not those with each vote by itself: who knows a server could tell whose it is."""
_PURPOSES = {scope.value: what for scope, what in views.FOR.items()}


def _choices(told: dict[str, str]) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=f"{name}: {what}", value=name) for name, what in told.items()]


class DatasetCog(commands.Cog):
    """Shows and hands over what members have agreed to."""

    def __init__(self, *, serving: ServingService) -> None:
        self._serving = serving

    @app_commands.command(name="dataset", description="What a dataset of this server would be.")
    @app_commands.guild_only()
    @app_commands.default_permissions(discord.Permissions(**{PERMISSION: True}))
    async def dataset(self, interaction: discord.Interaction) -> None:
        """Counts, reasons, consent, examples."""
        await respond(interaction, self._shown(_managed(interaction)))

    @app_commands.command(name="export", description="The votes of this server as a dataset.")
    @app_commands.describe(
        format="The rows that it has; dpo where nothing is said.",
        purpose="What it is for; the most that is allowed here where nothing is said.",
    )
    @app_commands.choices(format=_choices(_FORMATS), purpose=_choices(_PURPOSES))
    @app_commands.guild_only()
    @app_commands.default_permissions(discord.Permissions(**{PERMISSION: True}))
    async def export(
        self,
        interaction: discord.Interaction,
        format: str = "dpo",  # noqa: A002 - what members see
        purpose: str | None = None,
    ) -> None:
        """A file for the one who asks alone."""
        guild_id = _managed(interaction)
        await respond(interaction, self._exported(interaction, guild_id, format, purpose))

    async def _shown(self, guild_id: int) -> Response:
        return Response(views.overview(await self._serving.overview(guild_id)))

    async def _exported(
        self, interaction: discord.Interaction, guild_id: int, form: str, purpose: str | None
    ) -> Response:
        parcel = await self._serving.export(
            guild_id,
            format=form.removesuffix(CHAT),
            chat=form.endswith(CHAT),
            purpose=PURPOSES[purpose] if purpose else None,
            limit=interaction.filesize_limit,
            by=interaction.user.id,
        )
        file = discord.File(io.BytesIO(parcel.data), parcel.name)
        return Response(text=views.handed(parcel), file=file)


def _managed(interaction: discord.Interaction) -> int:
    """The server, of whoever may manage it."""
    if interaction.guild_id is None:
        raise app_commands.NoPrivateMessage
    if not getattr(interaction.permissions, PERMISSION):
        raise app_commands.MissingPermissions([PERMISSION])
    return interaction.guild_id


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    await client.add_cog(DatasetCog(serving=client.services.serving))
