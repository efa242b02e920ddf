"""Buttons that survive a restart: their custom id carries all they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import discord
from discord import ui

from storage.records import Choice

if TYPE_CHECKING:
    import re

    from bot.client import TwofoldClient

LABELS = {
    Choice.A: "A is better",
    Choice.B: "B is better",
    Choice.TIE: "Tie",
    Choice.BOTH_BAD: "Both bad",
}


class VoteButton(
    ui.DynamicItem[ui.Button[ui.LayoutView]],
    template=r"twofold:1:vote:(?P<battle>[0-9]{1,18}):(?P<choice>a|b|tie|both_bad)",
):
    """One outcome of one battle. The id names a side, never a model."""

    def __init__(self, *, battle_id: int, choice: Choice) -> None:
        preferred = choice in {Choice.A, Choice.B}
        super().__init__(
            ui.Button(
                label=LABELS[choice],
                style=discord.ButtonStyle.primary if preferred else discord.ButtonStyle.secondary,
                custom_id=f"twofold:1:vote:{battle_id}:{choice.value}",
            )
        )
        self.battle_id = battle_id
        self.choice = choice

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - discord.py's signature
        item: ui.Item[Any],  # noqa: ARG003
        match: re.Match[str],
    ) -> Self:
        """Rebuild the button from its id, also after a restart."""
        return cls(battle_id=int(match["battle"]), choice=Choice(match["choice"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the press to the voting cog, which holds the services."""
        client = cast("TwofoldClient", interaction.client)
        client.dispatch("ballot_press", interaction, self.battle_id, self.choice)
