"""The real client in a simulated Discord, on a real database, with scripted models."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord
import pytest
import simcord

from bot.app import Services, now, open_services
from bot.client import TwofoldClient
from bot.config import Config, ContenderConfig
from storage.records import NOBODY, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from bot.engines import Engine

BASE, INSTRUCT = "plain-writer", "polite-helper"


@dataclass
class Town:
    """A server with an enabled channel, another one, two members and an admin."""

    env: simcord.Env
    services: Services
    guild: simcord.GuildHandle
    lounge: simcord.ChannelHandle
    hall: simcord.ChannelHandle
    alice: simcord.MemberActor
    bob: simcord.MemberActor
    admin: simcord.MemberActor

    @property
    def me(self) -> str:
        """How to mention the bot."""
        return f"<@{self.env.bot.user.id}>"

    async def wait(self, *, hours: int) -> None:
        """Let hours go by, in each of which the bot sweeps sixty times."""
        usual, self.env.settle_timeout = self.env.settle_timeout, 30.0
        await self.env.advance_time(hours * 3600)
        self.env.settle_timeout = usual

    def ballot(self, channel: simcord.ChannelHandle | None = None) -> discord.Message:
        """The newest message of the bot."""
        return self.mine(channel)[-1]

    def mine(self, channel: simcord.ChannelHandle | None = None) -> list[discord.Message]:
        """All messages of the bot in a channel, oldest first."""
        history = (channel or self.lounge).history()
        return [m for m in history if m.author.id == self.env.bot.user.id]


def texts(message: discord.Message | simcord.ResponseMessage) -> str:
    """All text of a Components V2 message."""
    message = getattr(message, "message", message)
    view = discord.ui.LayoutView.from_message(message)
    return "\n".join(
        i.content for i in view.walk_children() if isinstance(i, discord.ui.TextDisplay)
    )


@asynccontextmanager
async def _simulation(client: TwofoldClient) -> AsyncIterator[simcord.Env]:
    """Like `simcord.run`, but fit for fixtures, which end in another context than they began."""
    env = simcord.Env(client, shard_count=1)
    await env.start()
    try:
        yield env
        env.raise_errors()
    finally:
        await env.shutdown()


class Patience:
    """Declares long waits to the simulation, which would take them for a fault."""

    env: simcord.Env | None = None

    async def __call__(self, waiting: Coroutine[Any, Any, Any]) -> Any:
        """Wait for what the models or the clock bring about."""
        if self.env is None:
            return await waiting
        return await self.env.external_wait(waiting, reason="models are at work")


OpenTown = "Callable[..., AbstractAsyncContextManager[Town]]"


@pytest.fixture
def open_town(tmp_path: Path) -> OpenTown:
    """Open a town; `base` and `instruct` name the models of two contenders, `more` come along.

    `make` makes the engines of tuned ones, and `clock` is the services' own; Discord's goes on
    with `env.advance_time`. Other keywords are settings.
    """

    @asynccontextmanager
    async def opened(
        *,
        base: str = "scripted:",
        instruct: str = "scripted:",
        max_tokens: int = 128,
        more: Iterable[ContenderConfig] = (),
        clock: Callable[[], datetime] = now,
        make: Callable[[ContenderConfig], Engine] | None = None,
        **settings: object,
    ) -> AsyncIterator[Town]:
        config = Config(
            home=tmp_path,
            contenders=(
                ContenderConfig(slug=BASE, kind=Kind.BASE, model=base, max_tokens=max_tokens),
                ContenderConfig(
                    slug=INSTRUCT, kind=Kind.INSTRUCT, model=instruct, max_tokens=max_tokens
                ),
                *more,
            ),
            **{f"{whose}_battles_per_minute": 1000 for whose in ("member", "channel", "guild")}
            | settings,
        )
        patience = Patience()
        async with (
            open_services(
                config, rng=random.Random(7), patiently=patience, clock=clock, make=make
            ) as services,
            _simulation(TwofoldClient(services)) as env,
        ):
            patience.env = env
            guild = env.create_guild()
            managers = guild.create_role(
                "managers", permissions=discord.Permissions(manage_guild=True)
            )
            lounge = guild.create_text_channel("lounge")
            town = Town(
                env=env,
                services=services,
                guild=guild,
                lounge=lounge,
                hall=guild.create_text_channel("hall"),
                alice=guild.add_member(env.create_user("alice")),
                bob=guild.add_member(env.create_user("bob")),
                admin=guild.add_member(env.create_user("admin"), roles=[managers]),
            )
            await services.guilds.set(guild.id, "channels", [lounge.id], by=NOBODY)
            await env.settle()
            yield town

    return opened


@pytest.fixture
async def town(open_town: OpenTown) -> AsyncIterator[Town]:
    """A town with two scripted models that work."""
    async with open_town() as opened:
        yield opened
