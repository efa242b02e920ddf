"""Answering an interaction within the three seconds that Discord gives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    import discord
    from discord.ui import LayoutView

WORK_FIRST_SECONDS = 2.0
"""An answer says what was done, so it is done first; only what takes longer than this gets
a "thinking" in between."""


@dataclass(frozen=True, slots=True)
class Response:
    """What the one who acted gets to see, alone."""

    view: LayoutView
    files: tuple[discord.File, ...] = ()


async def respond(interaction: discord.Interaction, making: Coroutine[Any, Any, Response]) -> None:
    """Answer with what comes of `making`. Raises what it raises."""
    work = asyncio.ensure_future(making)
    await asyncio.wait({work}, timeout=WORK_FIRST_SECONDS)
    if not work.done():
        await interaction.response.defer(ephemeral=True, thinking=True)
    response = await work
    if interaction.response.is_done():
        await interaction.edit_original_response(
            view=response.view, attachments=list(response.files)
        )
    else:
        await interaction.response.send_message(
            view=response.view, files=list(response.files), ephemeral=True
        )
