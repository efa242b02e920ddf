"""The ballot and what follows a vote: the guess, the reveal, reasons, better texts, undoing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import discord
from discord.ext import commands

from bot.errors import VoteRefused
from bot.moderation import moderated, plain
from bot.voting import NothingWritten, VoteChanged
from cogs import _modals
from cogs._pressing import take
from cogs._render import battles as battle_views
from cogs._render import votes as vote_views
from cogs._responding import Response, amend, respond
from cogs._views import UNSURE, BattleButton
from cogs.errors import give_back, report
from storage.records import Choice, Reason, Side

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from bot.battles import BattleService
    from bot.client import TwofoldClient
    from bot.closing import ClosingService
    from bot.voting import OwnView, Page, VotingService
    from cogs._views import Meant

FORMS = frozenset({"fix", "why"})


class VotingCog(commands.Cog):
    """Hears the ballot's buttons, and those of the message that a voter gets."""

    def __init__(
        self, *, voting: VotingService, battles: BattleService, closing: ClosingService
    ) -> None:
        self._voting = voting
        self._battles = battles
        self._closing = closing

    @commands.Cog.listener()
    async def on_vote_press(
        self, interaction: discord.Interaction, battle_id: int, part: str
    ) -> None:
        """A choice on a ballot."""
        await take(interaction, battle_id, Choice(part), voting=self._voting)

    @commands.Cog.listener()
    async def on_guess_press(
        self, interaction: discord.Interaction, battle_id: int, part: str, **page: Unpack[Page]
    ) -> None:
        """Store the guess; tell who was who in the place of the question."""
        side = None if part == UNSURE else Side(part)
        guessing = self._guess(interaction, battle_id, side, **page)
        await _told(interaction, amend(interaction, guessing))

    @commands.Cog.listener()
    async def on_look_press(
        self, interaction: discord.Interaction, battle_id: int, _part: None, *, swapped: bool
    ) -> None:
        """Back to the reveal."""
        looking = self._voting.own(battle_id, interaction.user.id, swapped=swapped)
        await _told(interaction, amend(interaction, _page(looking)))

    @commands.Cog.listener()
    async def on_why_press(
        self, interaction: discord.Interaction, battle_id: int, _part: None, **page: Unpack[Page]
    ) -> None:
        """Offer the reasons."""
        asking = self._reasons(interaction, battle_id, **page)
        await _told(interaction, amend(interaction, asking))

    @commands.Cog.listener()
    async def on_reason_press(
        self, interaction: discord.Interaction, battle_id: int, part: str, **page: Unpack[Page]
    ) -> None:
        """Store the reason, or open a form for another one."""
        reason = Reason(part)
        if reason is Reason.OTHER:
            await _told(interaction, self._ask_why(interaction, battle_id, **page))
            return
        explaining = self._voting.explain(battle_id, interaction.user.id, reason, **page)
        await _told(interaction, amend(interaction, _page(explaining)))

    @commands.Cog.listener()
    async def on_fix_press(
        self, interaction: discord.Interaction, battle_id: int, part: str, **page: Unpack[Page]
    ) -> None:
        """Open a form with the answer."""
        await _told(interaction, self._ask_fix(interaction, battle_id, Side(part), **page))

    @commands.Cog.listener()
    async def on_undo_press(
        self, interaction: discord.Interaction, battle_id: int, _part: None, *, swapped: bool
    ) -> None:
        """Take the vote back."""
        undoing = self._undo(interaction, battle_id, swapped=swapped)
        await _told(interaction, amend(interaction, undoing))

    @commands.Cog.listener()
    async def on_read_press(
        self, interaction: discord.Interaction, battle_id: int, part: str, *, swapped: bool
    ) -> None:
        """Show all of an answer to somebody who has voted, or got the ballot alone."""
        reading = self._read(interaction, battle_id, Side(part), swapped=swapped)
        await _told(interaction, respond(interaction, reading))

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """A form was handed in, maybe one that was opened before a restart."""
        if interaction.type is not discord.InteractionType.modal_submit:
            return
        form = _modals.meant_by(interaction)
        if form is None or form.action not in FORMS:
            return
        text = _modals.written(interaction)
        try:
            await amend(interaction, _page(self._add(form, interaction.user.id, text)))
        except NothingWritten as nothing:
            await report(interaction, nothing)
        except VoteChanged as changed:
            await _told(interaction, amend(interaction, _stale(changed)))
            await give_back(interaction, changed, text)
        except Exception as error:  # noqa: BLE001 - what was written must not be lost
            await give_back(interaction, error, text)

    async def _guess(
        self,
        interaction: discord.Interaction,
        battle_id: int,
        side: Side | None,
        **page: Unpack[Page],
    ) -> discord.ui.LayoutView:
        """A battle with enough votes waited for this, and closes before it is told of.

        Others hear of that as `on_battle_closed`.
        """
        voter_id = interaction.user.id
        own = await self._voting.guess(battle_id, voter_id, side, **page)
        if await self._closing.close_due(battle_id):
            interaction.client.dispatch("battle_closed", battle_id)
            own = await self._voting.own(battle_id, voter_id, swapped=own.swapped)
        return vote_views.guessed(own)

    async def _reasons(
        self, interaction: discord.Interaction, battle_id: int, **page: Unpack[Page]
    ) -> discord.ui.LayoutView:
        own = await self._voting.open_to_remarks(battle_id, interaction.user.id, **page)
        return vote_views.reasons(own)

    async def _ask_why(
        self, interaction: discord.Interaction, battle_id: int, **page: Unpack[Page]
    ) -> None:
        own = await self._voting.open_to_remarks(battle_id, interaction.user.id, **page)
        await interaction.response.send_modal(_modals.comment(own))

    async def _ask_fix(
        self, interaction: discord.Interaction, battle_id: int, side: Side, **page: Unpack[Page]
    ) -> None:
        own = await self._voting.open_to_remarks(battle_id, interaction.user.id, **page)
        await interaction.response.send_modal(_modals.fix(own, side, self._whole(own, side)))

    async def _add(self, form: Meant, voter_id: int, text: str) -> OwnView:
        where, page = form.battle_id, form.page
        if form.action == "why":
            return await self._voting.comment(where, voter_id, text, **page)
        side = Side(form.part or "")
        was = self._whole(await self._voting.open_to_remarks(where, voter_id, **page), side)
        return await self._voting.improve(where, voter_id, side, text, was=was, **page)

    def _whole(self, own: OwnView, side: Side) -> str:
        """All of an answer, as it is given to a voter to write better."""
        if (text := plain(own.battle.answer(side))) is None:
            raise VoteRefused(vote_views.HIDDEN_ANSWER)
        whole = self._battles.full_text(own.battle, side)
        return text if moderated(own.battle.answer(side)) else whole

    async def _undo(
        self, interaction: discord.Interaction, battle_id: int, *, swapped: bool
    ) -> discord.ui.LayoutView:
        own = await self._voting.undo(battle_id, interaction.user.id, swapped=swapped)
        return vote_views.undone(own)

    async def _read(
        self, interaction: discord.Interaction, battle_id: int, side: Side, *, swapped: bool
    ) -> Response:
        own = await self._voting.readable(battle_id, interaction.user.id, swapped=swapped)
        text = self._battles.full_text(own.battle, side)
        await self._voting.opened_full_text(own.battle, interaction.user.id)
        return battle_views.full_text(own.battle, side, text)


async def _page(work: Coroutine[Any, Any, OwnView]) -> discord.ui.LayoutView:
    return vote_views.page(await work)


async def _stale(changed: VoteChanged) -> discord.ui.LayoutView:
    return vote_views.stale(changed)


async def _told(interaction: discord.Interaction, work: Coroutine[Any, Any, None]) -> None:
    """Do it, or tell why not; what was pressed on shows the vote that stands then."""
    try:
        await work
    except VoteChanged as changed:
        await _told(interaction, amend(interaction, _stale(changed)))
    except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
        await report(interaction, error)


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    client.add_dynamic_items(BattleButton)
    services = client.services
    await client.add_cog(
        VotingCog(voting=services.voting, battles=services.battles, closing=services.closing)
    )
