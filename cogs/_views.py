"""Buttons that survive a restart: their custom id carries all they need.

Ids are `twofold:VERSION:ACTION:BATTLE`, with the part of the ballot that is meant at the
end of some. They name sides, never models.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self, cast

import discord
from discord import ui

from storage.records import Choice

if TYPE_CHECKING:
    from bot.client import TwofoldClient
    from storage.records import Side

LABELS = {
    Choice.A: "A is better",
    Choice.B: "B is better",
    Choice.TIE: "Tie",
    Choice.BOTH_BAD: "Both bad",
}

KNOWN = re.compile(
    r"twofold:1:(?P<action>vote|more|full|again|continue):(?P<battle>[0-9]{1,18})"
    r"(?::(?P<part>a|b|tie|both_bad))?"
)


class BattleButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template=r"twofold:.+"):
    """A button that has to do with a battle, or one that another version of this bot posted."""

    def __init__(
        self,
        label: str | None,
        custom_id: str,
        *,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    ) -> None:
        super().__init__(ui.Button(label=label, style=style, custom_id=custom_id))

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - discord.py's signature
        item: ui.Item[Any],
        match: re.Match[str],
    ) -> Self:
        """Rebuild the button from its id, also after a restart."""
        return cls(getattr(item, "label", None), match[0])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the press to the cog for it, as `on_vote_press` for instance."""
        client = cast("TwofoldClient", interaction.client)
        if known := KNOWN.fullmatch(self.custom_id):
            what = f"{known['action']}_press"
            client.dispatch(what, interaction, int(known["battle"]), known["part"])
        else:
            client.dispatch("strange_press", interaction)


def vote(battle_id: int, choice: Choice) -> BattleButton:
    """One outcome of one battle."""
    preferred = choice in {Choice.A, Choice.B}
    return BattleButton(
        LABELS[choice],
        f"twofold:1:vote:{battle_id}:{choice.value}",
        style=discord.ButtonStyle.primary if preferred else discord.ButtonStyle.secondary,
    )


def more(battle_id: int) -> BattleButton:
    """What else there is to a battle."""
    return BattleButton("⋯", f"twofold:1:more:{battle_id}")


def full(battle_id: int, side: Side) -> BattleButton:
    """All of one answer."""
    return BattleButton(f"Full text {side.upper()}", f"twofold:1:full:{battle_id}:{side.value}")


def again(battle_id: int) -> BattleButton:
    """The same prompt for others."""
    return BattleButton("Again", f"twofold:1:again:{battle_id}")


def go_on(battle_id: int) -> BattleButton:
    """The same answers, continued."""
    return BattleButton("Continue", f"twofold:1:continue:{battle_id}")
