"""Running a battle: from a prompt to its message, whatever happens in between."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import discord
import structlog

from bot.battles import BattleCancelled
from cogs._edits import FAULTS, Edits
from cogs._stage import PrivateStage, Stage
from cogs._typing import Sign, Typing
from cogs.errors import sentence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from discord.ui import LayoutView

    from bot.battles import Ask, BattleService
    from bot.patience import Patiently
    from cogs._edits import Editable
    from storage.records import Battle, Turn

log = structlog.get_logger(__name__)

T = TypeVar("T")

DRAIN_SECONDS = 8.0
"""How long a closing client waits for battles; supervisors kill after ten seconds."""

GONE = {10008, 50035}
"""Discord's codes for a message, or a reply to one, that no longer exists."""

RESTART = "I am being restarted. Ask again in a minute."


class Runner:
    """Has battles answered on stages, and waits for them when the client closes."""

    def __init__(self, battles: BattleService, *, patiently: Patiently) -> None:
        self._battles = battles
        self._edits = Edits(patiently=patiently)
        self._typing = Typing()
        self._at_work: set[asyncio.Task[Any]] = set()

    def replying(self, to: discord.Message) -> Stage:
        """A stage below a message, for the battle that is opened for it."""
        return Stage(
            send=_reply(to, nonce=to.id),
            placed=partial(self._battles.placed, to.id),
            sign=Sign(self._typing, to.channel),
            edits=self._edits,
            bucket=to.channel.id,
        )

    def responding(
        self,
        interaction: discord.Interaction,
        *,
        to: discord.Message | discord.PartialMessage | None = None,
        source_message_id: int | None = None,
        asked: Turn | None = None,
        meanwhile: str | None = None,
    ) -> Stage:
        """A stage for one who pressed or commanded something, which was deferred.

        It stands below the message `to` where there is one, else below the response, and
        says then what was `asked`. The battle is opened for `source_message_id`, or for
        the interaction. `meanwhile` takes the place of what was pressed.
        """
        source = source_message_id or interaction.id

        async def follow_up(view: LayoutView) -> Editable:
            return await interaction.followup.send(view=view, wait=True)

        return PrivateStage(
            interaction,
            send=_reply(to, nonce=source) if to else follow_up,
            placed=partial(self._battles.placed, source),
            sign=Sign(self._typing, to.channel) if to else None,
            edits=self._edits,
            bucket=to.channel.id if to else interaction.id,
            asked=asked,
            meanwhile=meanwhile,
        )

    async def hold(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something that a closing client waits for."""
        task = asyncio.ensure_future(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return await task

    async def drain(self) -> None:
        """Let running battles end before the client closes; give the rest up."""
        if not self._at_work:
            return
        log.info("waiting for battles to end", battles=len(self._at_work))
        _, left = await asyncio.wait(self._at_work, timeout=DRAIN_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def run(self, ask: Ask, stage: Stage) -> bool:
        """Open, answer and show a battle, or explain why not; False if there is none to open.

        Raises LimitReached and BattleError where it may not be opened.
        """
        battle = await self._battles.open(ask)
        if battle is None:
            return False
        stage.begins()
        try:
            battle = await self._battles.answer(battle, stage)
        except BattleCancelled:
            log.info("the prompt was deleted", battle=battle.id)
            await stage.withdraws()
        except asyncio.CancelledError:
            await self._post(battle, stage, stage.explains(RESTART))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told in one sentence
            await self._post(battle, stage, stage.explains(sentence(error)))
        else:
            shown = await self._post(battle, stage, stage.opens(battle))
            if shown is not None and not await self._battles.shown(battle, shown):
                await stage.withdraws()
        return True

    async def _post(self, battle: Battle, stage: Stage, posting: Awaitable[T]) -> T | None:
        """Send to Discord; None where that fails, and the battle is given up then."""
        try:
            return await posting
        except FAULTS as error:
            log.warning("could not post", battle=battle.id, error=repr(error))
            if isinstance(error, discord.HTTPException) and error.code in GONE:
                await self._battles.cancel(battle.source_message_id)
                await stage.withdraws()
            else:
                await self._battles.abandon(battle, reason="not shown")
                await stage.fails()
        return None


def _reply(
    to: discord.Message | discord.PartialMessage, *, nonce: int
) -> Callable[[LayoutView], Awaitable[Editable]]:
    async def reply(view: LayoutView) -> Editable:
        return await to.reply(view=view, nonce=nonce)

    return reply
