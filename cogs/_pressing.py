"""A press on a ballot, in the channel or shown to one member alone: stored, then confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from bot.voting import BattleClosed, Press
from cogs._render import votes as vote_views
from cogs._responding import Response, amend, respond
from cogs.errors import report

if TYPE_CHECKING:
    import discord
    from discord.ui import LayoutView

    from bot.client import TwofoldClient
    from bot.voting import Cast, VotingService
    from storage.records import Choice


async def take(
    interaction: discord.Interaction,
    battle_id: int,
    choice: Choice,
    *,
    voting: VotingService,
    private: bool = False,
    swapped: bool = False,
) -> None:
    """Store a press and tell the one who pressed; what was acknowledged is on disk.

    Others hear of the vote as `on_vote_cast`, with how many stand on the battle now, as
    `on_votes_enough` where that may close it, and as `on_press_answered`, with the interaction.
    """
    user = interaction.user
    press = Press(
        battle_id=battle_id,
        choice=choice,
        voter_id=user.id,
        voter_is_bot=user.bot,
        guild_id=interaction.guild_id,
        channel_id=interaction.channel_id or 0,
        account_created_at=user.created_at,
        joined_at=getattr(user, "joined_at", None),
        private=private,
        swapped=swapped,
    )
    stored: Cast | None = None

    async def casting() -> LayoutView:
        nonlocal stored
        try:
            stored = await voting.cast(press)
        except BattleClosed as late:
            return vote_views.closed(late.own)
        return vote_views.after_press(stored)

    async def confirming() -> Response:
        return Response(await casting())

    instruments = cast("TwofoldClient", interaction.client).services.instruments
    try:
        with instruments.work("press", battle=battle_id, channel=interaction.channel_id):
            if private:
                await amend(interaction, casting())
            else:
                await respond(interaction, confirming())
    except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
        await report(interaction, error)
    if stored is not None:
        interaction.client.dispatch("vote_cast", battle_id, stored.votes)
        if stored.enough:
            interaction.client.dispatch("votes_enough", battle_id)
        interaction.client.dispatch("press_answered", interaction)
