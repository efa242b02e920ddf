"""What else a ballot offers: the full texts, the same prompt again, the answers continued."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from discord.ext import commands

from bot import sequels
from cogs._render import battles as battle_views
from cogs._responding import Response, defer, respond
from cogs.errors import report
from storage.records import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    import discord

    from bot.battles import Ask, BattleService
    from bot.voting import VotingService
    from cogs._running import Runner
    from storage.records import Battle


class MoreCog(commands.Cog):
    """Hears the button with the three dots, and those of the message that it opens."""

    def __init__(self, *, battles: BattleService, voting: VotingService, runner: Runner) -> None:
        self._battles = battles
        self._voting = voting
        self._runner = runner

    @commands.Cog.listener()
    async def on_more_press(
        self, interaction: discord.Interaction, battle_id: int, _part: str | None
    ) -> None:
        """Offer what there is, to the one who pressed."""
        await _told(interaction, respond(interaction, self._more(interaction, battle_id)))

    @commands.Cog.listener()
    async def on_full_press(
        self, interaction: discord.Interaction, battle_id: int, part: str
    ) -> None:
        """Show all of an answer, masked as the ballot is: this may be before the vote."""
        full_text = self._full_text(interaction, battle_id, Side(part))
        await _told(interaction, respond(interaction, full_text))

    @commands.Cog.listener()
    async def on_again_press(
        self, interaction: discord.Interaction, battle_id: int, _part: str | None
    ) -> None:
        """Have the same prompt answered by two others."""
        await _told(interaction, self._sequel(interaction, battle_id, sequels.again))

    @commands.Cog.listener()
    async def on_continue_press(
        self, interaction: discord.Interaction, battle_id: int, _part: str | None
    ) -> None:
        """Have the answers go on."""
        await _told(interaction, self._sequel(interaction, battle_id, sequels.continued))

    async def _more(self, interaction: discord.Interaction, battle_id: int) -> Response:
        battle = await self._battle(interaction, battle_id)
        by_author = interaction.user.id == battle.author_id
        return Response(battle_views.more(battle, by_author=by_author))

    async def _full_text(
        self, interaction: discord.Interaction, battle_id: int, side: Side
    ) -> Response:
        battle = await self._battle(interaction, battle_id)
        text = self._battles.full_text(battle, side)
        await self._voting.opened_full_text(battle, interaction.user.id)
        return battle_views.full_text(battle, side, text)

    async def _sequel(
        self, interaction: discord.Interaction, battle_id: int, make: Callable[..., Ask]
    ) -> None:
        """A new battle, below the message that the first one answered, else below its ballot."""
        await defer(interaction)
        battle = await self._battle(interaction, battle_id)
        ask = make(battle, by=interaction.user.id, source_message_id=interaction.id)
        await self._battles.admit(
            guild_id=ask.guild_id, channel_id=ask.channel_id, member_id=interaction.user.id
        )
        below = battle.conversation.prompt.message_id or battle.shown_message_id or 0
        channel = interaction.client.get_partial_messageable(
            battle.channel_id, guild_id=battle.guild_id
        )
        to = channel.get_partial_message(below)
        stage = self._runner.responding(interaction, to=to, meanwhile=battle_views.ANSWERING)
        with closing(stage):
            if not await self._runner.hold(self._runner.run(ask, stage)):
                await stage.withdraws()

    async def _battle(self, interaction: discord.Interaction, battle_id: int) -> Battle:
        return await self._battles.on_show(
            battle_id, guild_id=interaction.guild_id, channel_id=interaction.channel_id or 0
        )


async def _told(interaction: discord.Interaction, work: Coroutine[Any, Any, None]) -> None:
    """Do it, or tell why not."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
        await report(interaction, error)
