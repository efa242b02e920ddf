"""The server as a test holds it: `async with WireServer() as wire`."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from .applications import Applications
from .callbacks import Callbacks
from .channels import Channels
from .clock import Clock, until
from .gateway import Frame, Gateway
from .interactions import Interaction
from .limits import Limiter, RateLimits
from .people import Person
from .posting import Posting
from .protocol import PRIVILEGED, Intent
from .render import bot_permissions, channel_json, message_json
from .server import API, Record, RestServer
from .world import DM_CHANNEL, LOADING, Channel, Guild, Message, Permission, User, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

TOKEN = "wire.token"

Json = dict[str, Any]
Moment = float | Interaction


class WireServer:
    """Discord on a loopback port, with a world to fill and people to act in it.

    On a clean exit it raises if the bot asked for an unknown route or sent a body that Discord
    refuses; a test that provokes that clears `unknown_routes` or `violations` first.
    """

    def __init__(
        self,
        *,
        limits: RateLimits | None = None,
        granted: Intent = PRIVILEGED,
        heartbeat_ms: int = 41_250,
        token: str = TOKEN,
    ) -> None:
        self.token = token
        self.clock = Clock()
        self.world = World()
        self.gateway = Gateway(self.world, token, granted=granted, heartbeat_ms=heartbeat_ms)
        self.posting = Posting(self.world, self.gateway, self.clock)
        self.channels = Channels(self.world, self.posting, self.gateway)
        self.callbacks = Callbacks(self.world, self.posting, self.gateway)
        tables = [Applications(self.world, self.gateway), self.channels, self.callbacks]
        routes = list(itertools.chain.from_iterable(table.routes() for table in tables))
        limiter = Limiter(limits or RateLimits(), self.clock)
        self.rest = RestServer(routes, limiter=limiter, token=token)
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=30 * 1024 * 1024)
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/attachments/{id}/{name}", self._attachment)
        self.rest.mount(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self.gateway.url = self.gateway_url
        self.posting.file_base = f"http://127.0.0.1:{self.port}/attachments"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.gateway.cut_all()
        if self._runner is not None:
            await self._runner.cleanup()
        if error is None:
            self.require_clean()

    def require_clean(self) -> None:
        """Raise if anything happened that must not happen against Discord."""
        if self.rest.crashes:
            raise AssertionError("the wire server itself failed") from self.rest.crashes[0]
        found = [f"unknown route: {route}" for route in self.unknown_routes]
        found += [f"refused body: {violation}" for violation in self.violations]
        if found:
            raise AssertionError("\n".join(found))

    @property
    def api_url(self) -> str:
        """What Route.BASE must be."""
        return f"http://127.0.0.1:{self.port}{API}"

    @property
    def gateway_url(self) -> str:
        """What DEFAULT_GATEWAY must be."""
        return f"ws://127.0.0.1:{self.port}/gateway"

    def env(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables that point the program here."""
        return {
            "DISCORD_TOKEN": self.token,
            "TWOFOLD_DISCORD_API": self.api_url,
            "TWOFOLD_DISCORD_GATEWAY": self.gateway_url,
        } | (extra or {})

    @property
    def bot(self) -> User:
        """The bot's account."""
        return self.world.bot

    @property
    def mention(self) -> str:
        """What pings the bot in a text."""
        return f"<@{self.bot.id}>"

    @property
    def requests(self) -> list[Record]:
        """Every REST request so far, with its answer."""
        return self.rest.requests

    @property
    def unknown_routes(self) -> list[str]:
        """Requests to routes that the server does not have."""
        return self.rest.unknown_routes

    @property
    def violations(self) -> list[str]:
        """Bodies that were refused."""
        return self.rest.violations

    def guild(self, name: str = "Testers") -> Guild:
        """Make a guild with the bot in it."""
        guild = self.world.add_guild(name)
        self.gateway.announce(guild, [s for s in self.gateway.online if s.serves(guild.id)])
        return guild

    def channel(self, guild: Guild, name: str = "general") -> Channel:
        """Make a text channel."""
        channel = self.world.add_channel(guild, name)
        self._tell_channel("CHANNEL_CREATE", channel)
        return channel

    def person(self, name: str, *guilds: Guild, admin: bool = False, bot: bool = False) -> Person:
        """Make an account that is a member of the given guilds."""
        user = self.world.add_user(name, bot=bot)
        for guild in guilds:
            self.world.add_member(guild, user, admin=admin)
        return Person(self, user)

    def deny(self, channel: Channel, permission: Permission) -> None:
        """Take permissions from the bot in a channel."""
        channel.denied |= permission
        self._tell_channel("CHANNEL_UPDATE", channel)

    def remove(self, channel: Channel) -> None:
        """Delete a channel with all that stands in it."""
        del self.world.channels[channel.id]
        if channel.guild is not None:
            del channel.guild.channels[channel.id]
        self._tell_channel("CHANNEL_DELETE", channel)

    def leave(self, guild: Guild) -> None:
        """Throw the bot out of a guild: of its channels, none is there for it any more."""
        data: Json = {"id": str(guild.id)}
        self.gateway.publish("GUILD_DELETE", data, guild_id=guild.id, intent=Intent.GUILDS)
        del self.world.guilds[guild.id]
        for channel_id in guild.channels:
            del self.world.channels[channel_id]

    def _tell_channel(self, event: str, channel: Channel) -> None:
        data = channel_json(channel, self.bot)
        self.gateway.publish(event, data, guild_id=channel.guild_id, intent=Intent.GUILDS)

    def messages(self, channel: Channel, *, author: User | None = None) -> list[Message]:
        """Return what stands in a channel for all to see, oldest first."""
        found = [m for m in channel.messages.values() if not m.ephemeral]
        return [m for m in found if author is None or m.author is author]

    async def wait_ready(self, *, identified: int = 1, within: float = 30.0) -> None:
        """Wait until the bot is on the gateway, identified that many times in all."""

        def ready() -> bool:
            return self.gateway.identified >= identified and bool(self.gateway.online)

        await until(ready, "the bot on the gateway", within)

    async def wait_for_message(
        self,
        channel: Channel,
        *,
        author: User | None = None,
        after: Message | None = None,
        where: Callable[[Message], bool] = lambda _: True,
        within: float = 15.0,
    ) -> Message:
        """Wait for the first message (not one still loading) that meets the conditions."""

        def probe() -> Message | None:
            for message in self.messages(channel, author=author):
                later = after is None or message.id > after.id
                if later and not message.flags & LOADING and where(message):
                    return message
            return None

        def told() -> str:
            return f"a message in #{channel.name}; last requests: {self.last_requests()}"

        return await until(probe, told, within)

    async def wait_for_reply(self, prompt: Message, *, within: float = 15.0) -> Message:
        """Wait for the bot's message that refers to `prompt`."""

        def refers(message: Message) -> bool:
            return message.reference_id == prompt.id

        return await self.wait_for_message(
            prompt.channel, author=self.bot, where=refers, within=within
        )

    def last_requests(self, count: int = 10) -> str:
        """Name the latest requests, for a failing test's message."""
        return "; ".join(str(record) for record in self.requests[-count:])

    def payloads_before(self, moment: Moment | None = None) -> list[str]:
        """Return the text of all that the bot sent before a moment or an interaction.

        REST and gateway alike, without the token that IDENTIFY holds.
        """
        end = moment.dispatched_at if isinstance(moment, Interaction) else moment
        sent: list[Record | Frame] = [*self.requests, *self.gateway.frames]
        early = [item for item in sent if end is None or item.at < end]
        return [_text(item).replace(self.token, "") for item in early]

    def dispatch_interaction(self, interaction: Interaction, identity: Json) -> None:
        """Send INTERACTION_CREATE; the three seconds start here."""
        if not self.gateway.online:
            raise AssertionError("no bot is on the gateway to hear the interaction")
        channel = interaction.channel
        payload: Json = {
            "id": str(interaction.id),
            "application_id": str(self.world.application_id),
            "type": int(interaction.kind),
            "token": interaction.token,
            "version": 1,
            "attachment_size_limit": 10 * 1024 * 1024,
            "data": interaction.data,
            "channel_id": str(channel.id),
            "channel": channel_json(channel, self.bot),
            "locale": "en-US",
            "context": 1 if channel.type == DM_CHANNEL else 0,
            "app_permissions": str(int(bot_permissions(channel, self.bot))),
            "entitlements": [],
            "authorizing_integration_owners": {"0": str(channel.guild_id or 0)},
            **identity,
        }
        if channel.guild_id is not None:
            payload |= {"guild_id": str(channel.guild_id), "guild_locale": "en-US"}
        if interaction.source is not None:
            payload["message"] = message_json(interaction.source, self.bot)
        interaction.sent_at = self.clock.now()
        interaction.dispatched_at = time.monotonic()
        self.callbacks.add(interaction)
        self.gateway.publish("INTERACTION_CREATE", payload, guild_id=channel.guild_id)

    async def _attachment(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        for channel in self.world.channels.values():
            for message in channel.messages.values():
                for attachment in message.attachments:
                    if str(attachment.id) == wanted:
                        return web.Response(body=attachment.content)
        raise web.HTTPNotFound


def _text(item: Record | Frame) -> str:
    return item.text if isinstance(item, Record) else str(item.data)
