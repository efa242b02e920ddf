"""The discord.py client: what it hears, what it loads, how it stops."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from typing import TYPE_CHECKING

import aiohttp
import discord
import structlog
import yarl
from discord import gateway, http
from discord.ext import commands

from bot.errors import ConfigError, TwofoldError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.app import Services
    from bot.config import Config

log = structlog.get_logger(__name__)

EXTENSIONS = (
    "cogs.errors",
    "cogs.chat",
    "cogs.voting",
    "cogs.rating",
    "cogs.privacy",
    "cogs.settings",
    "cogs.insight",
    "cogs.digest",
    "cogs.dataset",
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
NO_ANSWER = "Discord cannot be reached. Check the network and start again."


# There is no voice here; the warnings about its libraries would only puzzle.
discord.VoiceClient.warn_nacl = False
discord.VoiceClient.warn_dave = False


class DiscordUnreachable(TwofoldError):
    """Discord's servers do not answer."""

    retryable = True


class TwofoldClient(commands.Bot):
    """Discord's end of the program; the cogs do the work."""

    def __init__(self, services: Services) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        intents.message_content = services.config.message_content
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.services = services

    async def setup_hook(self) -> None:
        """Load the cogs and tell Discord which commands there are."""
        for extension in EXTENSIONS:
            await self.load_extension(extension)
        await self.tree.sync()
        # What is there by now stays; to go through it again and again held the loop for 0.1 s.
        gc.collect()
        gc.freeze()

    async def on_message(self, message: discord.Message, /) -> None:
        """There are no prefix commands to look for; the cogs hear messages themselves."""

    async def on_ready(self) -> None:
        """Say that it works, and where."""
        log.info("ready", user=str(self.user), guilds=len(self.guilds))

    async def on_error(self, event_method: str, /, *_args: object, **_kwargs: object) -> None:
        """A listener failed: log it whole, under its name."""
        log.error("a listener failed", listener=event_method, exc_info=sys.exception())


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
    async with TwofoldClient(services) as client:
        running = asyncio.ensure_future(client.start(token))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not running.done():
            log.info("stopping")
            await client.close()
        try:
            await _explained(running)
        except AttributeError:
            if client.ws is None:  # discord.py asks a connection that there never was
                raise DiscordUnreachable(NO_ANSWER) from None
            raise


async def inspect(config: Config) -> str:
    """Log in without going on line; tell who the bot is. Raises what `serve` would."""
    use_discord(config)
    token = required_token(config)
    async with discord.Client(intents=discord.Intents.none()) as client:
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
    """Call `handler` on SIGINT and SIGTERM; discord.py itself hears only the first."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handler)


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
    except discord.HTTPException as error:
        log.warning("Discord refused", status=error.status, code=error.code)
        raise ConfigError(DISCORD_REFUSED) from None
