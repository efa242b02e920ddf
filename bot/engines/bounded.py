"""Responses that end: a server that goes on and on must not fill the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_BYTES = 16 * 2**20
"""Of one response: ten times what a long answer takes, each token in an event of its own."""


class TooMuch(ValueError):
    """A response has more bytes than any answer needs, or is packed, so that nobody knows."""


async def bound(response: httpx2.Response) -> None:
    """Have a response raise TooMuch where it goes beyond MOST_BYTES; a hook of the client.

    One that is packed does at once: it was not asked for, and a few bytes may become any number.
    """
    stream = response.stream
    packed = response.headers.get("content-encoding", "identity") != "identity"
    if isinstance(stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(stream, most=0 if packed else MOST_BYTES)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, *, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise TooMuch
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
