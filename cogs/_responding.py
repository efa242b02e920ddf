"""Answering an interaction within the three seconds that Discord gives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord

from cogs._beneath import beneath
from cogs._edits import NO_PINGS
from cogs._persisting import persistently

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from discord.ui import LayoutView

WORK_FIRST_SECONDS = 2.0
"""An answer says what was done, so it is done first; only what takes longer than this gets
a "thinking" in between."""


ACKNOWLEDGED = 40060
"""Discord's code for a first response to an interaction that had one."""


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
    `afresh`. What others see too stays as it is, and the answer is for the one who pressed.
    Raises what `making` raises.
    """
    if interaction.message is None or not interaction.message.flags.ephemeral:
        await respond(interaction, _private(making))
        return
    work = asyncio.ensure_future(making)
    deferred = not await _soon(work)
    if deferred:
        await defer(interaction)
    view = await work if afresh else beneath(interaction.message, await work)
    if deferred:
        await interaction.edit_original_response(view=view, allowed_mentions=NO_PINGS)
    else:
        await _first(
            lambda: interaction.response.edit_message(view=view, allowed_mentions=NO_PINGS)
        )


async def respond(interaction: discord.Interaction, making: Coroutine[Any, Any, Response]) -> None:
    """Answer with what comes of `making`. Raises what it raises."""
    work = asyncio.ensure_future(making)
    deferred = not await _soon(work)
    if deferred:
        await defer(interaction, ephemeral=True, thinking=True)
    response = await work
    files = [response.file] if response.file else []
    if deferred:
        await interaction.edit_original_response(
            attachments=files, allowed_mentions=NO_PINGS, **response.arguments
        )
    elif files:  # they can be read once
        await interaction.response.send_message(files=files, ephemeral=True, **response.arguments)
    else:
        await _first(
            lambda: interaction.response.send_message(ephemeral=True, **response.arguments)
        )


async def _private(making: Coroutine[Any, Any, LayoutView]) -> Response:
    return Response(await making)


async def defer(interaction: discord.Interaction, **how: bool) -> None:
    """Acknowledge, to answer later."""
    await _first(lambda: interaction.response.defer(**how))


async def _first(respond: Callable[[], Awaitable[object]]) -> None:
    """Respond for the first time, until Discord has it.

    It may say that it had one: then its answer to that was lost, or it told of the interaction
    twice. What is done for one is done once in either case.
    """
    try:
        await persistently(respond)
    except discord.HTTPException as error:
        if error.code != ACKNOWLEDGED:
            raise


async def _soon(work: asyncio.Future[Any]) -> bool:
    await asyncio.wait({work}, timeout=WORK_FIRST_SECONDS)
    return work.done()
