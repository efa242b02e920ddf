"""A picture with its words, and what this bot is."""

from __future__ import annotations

import io

import discord
from discord import ui

from cogs._render.layout import layout


def pictured(
    head: str, picture: bytes, *body: str, name: str, alt: str
) -> tuple[ui.LayoutView, discord.File]:
    """A message with a PNG between its words. `alt` is for who does not see it."""
    file = discord.File(io.BytesIO(picture), f"{name}.png", description=alt)
    gallery = ui.MediaGallery[ui.LayoutView](discord.MediaGalleryItem(file))
    return layout(ui.TextDisplay(head), gallery, *map(ui.TextDisplay, body)), file


def about(version: str) -> str:
    """What this is, for a member."""
    return f"""\
**Twofold** answers every message twice, with two different language models.
One of them was only taught to continue text, the other to be an assistant. They appear as A \
and B, sides by coin: vote for the better one, then you are told which was which.
Messages that start with `//` are not answered.
What is kept of you, and for what, is yours to say: `/privacy`.
-# Twofold {version} · Apache-2.0"""
