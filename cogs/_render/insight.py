"""Pictures with their words, and what this bot is."""

from __future__ import annotations

import io

import discord
from discord import ui

from cogs._render.layout import layout


def picture(drawn: bytes, name: str, *, alt: str) -> discord.File:
    """A picture to send. `alt` is for who does not see it."""
    return discord.File(io.BytesIO(drawn), name, description=alt)


def pictured(*parts: str | discord.File) -> ui.LayoutView:
    """A message of words and pictures, one under the other."""
    return layout(*map(_item, parts))


def _item(part: str | discord.File) -> ui.Item[ui.LayoutView]:
    if isinstance(part, str):
        return ui.TextDisplay(part)
    return ui.MediaGallery(discord.MediaGalleryItem(part))


def about(version: str) -> str:
    """What this is, for a member."""
    return f"""\
**Twofold** answers every message twice, with two different language models.
One of them was only taught to continue text, the other to be an assistant. They appear as A \
and B, sides by coin: vote for the better one, then you are told which was which.
Messages that start with `//` are not answered.
What is kept of you, and for what, is yours to say: `/privacy`.
-# Twofold {version} · Apache-2.0"""
