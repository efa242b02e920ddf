"""What the votes say so far and whether they are sound, battles again, and what this bot is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot import __version__
from bot.insight.counting import Counting
from cogs._permissions import may_read
from cogs._render import battles as battle_views
from cogs._render import insight as insight_views
from cogs._render import layout
from cogs._render import leaderboard as board_views
from cogs._render import stats as stats_views
from cogs._responding import Response, respond
from cogs.errors import tell

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from bot.client import TwofoldClient
    from bot.insight.pictures import Pictures
    from bot.insight.service import InsightService
    from bot.patience import Patiently
    from bot.recalling import RecallService

DAYS = {"30 days": 30, "7 days": 7}
"""The periods that have a beginning."""

_WORDS = {
    "period": "Only battles that have closed since; all where nothing is said.",
    "topic": "Only prompts of one sort; all where nothing is said.",
    "authors": "Whether the votes of those who asked count too; yes where nothing is said.",
    "exact": "Scores, shares and counts as well.",
    "moving": "How the scores went over time, as a moving picture.",
}


class InsightCog(commands.Cog):
    """Read-only commands for everyone."""

    def __init__(
        self,
        *,
        insight: InsightService,
        pictures: Pictures,
        recalling: RecallService,
        patiently: Patiently,
    ) -> None:
        self._insight = insight
        self._pictures = pictures
        self._recalling = recalling
        self._patiently = patiently

    @app_commands.command(description="Who is ahead here, by the battles that have closed.")
    @app_commands.describe(**_WORDS)
    @app_commands.guild_only()
    async def leaderboard(
        self,
        interaction: discord.Interaction,
        period: Literal["all time", "30 days", "7 days"] = "all time",
        topic: Literal["code", "creative", "question", "chat"] | None = None,
        authors: bool = True,  # noqa: FBT001, FBT002 - how discord.py declares options
        exact: bool = False,  # noqa: FBT001, FBT002
        moving: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """The ranking of this guild, for the asker alone."""
        days = DAYS.get(period)
        counting = Counting(
            guilds=(_guild(interaction).id,),
            topics=(topic,) if topic else (),
            since=(interaction.created_at - timedelta(days=days)).date() if days else None,
            author_votes=authors,
        )
        board = self._leaderboard(counting, exact=exact, moving=moving)
        await respond(interaction, self._figured(board))

    @app_commands.command(description="Whether the votes here mean anything, and your own.")
    @app_commands.describe(exact="Percentages and coefficients as well.")
    @app_commands.guild_only()
    async def stats(
        self,
        interaction: discord.Interaction,
        exact: bool = False,  # noqa: FBT001, FBT002 - how discord.py declares options
    ) -> None:
        """Biases, blinding, agreement, and the asker's own figures, for the asker alone."""
        guild = _guild(interaction)
        stats = self._stats(guild.id, interaction.user.id, exact=exact)
        await respond(interaction, self._figured(stats))

    @app_commands.command(description="Show a battle again, by its number.")
    @app_commands.describe(number="It stands under the answers, after a #.")
    @app_commands.guild_only()
    async def battle(
        self, interaction: discord.Interaction, number: app_commands.Range[int, 1]
    ) -> None:
        """Who was who and the tally, or the ballot of an open one, for the asker alone."""
        await respond(interaction, self._battle(interaction, number))

    @app_commands.command(description="What this bot does and what it keeps.")
    async def about(self, interaction: discord.Interaction) -> None:
        """A few plain lines."""
        await tell(interaction, insight_views.about(__version__))

    async def _figured(self, making: Coroutine[Any, Any, Response]) -> Response:
        """Figures and pictures come from threads, and the first ones take a while."""
        response: Response = await self._patiently(making)
        return response

    async def _leaderboard(self, counting: Counting, *, exact: bool, moving: bool) -> Response:
        board = await self._insight.leaderboard(counting)
        head = board_views.head(board)
        if not board.votes:
            return Response(layout.message(head))
        body = board_views.body(board, exact=exact)
        if moving:
            course = await self._insight.course(counting)
            drawn = await self._pictures.course(course, board)
            alt = board_views.alt_of_course(course)
            file = insight_views.picture(drawn, "scores.gif", alt=alt)
            return Response(insight_views.pictured(head, file, board_views.ELO, body), file=file)
        drawn, alt = await self._pictures.leaderboard(board), board_views.alt(board)
        file = insight_views.picture(drawn, "leaderboard.png", alt=alt)
        return Response(insight_views.pictured(head, file, body), file=file)

    async def _stats(self, guild_id: int, member_id: int, *, exact: bool) -> Response:
        stats = await self._insight.stats(Counting(guilds=(guild_id,)))
        head = stats_views.head(stats)
        if not stats.leaderboard.votes:
            return Response(layout.message(head))
        own = await self._insight.own(member_id, guild_id)
        drawn, alt = await self._pictures.stats(stats), stats_views.alt(stats)
        file = insight_views.picture(drawn, "stats.png", alt=alt)
        body = stats_views.body(stats, own, exact=exact)
        return Response(insight_views.pictured(head, file, body), file=file)

    async def _battle(self, interaction: discord.Interaction, number: int) -> Response:
        guild, member = _guild(interaction), interaction.user
        result = await self._recalling.find(
            number,
            guild_id=guild.id,
            may_read=lambda channel_id: (
                isinstance(member, discord.Member)
                and may_read(member, channel_id, here=interaction.channel)
            ),
        )
        return Response(battle_views.recalled(result))


def _guild(interaction: discord.Interaction) -> discord.Guild:
    if interaction.guild is None:
        raise app_commands.NoPrivateMessage
    return interaction.guild


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    services = client.services
    await client.add_cog(
        InsightCog(
            insight=services.insight,
            pictures=services.pictures,
            recalling=services.recalling,
            patiently=services.patiently,
        )
    )
