"""What Discord failed to take is sent again, where that changes nothing the second time.

discord.py does so after 500, 502 and 504; here it is done after all else that passes: 503,
and connections that break, perhaps with the answer on its way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import aiohttp
import discord

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

WAITS = (0.2, 0.6)
"""Seconds before a second and a third attempt; interactions are to be answered within three."""

TRIED_BY_LIBRARY = frozenset({500, 502, 504, 524})


async def persistently(send: Callable[[], Awaitable[T]]) -> T:
    """Send, and again where that failed on its way. Raises what the last attempt raises.

    For edits, for messages with a nonce, which Discord takes for the first one during some
    minutes, and for first responses, of which it takes one.
    """
    for wait in WAITS:
        try:
            return await send()
        except Exception as error:
            if not passing(error):
                raise
        await asyncio.sleep(wait)
    return await send()


def passing(error: Exception) -> bool:
    """Whether it is worth to try again at once."""
    if isinstance(error, discord.DiscordServerError):
        return error.status not in TRIED_BY_LIBRARY
    return isinstance(error, aiohttp.ClientError | ConnectionError | TimeoutError)
