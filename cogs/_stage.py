"""Where a battle is shown: one message that may begin as a sentence, grow, and ends as the ballot.

It is edited in its place, below the prompt that it answers: a second message would come
after what others wrote meanwhile.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog

from bot.closing import result_of
from bot.errors import StorageError
from cogs._edits import FAULTS
from cogs._render import battles as battle_views
from cogs._render import layout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import discord
    from discord.ui import LayoutView

    from bot.admission import Place
    from bot.growth import Growth
    from cogs._edits import Editable, Edits, Lane, Stream
    from cogs._typing import Sign
    from storage.records import Battle, Turn

log = structlog.get_logger(__name__)


class Stage:
    """Watches a battle (see `Audience`) and shows what comes of it. Close it at the end.

    `send` posts the message, whose edits count in `bucket`; `placed` hears its id. The
    `sign` of being at work is shown as long as nothing else is. Where it is `doubtful`,
    `send` may find that another message was posted in its place before, and give that.
    """

    def __init__(
        self,
        *,
        send: Callable[[LayoutView], Awaitable[Editable]],
        placed: Callable[[int], Awaitable[None]],
        sign: Sign | None,
        edits: Edits,
        bucket: int,
        asked: Turn | None = None,
        doubtful: bool = False,
    ) -> None:
        self._send = send
        self._placed = placed
        self._sign = sign
        self._edits = edits
        self._bucket = bucket
        self._asked = asked
        self._told: int | None = None
        self._grows: bool | None = None
        self._posting: asyncio.Task[None] | None = None
        self._message: Editable | None = None
        self._stream: Stream | None = None
        self._latest: Callable[[], LayoutView | None] | None = None
        self._ended = False
        self._doubtful = doubtful
        self._at_work(on=True)

    def begins(self) -> None:
        """The battle is opened."""

    def waits(self, place: Place | None) -> None:
        """Tell the place in the line, and again each time that half of the wait is over."""
        if place is None:
            self._tell(battle_views.OUR_TURN)
            self._at_work(on=True)
            return
        self._at_work(on=False)
        if self._told is None or place.number <= self._told // 2:
            self._told = place.number
            self._tell(battle_views.busy(place))

    def grows(self, growth: Growth) -> None:
        """Show both answers as far as they are, unless too many grow here already."""
        if self._grows is None:
            self._grows = self._lane.begin_growing()
        if self._grows:
            self._show(partial(self._growing, growth))

    async def opens(self, battle: Battle) -> int:
        """Show the ballot, or who was who; returns the message's id.

        Raises what Discord raises.
        """
        return (await self._end(battle_views.shown(result_of(battle), asked=self._asked))).id

    async def explains(self, text: str) -> None:
        """Say why there is no ballot. Raises what Discord raises."""
        await self._end(layout.message(text))

    async def withdraws(self) -> None:
        """Take away what was shown: there is nothing to answer any more."""
        await self._settle()
        if self._message is not None:
            with suppress(*FAULTS):
                await self._message.delete()

    async def fails(self) -> None:
        """The message could not be posted; there is no place to say so."""

    def close(self) -> None:
        """Give the places back."""
        self._ended = True
        self._at_work(on=False)
        if self._grows:
            self._lane.end_growing()
        if self._stream is not None:
            self._lane.remove(self._stream)

    @property
    def _lane(self) -> Lane:
        return self._edits.lane(self._bucket)

    def _at_work(self, *, on: bool) -> None:
        if self._sign is not None:
            (self._sign.on if on else self._sign.off)()

    def _tell(self, text: str) -> None:
        self._show(partial(layout.message, text))

    def _growing(self, growth: Growth) -> LayoutView | None:
        texts = growth.texts()
        if texts is None:
            return None
        self._at_work(on=False)
        return battle_views.growing(texts, asked=self._asked)

    def _show(self, render: Callable[[], LayoutView | None]) -> None:
        if self._ended:
            return
        self._latest = render
        if self._stream is not None:
            self._stream.submit(render)
        elif self._posting is None and (view := render()) is not None:
            self._latest = None
            self._posting = asyncio.create_task(self._post(view))

    async def _post(self, view: LayoutView) -> None:
        self._at_work(on=False)
        try:
            message = await self._send(view)
        except FAULTS as error:
            log.warning("could not post", error=repr(error))
            self._doubtful = True
            return
        self._message = message
        self._stream = self._lane.add(message)
        if self._latest is not None:
            self._stream.submit(self._latest)
        with suppress(StorageError):  # needed only where this process ends before the battle
            await self._placed(message.id)

    async def _settle(self) -> None:
        self._ended = True
        if self._posting is not None:
            await asyncio.wait({self._posting})

    async def _end(self, view: LayoutView) -> Editable:
        await self._settle()
        if self._stream is None:
            self._message = await self._send(view)
            if not self._doubtful:
                return self._message
            # Discord may have taken what failed; then this is the earlier message, unchanged.
            self._stream = self._lane.add(self._message)
        await self._stream.finish(view)
        return self._stream.message


class PrivateStage(Stage):
    """Somebody pressed or commanded something: sentences are for them, answers for everyone.

    The interaction was deferred, and its answer tells how things stand. What Discord says
    to that is passed over, for after a quarter of an hour it cannot be edited any more.
    """

    def __init__(
        self,
        interaction: discord.Interaction,
        *,
        send: Callable[[LayoutView], Awaitable[Editable]],
        placed: Callable[[int], Awaitable[None]],
        sign: Sign | None,
        edits: Edits,
        bucket: int,
        asked: Turn | None = None,
        meanwhile: str | None = None,
    ) -> None:
        super().__init__(
            send=self._send_publicly,
            placed=placed,
            sign=sign,
            edits=edits,
            bucket=bucket,
            asked=asked,
        )
        self._post_publicly = send
        self._private_lane = edits.lane(interaction.id)
        self._private = self._private_lane.add(_Response(interaction), just_sent=False)
        self._meanwhile = meanwhile

    def begins(self) -> None:
        """Take the buttons away that were pressed: once is enough."""
        if self._meanwhile is not None:
            self._tell(self._meanwhile)

    async def explains(self, text: str) -> None:
        """Say it where the answers would be if they began to show, else in private."""
        await self._settle()
        if self._stream is None:
            await self._say(text)
        else:
            await super().explains(text)

    async def withdraws(self) -> None:
        """Say so in private as well."""
        await super().withdraws()
        await self._say(battle_views.DELETED)

    async def fails(self) -> None:
        """Say so in private."""
        await self._say(battle_views.NO_PLACE)

    def close(self) -> None:
        """Give the places back."""
        super().close()
        self._private_lane.remove(self._private)

    def _tell(self, text: str) -> None:
        self._private.submit(partial(layout.message, text))

    async def _send_publicly(self, view: LayoutView) -> Editable:
        # The first message after a deferral would fill it, and be as private as it is.
        await self._say(battle_views.HERE)
        return await self._post_publicly(view)

    async def _say(self, text: str) -> None:
        with suppress(*FAULTS):
            await self._private.finish(layout.message(text))


class _Response:
    """The answer to an interaction, as a message that can be edited."""

    def __init__(self, interaction: discord.Interaction) -> None:
        self.id = interaction.id
        self._interaction = interaction

    async def edit(self, *, view: LayoutView, allowed_mentions: discord.AllowedMentions) -> None:
        await self._interaction.edit_original_response(view=view, allowed_mentions=allowed_mentions)

    async def delete(self) -> None:
        await self._interaction.delete_original_response()
