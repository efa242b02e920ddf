"""Presses on a ballot: stored, confirmed, revealed to the voter alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from discord.ext import commands

from bot.voting import Press
from cogs import _render
from cogs._views import VoteButton
from cogs.errors import report

if TYPE_CHECKING:
    import discord

    from bot.client import TwofoldClient
    from bot.voting import Cast, VotingService
    from storage.records import Choice

STORE_FIRST_SECONDS = 2.0
"""Discord wants an answer within three. An answer confirms a vote, so the vote is
stored first; only a database that is slower than this gets a "thinking" in between."""


class VotingCog(commands.Cog):
    """Hears the ballot's buttons."""

    def __init__(self, *, voting: VotingService) -> None:
        self._voting = voting

    @commands.Cog.listener()
    async def on_ballot_press(
        self, interaction: discord.Interaction, battle_id: int, choice: Choice
    ) -> None:
        """Store the press, then confirm it; what was acknowledged is on disk."""
        press = Press(
            battle_id=battle_id,
            choice=choice,
            voter_id=interaction.user.id,
            voter_is_bot=interaction.user.bot,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id or 0,
        )
        try:
            await self._confirm(interaction, asyncio.ensure_future(self._voting.cast(press)))
        except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
            await report(interaction, error)

    async def _confirm(self, interaction: discord.Interaction, storing: asyncio.Task[Cast]) -> None:
        await asyncio.wait({storing}, timeout=STORE_FIRST_SECONDS)
        if not storing.done():
            await interaction.response.defer(ephemeral=True, thinking=True)
        view = _render.reveal(await storing)
        if interaction.response.is_done():
            await interaction.edit_original_response(view=view)
        else:
            await interaction.response.send_message(view=view, ephemeral=True)


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    client.add_dynamic_items(VoteButton)
    await client.add_cog(VotingCog(voting=client.services.voting))
