"""Buttons, menus and forms of another version of this bot: answered, not left to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import discord
from discord.ext import commands

from bot.errors import VoteRefused
from cogs import _modals
from cogs._render.settings import PREFIX as SETTINGS
from cogs._render.votes import STRANGE_BUTTON, STRANGE_FORM
from cogs.errors import give_back, report
from cogs.voting import FORMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.client import TwofoldClient

BUTTONS = ("twofold:", "twofold-privacy:")
"""What hears all that begins so tells of what it does not know."""


class StrangersCog(commands.Cog):
    """Says that there is nothing to be done, where Discord would say that it failed."""

    @commands.Cog.listener()
    async def on_strange_press(self, interaction: discord.Interaction) -> None:
        """A button that somebody else hears, and does not know."""
        await report(interaction, VoteRefused(STRANGE_BUTTON))

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Something that nobody hears."""
        data = cast("Mapping[str, Any]", interaction.data or {})
        custom_id = str(data.get("custom_id"))
        if custom_id.startswith(SETTINGS):
            return
        if interaction.type is discord.InteractionType.component:
            if not custom_id.startswith(BUTTONS):
                await self.on_strange_press(interaction)
        elif interaction.type is discord.InteractionType.modal_submit:
            form = _modals.meant_by(interaction)
            if form is None or form.action not in FORMS:
                written = _modals.written(interaction)
                await give_back(interaction, VoteRefused(STRANGE_FORM), written)


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    await client.add_cog(StrangersCog())
