"""The discord.py client: what it hears, what it loads, how it stops."""

from __future__ import annotations

import asyncio
import gc
import math
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypedDict

import aiohttp
import discord
import structlog
import yarl
from discord import gateway, http
from discord.ext import commands

from bot.errors import ConfigError, TwofoldError
from bot.pacing import pace
from bot.telemetry.requests import traced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bot.app import Services
    from bot.config import Config
    from storage.shards import Shards

log = structlog.get_logger(__name__)

EXTENSIONS = (
    "cogs.errors",
    "cogs.chat",
    "cogs.voting",
    "cogs.strangers",
    "cogs.rating",
    "cogs.privacy",
    "cogs.settings",
    "cogs.insight",
    "cogs.digest",
    "cogs.dataset",
    "cogs.health",
)
"""Named as text, because imports run from cogs to bot and never back."""

TOKEN_MISSING = (
    "DISCORD_TOKEN is not set. Put the bot's token from Discord's developer portal into "
    ".env, or start `twofold demo`, which needs none."
)
TOKEN_REFUSED = (
    "Discord does not accept DISCORD_TOKEN. Copy the token again from the Bot page of the "
    "developer portal."
)
INTENT_REFUSED = (
    "Discord refuses the Message Content intent. Turn it on on the Bot page of the developer "
    "portal, or set TWOFOLD_MESSAGE_CONTENT=false to answer mentions only."
)
DISCORD_REFUSED = (
    "Discord refused what the bot asked at its start; the log line above has the code. Invite "
    "it again with the scopes bot and applications.commands."
)
CONNECT_SECONDS = 600.0
"""A shard may wait so long for its turn to begin a session."""

CLOSING_SECONDS = 1.0
LAST_SECONDS = 0.4

LISTENERS = ("discord.py: ", "discord-ui-", "CommandTree-")
"""How the tasks are named in which discord.py has things heard."""

WRONG_TOKEN = 4004
WRONG_SHARDS = {4010, 4011}
"""The codes with which the gateway closes for good."""

NO_ANSWER = "Discord cannot be reached. Check the network and start again."
SHARDS_REFUSED = (
    "Discord refuses these shards: there are too few in all for this many servers, or a number "
    "that is not among them. Check TWOFOLD_SHARDS; without it Discord says how many there are."
)
SESSIONS_SPENT = (
    "Discord lets this bot begin {left} more sessions in the next {hours} hours, and {wanted} are "
    "needed. Start it again then: a bot that begins too many loses its token."
)


# There is no voice here; the warnings about its libraries would only puzzle.
discord.VoiceClient.warn_nacl = False
discord.VoiceClient.warn_dave = False


REMEMBERED = 300
"""Messages that discord.py keeps, of all channels. Each ballot is some sixty objects, which garbage
collection goes through while everybody waits; what is not here is read from Discord."""


class DiscordUnreachable(TwofoldError):
    """Discord's servers do not answer."""

    retryable = True


class TwofoldClient(commands.AutoShardedBot):
    """Discord's end of the program, with the shards that are set; the cogs do the work.

    Where none are set, it has all of them, as many as Discord recommends.
    """

    def __init__(self, services: Services) -> None:
        config = services.config
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        intents.message_content = config.message_content
        trace = traced(services.instruments.metrics)
        rate = config.discord_requests_per_second * services.shards.share
        pace(trace, requests_per_second=rate)
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=REMEMBERED,
            shard_connect_timeout=CONNECT_SECONDS,
            http_trace=trace,
            **_dealt(config.shards),
        )
        self.services = services
        self._concurrency = 1

    async def setup_hook(self) -> None:
        """Load the cogs and tell Discord which commands there are."""
        for extension in EXTENSIONS:
            await self.load_extension(extension)
        if self.services.shards.first:
            await self.tree.sync()
        # What is there by now stays; to go through it again and again held the loop for 0.1 s.
        gc.collect()
        gc.freeze()

    async def begin(self, token: str) -> None:
        """Be on Discord until closed. Raises ConfigError where it lets no more sessions begin."""
        await self.login(token)
        limits = await self.fetch_session_start_limits()
        self._concurrency = limits.max_concurrency
        wanted = len(self.shard_ids or (0,))
        if limits.remaining < wanted:
            hours = math.ceil(limits.reset_after / 3_600_000)
            told = SESSIONS_SPENT.format(left=limits.remaining, hours=hours, wanted=wanted)
            raise ConfigError(told)
        await self.connect()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:  # noqa: ARG002
        """Begin a session when it is this shard's turn, among those of other processes too."""
        await self.services.identifying.wait(shard_id or 0, concurrency=self._concurrency)

    async def on_message(self, message: discord.Message, /) -> None:
        """There are no prefix commands to look for; the cogs hear messages themselves."""

    async def on_ready(self) -> None:
        """Say that it works, and where."""
        shards = self.services.config.shards or f"all of {self.shard_count}"
        log.info("ready", user=str(self.user), guilds=len(self.guilds), shards=str(shards))

    async def on_error(self, event_method: str, /, *_args: object, **_kwargs: object) -> None:
        """A listener failed: log it whole, under its name."""
        error = sys.exception()
        if self.is_closed() and isinstance(error, RuntimeError):
            log.info("a listener ended with the program", listener=event_method)
            return
        log.error("a listener failed", listener=event_method, exc_info=error)
        if error is not None:
            self.services.instruments.failed("listener", error)


class _Dealt(TypedDict, total=False):
    shard_ids: list[int]
    shard_count: int


def _dealt(shards: Shards | None) -> _Dealt:
    return {"shard_ids": sorted(shards.ids), "shard_count": shards.count} if shards else {}


def use_discord(config: Config) -> None:
    """Point discord.py at another server where the settings say so, loudly."""
    if config.discord_api:
        http.Route.BASE = config.discord_api
        log.warning("not Discord: REST goes elsewhere", api=config.discord_api)
    if config.discord_gateway:
        gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(config.discord_gateway)
        log.warning("not Discord: the gateway is elsewhere", gateway=config.discord_gateway)


async def serve(services: Services, *, stop: asyncio.Event) -> None:
    """Be on Discord until `stop` is set, then let running battles end.

    Raises ConfigError for a missing or refused token or intent, DiscordUnreachable.
    """
    use_discord(services.config)
    token = required_token(services.config)
    async with _listened_to_the_end(), TwofoldClient(services) as client:
        running = asyncio.ensure_future(client.begin(token))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not running.done():
            log.info("stopping")
            await client.close()
            await asyncio.wait({running}, timeout=CLOSING_SECONDS)
            running.cancel()  # discord.py would go on to connect shards that were still to come
        try:
            await _explained(running)
        except asyncio.CancelledError:
            if not stop.is_set():
                raise


@asynccontextmanager
async def _listened_to_the_end() -> AsyncIterator[None]:
    """Afterwards, let end what was still being heard when the client closed.

    Whoever came to the database after it was closed would open it anew, and leave it open.
    """
    try:
        yield
    finally:
        for _ in range(2):  # the second time for what was cancelled
            heard = {t for t in asyncio.all_tasks() if t.get_name().startswith(LISTENERS)}
            if heard:
                _, left = await asyncio.wait(heard, timeout=LAST_SECONDS)
                for task in left:
                    task.cancel()


async def inspect(config: Config, trace: aiohttp.TraceConfig) -> str:
    """Log in without going on line; tell who the bot is. Raises what `serve` would.

    `trace` hears of the requests.
    """
    use_discord(config)
    token = required_token(config)
    async with discord.Client(intents=discord.Intents.none(), http_trace=trace) as client:
        await _explained(client.login(token))
        application = await client.application_info()
    flags = application.flags
    may_read = flags.gateway_message_content or flags.gateway_message_content_limited
    if config.message_content and not may_read:
        raise ConfigError(INTENT_REFUSED)
    reads = "reads messages" if config.message_content else "answers mentions only"
    return f"logged in as {application.name}, {reads}"


def required_token(config: Config) -> str:
    """The token, or a ConfigError that says where it comes from."""
    if config.discord_token is None:
        raise ConfigError(TOKEN_MISSING)
    return config.discord_token.get_secret_value().strip()


def on_signals(handler: Callable[[], None]) -> None:
    """Call `handler` on the first SIGINT or SIGTERM; another one ends the process at once.

    Nothing is lost by that: what was being answered is taken up at the next start.
    """
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def heard() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        handler()

    for number in numbers:
        loop.add_signal_handler(number, heard)


async def _explained(running: Awaitable[None]) -> None:
    """Await something of discord.py's that can fail in ways a person can mend."""
    try:
        await running
    except discord.LoginFailure:
        raise ConfigError(TOKEN_REFUSED) from None
    except discord.PrivilegedIntentsRequired:
        raise ConfigError(INTENT_REFUSED) from None
    except (aiohttp.ClientError, discord.DiscordServerError, discord.GatewayNotFound, OSError):
        raise DiscordUnreachable(NO_ANSWER) from None
    except discord.ConnectionClosed as error:
        if error.code == WRONG_TOKEN:
            raise ConfigError(TOKEN_REFUSED) from None
        if error.code in WRONG_SHARDS:
            raise ConfigError(SHARDS_REFUSED) from None
        raise
    except discord.HTTPException as error:
        log.warning("Discord refused", status=error.status, code=error.code)
        raise ConfigError(DISCORD_REFUSED) from None
