"""What messages are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from storage.records import Kind

if TYPE_CHECKING:
    from cogs._views import BattleButton

MESSAGE_LIMIT = 4000
"""In UTF-16 units, all text of a message together."""

NEUTRAL = discord.Colour(0x5865F2)
KIND_COLOURS = {
    Kind.BASE: discord.Colour(0xFFC24D),
    Kind.INSTRUCT: discord.Colour(0x3E8ED0),
    Kind.TUNED: discord.Colour(0x1D6F42),
}
"""They differ in lightness as well, for those who see no colours: 82, 57 and 41 of 100."""
KIND_NAMES = {Kind.BASE: "base model", Kind.INSTRUCT: "instruct model", Kind.TUNED: "tuned model"}


def message(text: str) -> ui.LayoutView:
    """Plain words as a Components V2 message."""
    return layout(ui.TextDisplay(text))


def container(*items: ui.Item[Any], colour: discord.Colour = NEUTRAL) -> ui.Container[Any]:
    """A box, in the colour that tells nothing by default."""
    return ui.Container(*items, accent_colour=colour)


def row(*buttons: BattleButton) -> ui.ActionRow[Any]:
    """Buttons side by side, at most five."""
    return ui.ActionRow(*buttons)


def layout(*items: ui.Item[Any]) -> ui.LayoutView:
    """A message of these parts; its buttons never expire."""
    view = ui.LayoutView(timeout=None)
    for item in items:
        view.add_item(item)
    view.stop()  # a press finds its button by the id alone, so nobody needs to keep this
    return view
