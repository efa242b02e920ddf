"""What all engines share once text is made: a bounded line, a deadline, stops, chunks."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.engines import Chunk
from bot.engines.stops import StopFinder
from bot.errors import EngineBusy, EngineTimeout, EngineUnavailable
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bot.engines import CompletionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What an engine makes: new text, and the counts so far. The last one has a reason.

    `stop` is for engines whose far side matches stops and says which one it met;
    `made_by` for those that have more than one way to generate.
    """

    text: str
    finish_reason: FinishReason | None = None
    stop: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    made_by: str = ""


class Line:
    """The callers of one engine: at most `limit` at a time, all let go when it closes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._closed = False
        self._waiting = 0
        self._timeouts: set[asyncio.Timeout] = set()

    def close(self) -> None:
        """Fail all callers with EngineUnavailable, and whoever comes after them."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for timeout in self._timeouts:
            timeout.reschedule(now)

    async def deliver(
        self, pieces: AsyncGenerator[Piece, None], request: CompletionRequest
    ) -> AsyncGenerator[Chunk, None]:
        """Turn an engine's pieces into the chunks of the Engine protocol.

        Cuts at the earliest stop and closes `pieces` then, as it does when the caller
        closes this iterator. Raises EngineBusy when the line is full, EngineTimeout
        when the deadline has passed since the first step (the time that the caller
        takes between chunks counts), EngineUnavailable when the engine closes.
        """
        if self._waiting >= self._limit:
            raise EngineBusy(
                f"{self._waiting} answers are already waiting for this model. "
                "Try again in a moment."
            )
        self._waiting += 1
        try:
            async with aclosing(pieces), aclosing(self._chunks(pieces, request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._waiting -= 1

    async def _chunks(
        self, pieces: AsyncGenerator[Piece, None], request: CompletionRequest
    ) -> AsyncGenerator[Chunk, None]:
        finder = StopFinder(request.stops)
        ends = asyncio.get_running_loop().time() + request.deadline
        piece = Piece(text="")
        while piece.finish_reason is None and finder.hit is None:
            piece = await self._next(pieces, ends)
            text = finder.feed(piece.text)
            if piece.finish_reason is not None:
                text += finder.flush()
            elif finder.hit is None:
                if text:
                    yield Chunk(text=text)
                continue
            yield Chunk(
                text=text,
                finish_reason=FinishReason.STOP if finder.hit else piece.finish_reason,
                stop=finder.hit or piece.stop,
                prompt_tokens=piece.prompt_tokens,
                completion_tokens=piece.completion_tokens,
                made_by=piece.made_by,
            )

    async def _next(self, pieces: AsyncGenerator[Piece, None], ends: float) -> Piece:
        if self._closed:
            raise _closed()
        timeout = asyncio.timeout_at(ends)
        self._timeouts.add(timeout)
        try:
            async with timeout:
                return await anext(pieces)
        except TimeoutError:
            if self._closed:
                raise _closed() from None
            raise EngineTimeout(
                "The model took too long to answer. Try again in a moment."
            ) from None
        finally:
            self._timeouts.discard(timeout)


def _closed() -> EngineUnavailable:
    return EngineUnavailable("The model was stopped before it answered. Try again in a moment.")
