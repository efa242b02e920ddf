"""Edits of messages, as fast as Discord takes them and no faster.

All messages of a channel share one bucket of edits, and those of an interaction have
another. discord.py would make the edits wait there, old ones before new ones; here the
latest text wins, endings go first, and what has waited longest is next. Messages that
are older than an hour have a stricter limit besides, and keep nothing younger waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

import aiohttp
import discord
import structlog
from structlog.contextvars import clear_contextvars

from bot.patience import simply
from cogs._persisting import persistently

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from discord.ui import LayoutView

    from bot.patience import Patiently

log = structlog.get_logger(__name__)

BURST = 5
WINDOW = 5.25
"""At most so many edits in so many seconds: Discord takes five in five."""

OLD = timedelta(hours=1)
OLD_BURST = 3
OLD_WINDOW = 6.3
"""The same for messages that are older than this: unofficially it is three in six seconds."""

GAP = 1.05
ALONE = 1.2
"""Seconds between two edits of the bucket, and of a message that nothing else keeps waiting."""

NEVER = float("-inf")

MOST_GROWING = 3
"""Messages that may grow in one bucket: with more, each would grow too slowly to follow."""

NO_PINGS = discord.AllowedMentions.none()
"""What the client has for all that it sends, discord.py does not add to edits without content."""

FAULTS = (discord.HTTPException, aiohttp.ClientError, ConnectionError, TimeoutError)


class Editable(Protocol):
    """A message of the bot, however it was sent."""

    @property
    def id(self) -> int:
        """Discord's id."""

    def edit(
        self, *, view: LayoutView, allowed_mentions: discord.AllowedMentions
    ) -> Awaitable[object]:
        """Put something else in its place."""

    def delete(self) -> Awaitable[object]:
        """Take it away."""


class Stream:
    """One message that changes. It is edited only when its lane lets it."""

    def __init__(self, lane: Lane, message: Editable, *, edited: float) -> None:
        self.message = message
        self.edited = edited
        self.render: Callable[[], LayoutView | None] | None = None
        self.ended: asyncio.Future[None] | None = None
        self.lost = False
        self.left = False
        self._lane = lane

    def submit(self, render: Callable[[], LayoutView | None]) -> None:
        """Edit when there is room; `render` is asked then, and may have nothing new."""
        if self.ended is None and not self.lost:
            self.render = render
            self._lane.wake(self)

    async def finish(self, view: LayoutView) -> None:
        """Edit for the last time, before all that only grows. Raises what the edit raises.

        It is done also where the one who waits for it is cancelled.
        """
        self.ended = asyncio.get_running_loop().create_future()
        self.render = lambda: view
        self._lane.wake(self)
        await self._lane.patiently(_result(self.ended))


class Lane:
    """The edits of one bucket."""

    def __init__(
        self, clock: Callable[[], float], now: Callable[[], datetime], patiently: Patiently
    ) -> None:
        self.patiently = patiently
        self._clock = clock
        self._now = now
        self._streams: list[Stream] = []
        self._growing = 0
        self._times: deque[float] = deque(maxlen=BURST)
        self._old_times: deque[float] = deque(maxlen=OLD_BURST)
        self._worker: asyncio.Task[None] | None = None
        self._pause: asyncio.Task[None] | None = None
        self._paused_until = NEVER

    @property
    def idle(self) -> bool:
        """Whether nothing is left here that later edits depend on."""
        quiet = not self._times or self._clock() - self._times[-1] > max(WINDOW, OLD_WINDOW)
        return quiet and not self._streams and not self._growing

    def begin_growing(self) -> bool:
        """Take one of the places for messages that grow; False where all are taken."""
        if self._growing == MOST_GROWING:
            return False
        self._growing += 1
        return True

    def end_growing(self) -> None:
        """Give the place back."""
        self._growing -= 1

    def add(self, message: Editable, *, just_sent: bool = True) -> Stream:
        """A message that is to be edited; soon, but where it was `just_sent`."""
        stream = Stream(self, message, edited=self._clock() if just_sent else NEVER)
        self._streams.append(stream)
        return stream

    def remove(self, stream: Stream) -> None:
        """No more edits for this one, but for an ending that waits."""
        stream.left = True
        if stream.ended is None or stream.render is None:
            self._streams.remove(stream)

    def wake(self, stream: Stream) -> None:
        """There is something to do for a stream, perhaps before what is waited for."""
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        elif self._pause is not None and self._due(stream) < self._paused_until:
            self._pause.cancel()

    async def _work(self) -> None:
        clear_contextvars()  # it works for others too than the battle that began it
        while waiting := [stream for stream in self._streams if stream.render is not None]:
            now = self._clock()
            stream = min(waiting, key=lambda s: (max(now, self._due(s)), s.ended is None, s.edited))
            if (due := self._due(stream)) > now:
                self._paused_until = due
                self._pause = asyncio.create_task(asyncio.sleep(due - now))
                await asyncio.wait({self._pause})
            else:
                await self._edit(stream)
                if stream.left and stream.render is None and stream in self._streams:
                    self._streams.remove(stream)

    def _due(self, stream: Stream) -> float:
        free = self._times[0] + WINDOW if len(self._times) == BURST else NEVER
        if self._is_old(stream) and len(self._old_times) == OLD_BURST:
            free = max(free, self._old_times[0] + OLD_WINDOW)
        if stream.ended is not None:
            return free
        last = self._times[-1] if self._times else NEVER
        return max(free, last + GAP, stream.edited + max(ALONE, GAP * self._growing))

    def _is_old(self, stream: Stream) -> bool:
        return self._now() - discord.utils.snowflake_time(stream.message.id) > OLD

    async def _edit(self, stream: Stream) -> None:
        render, stream.render, ended = stream.render, None, stream.ended
        try:
            view = render() if render is not None else None
            if view is None:
                return
            stream.edited = self._clock()
            self._times.append(stream.edited)
            if self._is_old(stream):
                self._old_times.append(stream.edited)
            edit = partial(stream.message.edit, view=view, allowed_mentions=NO_PINGS)
            await (edit() if ended is None else persistently(edit))
        except Exception as error:  # noqa: BLE001 - the others of the bucket must not wait for ever
            if ended is not None and not ended.done():
                ended.set_exception(error)
                return
            log.warning("could not edit", message=stream.message.id, error=repr(error))
            passing = isinstance(error, FAULTS)
            stream.lost = not passing or isinstance(error, discord.NotFound | discord.Forbidden)
        else:
            if ended is not None and not ended.done():
                ended.set_result(None)


async def _result(ended: asyncio.Future[None]) -> None:
    await ended


class Edits:
    """The lanes by bucket: a channel's id, or an interaction's."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = discord.utils.utcnow,
        patiently: Patiently = simply,
    ) -> None:
        self._clock = clock
        self._now = now
        self._patiently = patiently
        self._lanes: dict[int, Lane] = {}

    def lane(self, bucket: int) -> Lane:
        """The bucket's lane; the same one as long as something is in it."""
        if bucket not in self._lanes:
            self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle}
            self._lanes[bucket] = Lane(self._clock, self._now, self._patiently)
        return self._lanes[bucket]
