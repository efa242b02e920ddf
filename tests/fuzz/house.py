"""The real client and all its services, on a real database, with Discord's part in process.

What Discord sends and answers is the wire server's, with all its checks of what the bot sends;
only the sockets are left away, so that thousands of cases take minutes. One house serves many
cases: each has channels, members and messages of its own.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import sys
import tempfile
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from bot.app import now, open_services
from bot.client import TwofoldClient
from bot.config import Config, ContenderConfig
from bot.engines import Chunk, estimated_tokens
from cogs import _edits
from storage.records import FinishReason, Kind
from tests.fuzz.transport import Transport
from tests.wire import callbacks
from tests.wire.driver import WireServer
from tests.wire.protocol import Op

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator

    from bot.app import Services
    from bot.engines import CompletionRequest, Prompt
    from tests.wire.world import Channel

TOKEN = "fuzz-token-that-nobody-may-see"
CANARY = "kanarienvogel"
"""A word of every prompt: no log may hold it."""

AT_WORK = ("discord.py: ", "CommandTree-", "discord-ui-", "Task-read")
PATIENCE = 20.0
"""Seconds after which something that was begun hangs."""

EDITS = dict.fromkeys(("WINDOW", "OLD_WINDOW", "GAP", "ALONE"), 0.0)


class Puppet:
    """An engine that says what it is told to, at once."""

    room = None
    revision = "puppet"

    def __init__(self) -> None:
        self.says = "words"
        self.reason = FinishReason.STOP

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def render(self, prompt: Prompt) -> str:
        return prompt if isinstance(prompt, str) else "\n".join(m.content for m in prompt)

    def count(self, prompt: Prompt) -> int:
        return estimated_tokens(prompt)

    async def stream(self, _request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        yield Chunk(text=self.says)
        yield Chunk(text="", finish_reason=self.reason, prompt_tokens=1, completion_tokens=1)


class Socket:
    """The client's end of the gateway: what is pushed is heard in the next turn of the loop."""

    def __init__(self, client: TwofoldClient) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.underway = 0

    def push(self, text: str) -> None:
        """Take a frame."""
        self.underway += 1
        self._loop.call_soon(self._hear, text)

    def _hear(self, text: str) -> None:
        self.underway -= 1
        frame = orjson.loads(text)
        self._client._connection.parsers[frame["t"]](frame["d"])


class Clock:
    """The time, which a case can push on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return now() + self.ahead


class Found(logging.Handler):
    """Keeps the log, and what in it is a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.faults: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        self.lines.append(line)
        if record.levelno >= logging.ERROR:
            self.faults.append(line)


@dataclass(eq=False)
class House:
    """A bot on line. Call `settle` after each thing that happens, `check` after each case."""

    wire: WireServer
    transport: Transport
    services: Services
    client: TwofoldClient
    socket: Socket
    base: Puppet
    instruct: Puppet
    log: Found
    clock: Clock
    lost: list[dict[str, Any]] = field(default_factory=list)

    async def settle(self) -> None:
        """Wait until the bot has done all that it was brought to do."""
        while True:
            for _ in range(3):
                await asyncio.sleep(0)
            working = [t for t in asyncio.all_tasks() if t.get_name().startswith(AT_WORK)]
            if not working and not self.socket.underway:
                return
            if working:
                _, left = await asyncio.wait(working, timeout=PATIENCE)
                assert not left, f"hangs: {left}"

    def check(self) -> None:
        """Whatever came in: no fault, nothing that Discord refuses, nothing of it in the log."""
        refused, self.transport.refused = self.transport.refused, []
        faults, self.log.faults = self.log.faults, []
        lines, self.log.lines = self.log.lines, []
        lost, self.lost[:] = list(self.lost), []
        sent, self.transport.sent = self.transport.sent, []
        assert not faults, faults
        assert not refused, refused
        assert not lost, lost
        assert not [line for line in lines if CANARY in line], "a prompt in the log"
        assert not [text for text in (*lines, *sent) if TOKEN in text], "the token is out"

    async def enabled(self, *, guild: str = "Testers") -> Channel:
        """A new guild with a channel in which every message is answered."""
        channel = self.wire.channel(self.wire.guild(guild))
        await self.settle()
        await self.services.guilds.set(channel.guild_id, "channels", [channel.id], by=0)
        return channel


@asynccontextmanager
async def house(home: Path, **settings: Any) -> AsyncIterator[House]:
    """Open everything and go on line; close it at the end."""
    roster = tuple(
        ContenderConfig(slug=slug, kind=kind, model=f"scripted:text={slug}")
        for slug, kind in (("plain-writer", Kind.BASE), ("polite-helper", Kind.INSTRUCT))
    )
    many = {f"{whose}_battles_per_minute": 1000 for whose in ("member", "channel", "guild")}
    config = Config(home=home, discord_token=TOKEN, contenders=roster, **many | settings)
    puppets = [Puppet(), Puppet()]
    clock = Clock()
    wire = WireServer(token=TOKEN)
    wire.posting.file_base = "http://127.0.0.1/attachments"
    transport = Transport(wire.rest.routes)
    with _listening() as log:
        async with open_services(
            config,
            engines=dict(zip((c.engine for c in roster), puppets, strict=True)),
            rng=random.Random(7),
            clock=clock,
            durable=False,
        ) as services:
            client = TwofoldClient(services)
            lost: list[dict[str, Any]] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, what: lost.append(what))
            await _log_in(client, transport)
            socket = Socket(client)
            hello = {"token": TOKEN, "intents": client.intents.value}
            wire.gateway._receive(socket, None, {"op": Op.IDENTIFY, "d": hello})
            await asyncio.wait_for(client.wait_until_ready(), PATIENCE)
            opened = House(wire, transport, services, client, socket, *puppets, log, clock, lost)
            with _fast():
                yield opened
            await client.close()


class Running:
    """A house that outlives the cases of a test, with the loop that it lives in."""

    def __init__(self, **settings: Any) -> None:
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory(prefix="twofold-fuzz-")
        self._open = house(Path(self._folder.name), **settings)
        self.house: House = self.run(self._open.__aenter__())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something in the house."""
        return self._runner.run(work)

    def close(self) -> None:
        """Close the house and forget it."""
        self.run(self._open.__aexit__(None, None, None))
        self._runner.close()
        self._folder.cleanup()


async def _log_in(client: TwofoldClient, transport: Transport) -> None:
    """As `Client.login` does, on a session of ours."""

    async def static_login(token: str) -> Any:
        client.http._HTTPClient__session = transport
        client.http._global_over = asyncio.Event()
        client.http._global_over.set()
        client.http.token = token
        return transport.request("GET", "https://discord.com/api/v10/users/@me").body

    client.http.static_login = static_login
    client._connection.guild_ready_timeout = 0.01
    client._connection.shard_count, client._connection.shard_ids = 1, [0]
    await client.login(TOKEN)


@contextmanager
def _listening() -> Iterator[Found]:
    """Hear all logs, as the program writes them, without their colours."""
    found = Found()
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    level = root.level
    root.addHandler(found)
    root.setLevel(logging.INFO)
    try:
        yield found
    finally:
        root.removeHandler(found)
        root.setLevel(level)
        structlog.configure(**before)


@contextmanager
def _fast() -> Iterator[None]:
    """Leave out the pauses that are kept for Discord's sake alone, and its own impatience.

    How long a press takes on a machine that others use too is no finding.
    """
    before = {name: getattr(_edits, name) for name in EDITS}
    patience = callbacks.ACK_SECONDS
    try:
        _set(callbacks, {"ACK_SECONDS": math.inf})
        _set(_edits, EDITS)
        _set(sys.modules["cogs.privacy"], {"WINDOW": 0.0})  # which is gone when the client closes
        yield
    finally:
        _set(_edits, before)
        _set(callbacks, {"ACK_SECONDS": patience})


def _set(module: object, constants: dict[str, float]) -> None:
    for name, value in constants.items():
        setattr(module, name, value)
