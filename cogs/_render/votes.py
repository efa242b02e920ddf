"""What a voter gets to see alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import ui

from cogs._render.layout import KIND_NAMES, message
from storage.records import Choice, Kind, Side

if TYPE_CHECKING:
    from bot.voting import Cast
    from storage.records import Answer

CHOSEN = {
    Choice.A: "You chose **A**.",
    Choice.B: "You chose **B**.",
    Choice.TIE: "You called it a **tie**.",
    Choice.BOTH_BAD: "You found **both bad**.",
}
STRANGE_BUTTON = "This button is from another version of me and does nothing any more."


def reveal(cast: Cast) -> ui.LayoutView:
    """For the voter alone: what was stored, and who was who."""
    lines = [CHOSEN[cast.choice] + (" Your earlier vote is replaced." if cast.changed else ""), ""]
    lines += [_who(side, cast.battle.answer(side)) for side in Side]
    lines.append(f"-# Your vote is stored. Press another button to change it. · #{cast.battle.id}")
    return message("\n".join(lines))


def _who(side: Side, answer: Answer) -> str:
    name = discord.utils.escape_markdown(answer.contender)
    template = f", prompted as {answer.template}" if answer.kind is not Kind.INSTRUCT else ""
    return f"**{side.value.upper()}** was the {KIND_NAMES[answer.kind]}: {name}{template}"
