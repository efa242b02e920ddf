"""Answering an interaction within the three seconds that Discord gives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cogs._beneath import beneath
from cogs._edits import NO_PINGS

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import discord
    from discord.ui import LayoutView

WORK_FIRST_SECONDS = 2.0
"""An answer says what was done, so it is done first; only what takes longer than this gets
a "thinking" in between."""


@dataclass(frozen=True, slots=True)
class Response:
    """What the one who acted gets to see, alone: a view, or a text with a file."""

    view: LayoutView | None = None
    text: str | None = None
    file: discord.File | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """As discord.py takes them: what is not there must not be named."""
        said = {"view": self.view, "content": self.text}
        return {name: value for name, value in said.items() if value is not None}


async def amend(
    interaction: discord.Interaction,
    making: Coroutine[Any, Any, LayoutView],
    *,
    afresh: bool = False,
) -> None:
    """Put what comes of `making` in the place of the message that was pressed on.

    Of a private ballot the answers and the way to the next one stay, unless it is done
    `afresh`. Raises what `making` raises.
    """
    work = asyncio.ensure_future(making)
    await asyncio.wait({work}, timeout=WORK_FIRST_SECONDS)
    if not work.done():
        await interaction.response.defer()
    view = await work if afresh else beneath(interaction.message, await work)
    if interaction.response.is_done():
        await interaction.edit_original_response(view=view, allowed_mentions=NO_PINGS)
    else:
        await interaction.response.edit_message(view=view, allowed_mentions=NO_PINGS)


async def respond(interaction: discord.Interaction, making: Coroutine[Any, Any, Response]) -> None:
    """Answer with what comes of `making`. Raises what it raises."""
    work = asyncio.ensure_future(making)
    await asyncio.wait({work}, timeout=WORK_FIRST_SECONDS)
    if not work.done():
        await interaction.response.defer(ephemeral=True, thinking=True)
    response = await work
    files = [response.file] if response.file else []
    if interaction.response.is_done():
        await interaction.edit_original_response(
            attachments=files, allowed_mentions=NO_PINGS, **response.arguments
        )
    else:
        await interaction.response.send_message(files=files, ephemeral=True, **response.arguments)
