"""What is kept of a member: asked once, shown, changed, handed over, erased."""

from __future__ import annotations

import asyncio
import gzip
import io
import time
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.contenders import OPENAI
from bot.errors import StorageError
from cogs import _choices
from cogs._choices import PrivacyButton
from cogs._edits import FAULTS, NO_PINGS
from cogs._render import privacy as privacy_views
from cogs._responding import Response, amend, respond
from cogs.errors import report
from storage.members import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from discord.ui import LayoutView

    from bot.client import TwofoldClient
    from bot.config import Config
    from bot.consent import ConsentService
    from bot.governing import GuildService
    from bot.mydata import MyDataService
    from bot.retention import RetentionService
    from storage.records import Consent

log = structlog.get_logger(__name__)

ASKING_COMMAND = "ask"

BURST = 2
WINDOW = 0.2
"""So many members are asked in so many seconds."""
MOST_WAITING = 20
"""Who waits for that keeps all in memory that came with a press; others are asked at the next."""


class PrivacyCog(commands.Cog):
    """Asks members, and does what they say. `hosts` are the servers that models run on."""

    mydata = app_commands.Group(name="mydata", description="What is stored about you.")

    def __init__(
        self,
        *,
        consent: ConsentService,
        retention: RetentionService,
        mydata: MyDataService,
        guilds: GuildService,
        hosts: Sequence[str],
        time: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consent = consent
        self._retention = retention
        self._mydata = mydata
        self._guilds = guilds
        self._hosts = hosts
        self._time = time
        self._asking = asyncio.Lock()
        self._waiting = 0
        self._asked_at: deque[float] = deque(maxlen=BURST)

    @commands.Cog.listener()
    async def on_press_answered(self, interaction: discord.Interaction) -> None:
        """Somebody voted and was told so."""
        await self._first_contact(interaction)

    @commands.Cog.listener()
    async def on_app_command_completion(
        self,
        interaction: discord.Interaction,
        command: app_commands.Command[Any, ..., Any] | app_commands.ContextMenu,
    ) -> None:
        """Somebody asked for answers and got them."""
        if command.name == ASKING_COMMAND:
            await self._first_contact(interaction)

    @commands.Cog.listener()
    async def on_consent(
        self, interaction: discord.Interaction, place: str, scope: Consent, version: int
    ) -> None:
        """A choice: stored, then confirmed in the place of the question."""
        choice = self._choose(interaction, place, scope, version)
        await _told(interaction, amend(interaction, choice))

    @commands.Cog.listener()
    async def on_privacy_more(self, interaction: discord.Interaction, version: int) -> None:
        """Show the whole text, and leave the question where it is."""
        await _told(interaction, respond(interaction, self._whole_text(interaction, version)))

    @commands.Cog.listener()
    async def on_privacy_erase(self, interaction: discord.Interaction) -> None:
        """Erase the one who pressed."""
        await _told(interaction, amend(interaction, self._erase(interaction)))

    @app_commands.command(description="What is kept of you here, and for what.")
    async def privacy(self, interaction: discord.Interaction) -> None:
        """Show what holds, with the buttons that change it."""
        await respond(interaction, self._panel(interaction))

    @mydata.command(description="How much is stored about you.")
    async def show(self, interaction: discord.Interaction) -> None:
        """Counts, here and everywhere."""
        await respond(interaction, self._shown(interaction))

    @mydata.command(description="All that is stored about you, as a file.")
    async def export(self, interaction: discord.Interaction) -> None:
        """Everything, for the one who asks alone."""
        await respond(interaction, self._exported(interaction))

    @mydata.command(description="Delete all that is stored about you, in all servers.")
    async def delete(self, interaction: discord.Interaction) -> None:
        """Ask first."""
        await respond(interaction, self._sure(interaction))

    async def _first_contact(self, interaction: discord.Interaction) -> None:
        """Ask a member who was not asked before; what they did is done and told already."""
        member, here = interaction.user.id, _place(interaction)
        if self._waiting == MOST_WAITING:
            return
        self._waiting += 1
        try:
            if await self._consent.asked(member, here):
                return
            await self._turn()
            if not await self._consent.asks(member, here):
                return
            position = await self._consent.position(member, here)
            view = privacy_views.first_contact(
                position,
                self._consent.text(position.latest),
                hours=await self._hours(interaction),
            )
            await interaction.followup.send(view=view, ephemeral=True, allowed_mentions=NO_PINGS)
        except (StorageError, *FAULTS) as error:
            log.warning("could not ask for consent", error=repr(error))
        finally:
            self._waiting -= 1

    async def _turn(self) -> None:
        """Wait where many are asked just now: presses go first, a question can come later."""
        async with self._asking:
            if len(self._asked_at) == BURST:
                await asyncio.sleep(self._asked_at[0] + WINDOW - self._time())
            self._asked_at.append(self._time())

    async def _choose(
        self, interaction: discord.Interaction, place: str, scope: Consent, version: int
    ) -> LayoutView:
        member, here = interaction.user.id, _place(interaction)
        where = EVERYWHERE if place == _choices.EVERYWHERE else here
        given = await self._consent.give(member, where, scope, version=version)
        position = await self._consent.position(member, here)
        if place == _choices.FIRST:
            return privacy_views.thanks(
                position, hours=await self._hours(interaction), tuned=given.tuned
            )
        return await self._panel_view(
            interaction, done=privacy_views.stored(position, place, scope, given)
        )

    async def _panel(self, interaction: discord.Interaction) -> Response:
        return Response(await self._panel_view(interaction))

    async def _panel_view(
        self, interaction: discord.Interaction, *, done: str | None = None
    ) -> LayoutView:
        settings = await self._guilds.settings(interaction.guild_id)
        return privacy_views.panel(
            await self._consent.position(interaction.user.id, _place(interaction)),
            hours=self._retention.hours(settings),
            link=settings.privacy_link,
            done=done,
        )

    async def _whole_text(self, interaction: discord.Interaction, version: int) -> Response:
        return Response(
            privacy_views.whole_text(
                self._consent.text(version),
                version=version,
                hours=await self._hours(interaction),
                hosts=self._hosts,
            )
        )

    async def _shown(self, interaction: discord.Interaction) -> Response:
        member, here = interaction.user.id, _place(interaction)
        view = privacy_views.shown(
            here=await self._mydata.counts_in(member, here),
            everywhere=await self._mydata.counts(member),
            in_guild=interaction.guild_id is not None,
        )
        return Response(view)

    async def _exported(self, interaction: discord.Interaction) -> Response:
        data, name = await self._mydata.export(interaction.user.id), "twofold-my-data.json"
        if len(data) > interaction.filesize_limit:
            data, name = gzip.compress(data), f"{name}.gz"
        file = discord.File(io.BytesIO(data), name)
        return Response(text="All that is stored about you.", file=file)

    async def _sure(self, interaction: discord.Interaction) -> Response:
        return Response(privacy_views.sure(await self._mydata.counts(interaction.user.id)))

    async def _erase(self, interaction: discord.Interaction) -> LayoutView:
        erasure = await self._mydata.erase(interaction.user.id)
        interaction.client.dispatch("battles_withdrawn", erasure.withdrawn)
        return privacy_views.erased(erasure)

    async def _hours(self, interaction: discord.Interaction) -> int:
        return self._retention.hours(await self._guilds.settings(interaction.guild_id))


def _place(interaction: discord.Interaction) -> int:
    return interaction.guild_id or EVERYWHERE


async def _told(interaction: discord.Interaction, work: Coroutine[Any, Any, None]) -> None:
    """Do it, or tell why not."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - discord.py would drop it without a word
        await report(interaction, error)


def hosts(config: Config) -> Sequence[str]:
    """The servers beyond this machine that conversations or answers are sent to, by name."""
    addresses = {address for contender in config.contenders for address in contender.servers}
    if config.moderator == "openai":
        addresses.add(config.openai_base_url or OPENAI)
    names = {urlsplit(address).hostname or "" for address in addresses if address}
    return sorted(names - {"localhost", "127.0.0.1", "::1"})


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    services = client.services
    client.add_dynamic_items(PrivacyButton)
    await client.add_cog(
        PrivacyCog(
            consent=services.consent,
            retention=services.retention,
            mydata=services.mydata,
            guilds=services.guilds,
            hosts=hosts(services.config),
        )
    )
