"""`/rate`: battles that need votes, one at a time, for one member alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.rating import Order, Rater
from cogs._permissions import may_read
from cogs._pressing import take
from cogs._render import battles as battle_views
from cogs._render import layout
from cogs._responding import Response, amend, respond
from cogs.errors import report
from storage.records import Choice

if TYPE_CHECKING:
    from discord.ui import LayoutView

    from bot.client import TwofoldClient
    from bot.rating import RatingService
    from bot.voting import VotingService

ORDERS = {"fewest votes": Order.FEWEST, "most split": Order.SPLIT}
EMPTY = (
    "There is nothing for you to rate right now. Ask something, and there will be for the others."
)


class RatingCog(commands.Cog):
    """Hears the command and the private ballot's buttons."""

    def __init__(self, *, rating: RatingService, voting: VotingService) -> None:
        self._rating = rating
        self._voting = voting

    @app_commands.command(description="Rate answers that need votes, one pair at a time.")
    @app_commands.describe(order="Which come first; those with the fewest votes by default.")
    @app_commands.guild_only()
    async def rate(
        self,
        interaction: discord.Interaction,
        order: Literal["fewest votes", "most split"] = "fewest votes",
    ) -> None:
        """Show the first ballot."""

        async def first() -> Response:
            return Response(await self._deal(interaction, ORDERS[order]))

        await respond(interaction, first())

    @commands.Cog.listener()
    async def on_rate_press(
        self, interaction: discord.Interaction, battle_id: int, part: str, *, swapped: bool
    ) -> None:
        """A choice on a private ballot."""
        choice = Choice(part)
        await take(
            interaction, battle_id, choice, voting=self._voting, private=True, swapped=swapped
        )

    @commands.Cog.listener()
    async def on_skip_press(
        self, interaction: discord.Interaction, battle_id: int, part: str
    ) -> None:
        """Show another one instead."""
        await self._go_on(interaction, battle_id, part)

    @commands.Cog.listener()
    async def on_next_press(
        self, interaction: discord.Interaction, battle_id: int, part: str
    ) -> None:
        """Show another one after a vote."""
        await self._go_on(interaction, battle_id, part)

    async def _go_on(self, interaction: discord.Interaction, battle_id: int, part: str) -> None:
        try:
            dealing = self._deal(interaction, Order(part), skipping=battle_id)
            await amend(interaction, dealing, afresh=True)
        except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
            await report(interaction, error)

    async def _deal(
        self, interaction: discord.Interaction, order: Order, *, skipping: int | None = None
    ) -> LayoutView:
        member, guild = interaction.user, interaction.guild
        if guild is None or not isinstance(member, discord.Member):
            raise app_commands.NoPrivateMessage
        rater = Rater(
            guild_id=guild.id,
            member_id=member.id,
            may_read=lambda channel_id: may_read(member, channel_id, here=interaction.channel),
            account_created_at=member.created_at,
            joined_at=member.joined_at,
        )
        dealt = await self._rating.deal(
            rater, order=order, number=interaction.id, skipping=skipping
        )
        if dealt is not None:
            return battle_views.rate(dealt, order=order, last=dealt.battle.id == skipping)
        return (
            layout.message(EMPTY) if skipping is None else battle_views.all_rated(skipping, order)
        )


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    await client.add_cog(RatingCog(rating=client.services.rating, voting=client.services.voting))
