"""Responses that end: a server that goes on and on must not fill the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_BYTES = 16 * 2**20
"""Of one response: ten times what a long answer takes, each token in an event of its own."""


class TooMuch(ValueError):
    """A response has more bytes than any answer needs."""


async def bound(response: httpx2.Response) -> None:
    """Have a response raise TooMuch where it goes beyond MOST_BYTES; a hook of the client."""
    stream = response.stream
    if isinstance(stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(stream)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise TooMuch
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
