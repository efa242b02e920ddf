"""The typing sign: one in a channel, however many battles are answered there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import discord

if TYPE_CHECKING:
    from discord.abc import MessageableChannel

RENEWED = 5.0
"""Seconds. Discord takes the sign away after ten, and when a message comes."""


class Typing:
    """The signs of all channels, each on as long as somebody is at work there."""

    def __init__(self) -> None:
        self._working: dict[int, set[Sign]] = {}
        self._shown: dict[int, asyncio.Task[None]] = {}

    def begin(self, sign: Sign) -> None:
        """Somebody is at work."""
        where = sign.channel.id
        self._working.setdefault(where, set()).add(sign)
        if where not in self._shown:
            self._shown[where] = asyncio.create_task(_show(sign.channel))

    def end(self, sign: Sign) -> None:
        """They are done, or were already."""
        where = sign.channel.id
        working = self._working.get(where, set())
        working.discard(sign)
        if not working and where in self._shown:
            self._shown.pop(where).cancel()
            del self._working[where]


class Sign:
    """One who may be at work in a channel."""

    def __init__(self, typing: Typing, channel: MessageableChannel) -> None:
        self.channel = channel
        self._typing = typing

    def on(self) -> None:
        """Show that somebody types."""
        self._typing.begin(self)

    def off(self) -> None:
        """No more; safe to call twice."""
        self._typing.end(self)


async def _show(channel: MessageableChannel) -> None:
    # Answering matters, the sign does not.
    with suppress(discord.HTTPException, aiohttp.ClientError, TimeoutError):
        while True:
            await channel.typing()
            await asyncio.sleep(RENEWED)
