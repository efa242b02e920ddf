"""The same bot in a local browser channel: no account, no token, no network.

SimCord plays Discord for the unmodified client and serves the page. After every
action it waits until the bot is at rest, so a model at work must be declared as
something outside; `Workshop` runs the engines there.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import simcord

from bot.client import TwofoldClient
from bot.errors import ConfigError
from storage.records import NOBODY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
    from typing import Any

    from bot.app import Services
    from bot.engines import Chunk, CompletionRequest, Engine, Prompt

MEMBERS = ("alice", "bob", "carol")
CHANNEL = "lounge"
TOPIC = "Write something: two models answer, you vote, then you learn which was which."
SETTLE_SECONDS = 3.0
REFRESH_SECONDS = 0.3


class Workshop:
    """Runs engines outside the simulated world, in tasks that SimCord does not watch."""

    def __init__(self) -> None:
        self._jobs: asyncio.Queue[Coroutine[Any, Any, None]] = asyncio.Queue()
        self.env: simcord.Env | None = None

    def wrap(self, engine: Engine) -> Engine:
        """The same engine, to be used from inside the simulated world."""
        return _OutsideEngine(engine, self)

    async def run(self) -> None:
        """Start the jobs as they come; to be begun before the simulation is."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(await self._jobs.get())

    def begin(self, job: Coroutine[Any, Any, None]) -> None:
        """Have a job run outside."""
        self._jobs.put_nowait(job)

    async def wait_for(self, awaitable: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - SimCord's type
        """Wait for a job without keeping the simulation from coming to rest."""
        if self.env is None:
            return await awaitable
        return await self.env.external_wait(awaitable, reason="a model is at work")


class _OutsideEngine:
    """Hands chunks in from a job that runs outside; the engine itself is untouched."""

    def __init__(self, engine: Engine, workshop: Workshop) -> None:
        self._engine = engine
        self._workshop = workshop

    @property
    def revision(self) -> str:
        return self._engine.revision

    async def start(self) -> None:
        await self._engine.start()

    @property
    def room(self) -> int | None:
        return self._engine.room

    def render(self, prompt: Prompt) -> str:
        return self._engine.render(prompt)

    def count(self, prompt: Prompt) -> int:
        return self._engine.count(prompt)

    async def close(self) -> None:
        await self._engine.close()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        chunks: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue()
        unwanted = asyncio.Event()

        async def pump() -> None:
            try:
                async with aclosing(self._engine.stream(request)) as stream:
                    async for chunk in stream:
                        chunks.put_nowait(chunk)
                        if unwanted.is_set():
                            break
                chunks.put_nowait(None)
            except Exception as error:  # noqa: BLE001 - handed on to the one who waits
                chunks.put_nowait(error)

        self._workshop.begin(pump())
        try:
            while (item := await self._workshop.wait_for(chunks.get())) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            unwanted.set()


async def serve(
    services: Services,
    workshop: Workshop,
    *,
    stop: asyncio.Event,
    announce: Callable[[str], None],
) -> None:
    """Play a server with three members until `stop` is set; `announce` gets the address."""
    client = TwofoldClient(services)
    working = asyncio.ensure_future(workshop.run())
    try:
        async with _world(client) as (env, members, channel):
            workshop.env = env
            client.owner_ids = {members[0].id}  # who tries the demo runs the bot
            await _settle_in(env, services, channel)
            async with _page(env, channel, members, port=services.config.demo_port) as page:
                announce(page.url)
                await _until(stop, _keep_fresh(env, page), page.wait_closed())
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


@asynccontextmanager
async def _page(
    env: simcord.Env,
    channel: simcord.ChannelHandle,
    members: list[simcord.MemberActor],
    *,
    port: int,
) -> AsyncIterator[simcord.Preview]:
    async with AsyncExitStack() as stack:
        preview = env.preview(channel, viewers=members, layout="channel", port=port)
        try:
            page = await stack.enter_async_context(preview)
        except (OSError, simcord.SetupError):
            raise ConfigError(
                f"The demo page cannot use port {port}. Set TWOFOLD_DEMO_PORT to another, or to 0."
            ) from None
        yield page


@asynccontextmanager
async def _world(
    client: TwofoldClient,
) -> AsyncIterator[tuple[simcord.Env, list[simcord.MemberActor], simcord.ChannelHandle]]:
    """One server, one channel in which every message is answered, three members.

    They are made at the simulation's fixed beginning, so that they have the same ids in
    every demo. Only then the clock goes to the present, for messages to have new ones, and
    only then the client starts, which would do its work of every minute until then.
    """
    env = simcord.Env(client, shard_count=1, settle_timeout=SETTLE_SECONDS)
    env.backend.bot_user.name = "Twofold"  # what it reads of itself when it starts
    users = [env.create_user(name) for name in MEMBERS]
    guild = env.create_guild("Twofold demo", owner=users[0])
    channel = guild.create_text_channel(CHANNEL, topic=TOPIC)
    members = [guild.add_member(user) for user in users]
    env.backend.advance_clock((datetime.now(UTC) - env.now()).total_seconds())
    await env.start()
    try:
        yield env, members, channel
    finally:
        await env.shutdown()


async def _settle_in(env: simcord.Env, services: Services, channel: simcord.ChannelHandle) -> None:
    """Have the channel answered."""
    guild = channel.guild
    assert guild is not None, "the channel was made in a server"  # noqa: S101
    await services.guilds.set(guild.id, "channels", [channel.id], by=NOBODY)
    await env.settle()


async def _to_the_present(env: simcord.Env) -> None:
    behind = (datetime.now(UTC) - env.now()).total_seconds()
    if behind > 0:
        await env.advance_time(behind)


async def _keep_fresh(env: simcord.Env, page: simcord.Preview) -> None:
    """Show on the page what the bot posts by itself, between the members' actions."""
    turn = _taking_turns(page)
    seen = _posted(env)
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        if _posted(env) == seen:
            continue
        async with turn:
            with suppress(simcord.SetupError, TimeoutError):
                await _to_the_present(env)
                await page.refresh()
                seen = _posted(env)


def _taking_turns(page: simcord.Preview) -> asyncio.Lock:
    """Have members' actions wait for the lock.

    SimCord fails an action that comes during a refresh, and its page, which cannot tell
    whether it was done, allows no other from then on.
    """
    turn = asyncio.Lock()
    act = page._action  # noqa: SLF001 - SimCord has no other place to wait at

    async def act_in_turn(context_id: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
        async with turn:
            return await act(context_id, body)

    page._action = act_in_turn  # type: ignore[method-assign]  # noqa: SLF001
    return turn


def _posted(env: simcord.Env) -> int:
    """How many messages the bot sent or changed; answers to presses are on the page at once."""
    return sum(
        request.method != "GET" and ("/messages" in request.path or "/webhooks/" in request.path)
        for request in env.http_requests
    )


async def _until(stop: asyncio.Event, *work: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.ensure_future(job) for job in (stop.wait(), *work)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
