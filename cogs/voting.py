"""Presses on a ballot: stored, confirmed, revealed to the voter alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord.ext import commands

from bot.errors import VoteRefused
from bot.voting import Press
from cogs._render import votes as vote_views
from cogs._responding import Response, respond
from cogs._views import BattleButton
from cogs.errors import report
from storage.records import Choice

if TYPE_CHECKING:
    import discord

    from bot.client import TwofoldClient
    from bot.voting import VotingService


class VotingCog(commands.Cog):
    """Hears the ballot's buttons."""

    def __init__(self, *, voting: VotingService) -> None:
        self._voting = voting

    @commands.Cog.listener()
    async def on_vote_press(
        self, interaction: discord.Interaction, battle_id: int, part: str
    ) -> None:
        """Store the press, then confirm it; what was acknowledged is on disk."""
        press = Press(
            battle_id=battle_id,
            choice=Choice(part),
            voter_id=interaction.user.id,
            voter_is_bot=interaction.user.bot,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id or 0,
        )
        try:
            await respond(interaction, self._cast(press))
        except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
            await report(interaction, error)

    @commands.Cog.listener()
    async def on_strange_press(self, interaction: discord.Interaction) -> None:
        """A button of another version of this bot."""
        await report(interaction, VoteRefused(vote_views.STRANGE_BUTTON))

    async def _cast(self, press: Press) -> Response:
        return Response(vote_views.reveal(await self._voting.cast(press)))


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    client.add_dynamic_items(BattleButton)
    await client.add_cog(VotingCog(voting=client.services.voting))
