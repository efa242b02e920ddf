"""What messages are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot import colours

if TYPE_CHECKING:
    from cogs._views import BattleButton
    from storage.records import Battle

MESSAGE_LIMIT = 4000
"""In UTF-16 units, all text of a message together."""

NEUTRAL = discord.Colour(0x5865F2)
KIND_COLOURS = {kind: discord.Colour(colour) for kind, colour in colours.KIND_COLOURS.items()}


def message(text: str) -> ui.LayoutView:
    """Plain words as a Components V2 message."""
    return layout(ui.TextDisplay(text))


def container(*items: ui.Item[Any], colour: discord.Colour = NEUTRAL) -> ui.Container[Any]:
    """A box, in the colour that tells nothing by default."""
    return ui.Container(*items, accent_colour=colour)


def row(*buttons: BattleButton) -> ui.ActionRow[Any]:
    """Buttons side by side, at most five."""
    return ui.ActionRow(*buttons)


def address(battle: Battle, message_id: int) -> str:
    """Where a message stands, in the channel of a battle."""
    where = f"{battle.guild_id or '@me'}/{battle.channel_id}/{message_id}"
    return f"https://discord.com/channels/{where}"


def layout(*items: ui.Item[Any]) -> ui.LayoutView:
    """A message of these parts; its buttons never expire."""
    view = ui.LayoutView(timeout=None)
    for item in items:
        view.add_item(item)
    view.stop()  # a press finds its button by the id alone, so nobody needs to keep this
    return view
