"""Battles that close: in time, with enough votes, or because their author says so.

The message of each is edited once, to tell who was who, or that its prompt is gone. What a
sudden end left undone is found in the database by the next sweep.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import discord
import structlog
from discord.ext import commands, tasks

from bot.errors import StorageError
from cogs._edits import FAULTS
from cogs._render import battles as battle_views
from cogs._render import layout
from cogs._render import privacy as privacy_views
from cogs._responding import amend
from cogs.errors import report
from storage.records import BattleState, Closing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Any

    from discord.ui import LayoutView

    from bot.battles import BattleService
    from bot.closing import ClosingService, Result
    from bot.retention import RetentionService
    from cogs._edits import Edits, Stream
    from storage.records import Battle
    from storage.retention import Withdrawn

log = structlog.get_logger(__name__)

REVEAL_SECONDS = 30.0
"""How long a sweep waits for its edits before it has texts wiped; those it holds are edited
all the same."""

TOO_MANY_OLD_EDITS = 30046
"""Discord's code for an edit of an old message that may be tried again later."""

ARCHIVED = 50083
"""Discord's code for an edit in a thread that is archived."""

CLOSED = "It is closed. The message tells which is which now."


class ClosingCog(commands.Cog):
    """Closes battles and reveals them. `mended` waits until other messages are as they were."""

    def __init__(
        self,
        client: discord.Client,
        *,
        battles: BattleService,
        closing: ClosingService,
        retention: RetentionService,
        edits: Edits,
        mended: Callable[[], Awaitable[None]],
    ) -> None:
        self._client = client
        self._battles = battles
        self._closing = closing
        self._retention = retention
        self._edits = edits
        self._mended = mended
        self._revealing: dict[int, asyncio.Task[None]] = {}
        self._one_by_one = asyncio.Lock()

    async def cog_load(self) -> None:
        """Look at once, then every minute."""
        self._sweep.start()

    async def cog_unload(self) -> None:
        """What is not revealed yet is at the next start."""
        self._sweep.cancel()
        for task in self._revealing.values():
            task.cancel()

    @tasks.loop(minutes=1)
    async def _sweep(self) -> None:
        """Close, reveal, and only then wipe; a step that fails does not keep the next."""
        for step in (self._close_due, self._close_unkept, self._reveal_closed, self._wipe):
            try:
                await step()
            except StorageError as error:
                log.warning("a step of the sweep failed", step=step.__name__, why=str(error))
            except Exception:  # a loop that raises would not run again
                log.exception("a step of the sweep failed", step=step.__name__)

    @_sweep.before_loop
    async def _wait(self) -> None:
        await self._mended()

    @commands.Cog.listener()
    async def on_votes_enough(self, battle_id: int) -> None:
        """A vote was stored that may have been the last that a battle needs."""
        if await self._closing.close_due(battle_id):
            await asyncio.wait({self._reveal(battle_id)})

    @commands.Cog.listener()
    async def on_battle_closed(self, battle_id: int) -> None:
        """A battle was closed by what somebody did."""
        await asyncio.wait({self._reveal(battle_id)})

    @commands.Cog.listener()
    async def on_battles_withdrawn(self, withdrawn: Sequence[Withdrawn]) -> None:
        """Battles were cancelled, as their prompt is gone or its author erased."""
        for battle in withdrawn:
            if battle.message_id is None:
                await self._closing.revealed(battle.battle_id)
        if edits := {self._reveal(one.battle_id) for one in withdrawn if one.message_id}:
            await asyncio.wait(edits)

    @commands.Cog.listener()
    async def on_close_press(
        self, interaction: discord.Interaction, battle_id: int, _part: str | None
    ) -> None:
        """Close a battle for its author."""
        try:
            await amend(interaction, self._close_by_author(interaction, battle_id))
        except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
            await report(interaction, error)

    async def _close_by_author(
        self, interaction: discord.Interaction, battle_id: int
    ) -> LayoutView:
        battle = await self._battles.on_show(
            battle_id, guild_id=interaction.guild_id, channel_id=interaction.channel_id or 0
        )
        await self._closing.close_by_author(battle, interaction.user.id)
        self._reveal(battle_id)
        return layout.message(CLOSED)

    async def _close_due(self) -> None:
        await self._closing.close_due()

    async def _close_unkept(self) -> None:
        for battle_id in await self._retention.due():
            await self._closing.close(battle_id, Closing.RETENTION)

    async def _reveal_closed(self) -> None:
        edits = [self._reveal(battle_id) for battle_id in await self._closing.unrevealed()]
        if edits:
            await asyncio.wait(edits, timeout=REVEAL_SECONDS)

    async def _wipe(self) -> None:
        await self._retention.sweep()

    def _reveal(self, battle_id: int) -> asyncio.Task[None]:
        """Have the message of a closed battle edited, unless that is under way."""
        if battle_id not in self._revealing:
            task = asyncio.create_task(_logged(self._tell(battle_id), battle=battle_id))
            task.add_done_callback(lambda _: self._revealing.pop(battle_id))
            self._revealing[battle_id] = task
        return self._revealing[battle_id]

    async def _tell(self, battle_id: int) -> None:
        async with self._one_by_one:
            await asyncio.sleep(0)  # where hundreds close, others have their turns in between
            result = await self._closing.result(battle_id)
            if result is None:
                return
            view = _view(result)
        if self._closing.is_unseen(result.battle) or await self._edit(result.battle, view):
            await self._closing.revealed(battle_id)

    async def _edit(self, battle: Battle, view: LayoutView) -> bool:
        """Edit in turn with the others of the channel; False where it is to be tried again."""
        if battle.shown_message_id is None:
            return False
        channel = self._client.get_partial_messageable(battle.channel_id, guild_id=battle.guild_id)
        lane = self._edits.lane(battle.channel_id)
        stream = lane.add(channel.get_partial_message(battle.shown_message_id), just_sent=False)
        try:
            await self._finish(stream, view, battle.channel_id)
        except discord.HTTPException as error:
            log.warning("could not reveal", battle=battle.id, status=error.status, code=error.code)
            return _will_never_do(error)
        finally:
            lane.remove(stream)
        return True

    async def _finish(self, stream: Stream, view: LayoutView, channel_id: int) -> None:
        """Edit; a thread that is archived is opened as long as that takes."""
        try:
            await stream.finish(view)
        except discord.HTTPException as error:
            if error.code != ARCHIVED:
                raise
            thread = await self._client.fetch_channel(channel_id)
            if not isinstance(thread, discord.Thread):
                raise
            await thread.edit(archived=False)
            try:
                await stream.finish(view)
            finally:
                with suppress(*FAULTS):
                    await thread.edit(archived=True)


def _view(result: Result) -> LayoutView:
    if result.battle.state is BattleState.CANCELLED:
        return layout.message(privacy_views.PROMPT_DELETED)
    prompt = result.battle.conversation.prompt
    asked = prompt if prompt.text and prompt.message_id is None else None
    return battle_views.closed(result, asked=asked)


def _will_never_do(error: discord.HTTPException) -> bool:
    """Whether it is no use to try again: the message or its place is gone, or closed to us."""
    return error.status in {400, 403, 404} and error.code != TOO_MANY_OLD_EDITS


async def _logged(work: Coroutine[Any, Any, None], *, battle: int) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - nobody awaits it; the next sweep tries again
        log.warning("could not reveal", battle=battle, error=repr(error))
