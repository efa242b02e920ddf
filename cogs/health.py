"""How the bot is: which shards are connected, and the answer to its owner's /health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord import app_commands
from discord.ext import commands

from cogs._render import health as health_views
from cogs._responding import Response, respond
from cogs.errors import tell

if TYPE_CHECKING:
    import discord

    from bot.client import TwofoldClient
    from bot.health import HealthService
    from bot.telemetry.gateway import Gateway


class HealthCog(commands.Cog):
    """Hears of connections, and tells the owner how things stand."""

    def __init__(self, client: TwofoldClient, *, gateway: Gateway, health: HealthService) -> None:
        self._client = client
        self._gateway = gateway
        self._health = health
        gateway.follow(
            shards=lambda: client.shard_ids or range(client.shard_count or 1),
            latencies=lambda: dict(client.latencies),
            guilds=lambda: len(client.guilds),
        )

    @app_commands.command(description="How the bot is doing, for the person who runs it.")
    @app_commands.default_permissions(administrator=True)
    async def health(self, interaction: discord.Interaction) -> None:
        """Only the application's owner, or a member of its team, learns anything."""
        if not await self._client.is_owner(interaction.user):
            await tell(interaction, health_views.NOT_YOURS)
            return
        await respond(interaction, self._report())

    @commands.Cog.listener()
    async def on_shard_connect(self, shard_id: int) -> None:
        """A session began."""
        self._gateway.heard("connect", shard_id)

    @commands.Cog.listener()
    async def on_shard_ready(self, shard_id: int) -> None:
        """All servers of a session are known."""
        self._gateway.heard("ready", shard_id)

    @commands.Cog.listener()
    async def on_shard_resumed(self, shard_id: int) -> None:
        """A session goes on after a break."""
        self._gateway.heard("resumed", shard_id)

    @commands.Cog.listener()
    async def on_shard_disconnect(self, shard_id: int) -> None:
        """A connection broke, or could not be made again."""
        self._gateway.heard("disconnect", shard_id)

    async def _report(self) -> Response:
        return Response(health_views.report(await self._health.report()))


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    services = client.services
    await client.add_cog(HealthCog(client, gateway=services.gateway, health=services.health))
