"""What the votes say so far, and what this bot is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot import __version__
from cogs._render import insight as insight_views
from cogs._render.layout import message
from cogs._responding import Response, respond
from cogs.errors import tell

if TYPE_CHECKING:
    from bot.client import TwofoldClient
    from storage.votes import VoteStore


class InsightCog(commands.Cog):
    """Read-only commands for everyone."""

    def __init__(self, *, votes: VoteStore) -> None:
        self._votes = votes

    @app_commands.command(description="Who is ahead here, by the battles that have closed.")
    @app_commands.guild_only()
    async def leaderboard(self, interaction: discord.Interaction) -> None:
        """The standings of this guild, for the asker alone."""
        await respond(interaction, self._standings(interaction.guild_id))

    async def _standings(self, guild_id: int | None) -> Response:
        standings = await self._votes.standings(guild_id)
        not_blind = await self._votes.count_not_blind(guild_id)
        return Response(message(insight_views.leaderboard(standings, not_blind=not_blind)))

    @app_commands.command(description="What this bot does and what it keeps.")
    async def about(self, interaction: discord.Interaction) -> None:
        """A few plain lines."""
        await tell(interaction, insight_views.about(__version__))


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    await client.add_cog(InsightCog(votes=client.services.store.votes))
