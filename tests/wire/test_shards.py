"""Four programs on one PostgreSQL database, each with its shards: everything happens once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bot.app import open_services
from bot.client import serve
from bot.config import Config
from bot.contenders import ContenderConfig
from bot.errors import ConfigError
from storage.database import Database
from storage.records import Conversation, Kind, Purpose, Turn
from storage.shards import Shards

from .clock import until
from .components import rows
from .driver import WireServer
from .program import Program
from .protocol import Op
from .table import LABELS, roster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from tests.postgres import Server

    from .people import Person
    from .world import Channel, Message

PROCESSES, COUNT, KILLED = 4, 16, 2


async def test_four_processes_do_everything_once(tmp_path: Path, postgres: Server) -> None:
    await asyncio.to_thread(postgres.run, "CREATE DATABASE shards")
    async with WireServer() as wire:
        wire.gateway.concurrency = COUNT
        town = Town(wire, tmp_path, postgres.url("shards"))
        await town.prepare()
        try:
            await town.play()
        except AssertionError as error:
            for program in town.programs:
                error.add_note(program.log_tail())
            raise
        finally:
            for program in town.programs:
                await program.kill9()

        async def rows_of(what: str, table: str) -> list[tuple[object, ...]]:
            select = f"SELECT {what} FROM {table}"
            return await asyncio.to_thread(postgres.run, select, database="shards")

        battles = dict(await rows_of("source_message_id, state", "battles"))
        assert {p.id for p in town.prompts} == battles.keys() - {town.ours, town.theirs}
        assert battles.pop(town.theirs) == "answering"
        assert battles.pop(town.ours) != "answering"
        assert Counter(battles.values()) == {"closed": len(town.in_servers), "open": 1}
        votes = await rows_of("battle_id, voter_id", "votes")
        assert len(votes) == len(set(votes)) == 2 * len(town.in_servers) + 1
        events = await rows_of("battle_id, voter_id", "vote_events WHERE event = 'cast'")
        assert sorted(events) == sorted(votes)
        assert town.closings() == {ballot.id: 1 for ballot in town.in_servers}
        assert [r.route for r in wire.requests].count("/applications/{application}/commands") == 1
        begun = [tuple(f.data["shard"]) for f in wire.gateway.frames if f.op == Op.IDENTIFY]
        again = town.shards[KILLED].ids
        assert Counter(begun) == {(n, COUNT): 1 + (n in again) for n in range(COUNT)}


@pytest.mark.usefixtures("real_addresses")
class TestSessions:
    async def test_one_process_has_as_many_shards_as_discord_recommends(
        self, wire: WireServer, tmp_path: Path
    ) -> None:
        wire.gateway.recommended = wire.gateway.concurrency = 3
        async with serving(wire, tmp_path) as (stop, running):
            await until(lambda: len(wire.gateway.online) == 3, "three shards", 10)
            stop.set()
            await asyncio.wait_for(running, 5)

    async def test_it_can_be_stopped_while_shards_wait_for_their_turn(
        self, wire: WireServer, tmp_path: Path
    ) -> None:
        wire.gateway.recommended = 3
        async with serving(wire, tmp_path) as (stop, running):
            await until(lambda: wire.gateway.identified == 1, "a shard", 10)
            stop.set()
            await asyncio.wait_for(running, 5)
        assert wire.gateway.identified == 1

    async def test_no_session_is_begun_that_would_cost_the_token(
        self, wire: WireServer, tmp_path: Path
    ) -> None:
        wire.gateway.starts_left = 1
        async with serving(wire, tmp_path, shards="0-1/2") as (_, running):
            with pytest.raises(ConfigError, match="lets this bot begin 1 more sessions"):
                await asyncio.wait_for(running, 10)
        assert wire.gateway.identified == 0


@asynccontextmanager
async def serving(
    wire: WireServer, home: Path, **settings: object
) -> AsyncIterator[tuple[asyncio.Event, asyncio.Task[None]]]:
    """The bot in this process, and what stops it."""
    kinds = {"wild": Kind.BASE, "tame": Kind.INSTRUCT}
    config = Config(
        home=home,
        discord_token=wire.token,
        discord_api=wire.api_url,
        discord_gateway=wire.gateway_url,
        contenders=tuple(
            ContenderConfig(slug=slug, kind=kind, model="scripted:") for slug, kind in kinds.items()
        ),
        **settings,
    )
    stop = asyncio.Event()
    async with open_services(config) as services:
        running = asyncio.create_task(serve(services, stop=stop))
        yield stop, running


class Town:
    """A server on each shard with two people in it, and the programs that share them."""

    ours, theirs = 11, 12
    """What opened two battles that are half done: on the killed one's shards, and on another's."""

    def __init__(self, wire: WireServer, folder: Path, url: str) -> None:
        self.wire = wire
        self.url = url
        each = COUNT // PROCESSES
        self.shards = [
            Shards(frozenset(range(each * n, each * (n + 1))), COUNT) for n in range(PROCESSES)
        ]
        self.programs = [
            Program(
                wire,
                folder / str(number),
                roster("tokens=8", "tokens=8"),
                env={"TWOFOLD_DATABASE": url, "TWOFOLD_SHARDS": str(shards)},
            )
            for number, shards in enumerate(self.shards)
        ]
        self.channels = [self._channel_on(shard) for shard in range(COUNT)]
        guilds = [channel.guild for channel in self.channels if channel.guild]
        self.alice, self.bob = (wire.person(name, *guilds) for name in ("alice", "bob"))
        here = self.shards[KILLED]
        self.mine = [channel for channel in self.channels if here.has(channel.guild_id)]
        self.others = [channel for channel in self.channels if channel not in self.mine]
        self.prompts: list[Message] = []
        self.in_servers: list[Message] = []

    def _channel_on(self, shard: int) -> Channel:
        new_id = self.wire.world.new_id
        while (new_id() >> 22) % COUNT != shard:
            new_id.ahead += 0.001
        return self.wire.channel(self.wire.guild())

    async def play(self) -> None:
        here, mine, others = self.shards[KILLED], self.mine, self.others
        for program in self.programs:
            await program.launch()
        await self._online(COUNT)

        first = await self._ask(self.channels)
        await self._vote(self.alice, first, "A is better")
        await self.programs[KILLED].kill9()
        await self._vote(self.bob, _in(first, others), "Tie")
        await self._begin(self.ours, mine[0])
        await self._begin(self.theirs, others[0])
        await self.programs[KILLED].launch()
        second = await self._ask(others)
        await self._vote(self.alice, second, "B is better")
        await self._online(COUNT + len(here.ids))
        await self._vote(self.bob, [*_in(first, mine), *second], "Both bad")
        third = await self._ask(mine)
        await self._vote(self.alice, third, "A is better")
        await self._vote(self.bob, third, "A is better")
        self.prompts.append(await self.alice.dm("in private"))
        await self._vote(self.alice, [await self.wire.wait_for_reply(self.prompts[-1])], "Tie")

        def closed() -> bool:
            return not any(LABELS in rows(ballot) for ballot in self.in_servers)

        await until(closed, "every battle to be closed", 20)

    async def prepare(self) -> None:
        """Two votes close a battle."""
        at, by = datetime.now(UTC), self.wire.world.owner.id
        async with Database.open(self.url) as store:
            for channel in self.channels:
                await store.guilds.update(channel.guild_id or 0, "closing_votes", 2, by=by, at=at)

    async def _begin(self, source_message_id: int, channel: Channel) -> None:
        """Store a battle as a program does that begins to answer."""
        alice = self.alice.user
        turn = Turn(author_id=alice.id, name=alice.name, text="hello", message_id=source_message_id)
        async with Database.open(self.url) as store:
            await store.battles.create(
                source_message_id=source_message_id,
                guild_id=channel.guild_id,
                channel_id=channel.id,
                author_id=alice.id,
                conversation=Conversation(turns=(turn,), bot_name="Twofold"),
                purpose=Purpose.LIVE,
                at=datetime.now(UTC),
            )

    async def _online(self, identified: int) -> None:
        def up() -> bool:
            gateway = self.wire.gateway
            return gateway.identified >= identified and len(gateway.online) == COUNT

        await until(up, "every shard to be on the gateway", 90)

    async def _ask(self, channels: Iterable[Channel]) -> list[Message]:
        texts = [(channel, f"{self.wire.mention} what is a fold?") for channel in channels]
        prompts = [await self.alice.send(channel, text) for channel, text in texts]
        ballots = await asyncio.gather(*map(self.wire.wait_for_reply, prompts))
        self.prompts += prompts
        self.in_servers += ballots
        return list(ballots)

    async def _vote(self, member: Person, ballots: Iterable[Message], label: str) -> None:
        async def vote(ballot: Message) -> None:
            press = await member.press(ballot, label)
            await press.says("You ")
            await (await member.press(press.ephemeral[0], "Not sure")).acknowledged()

        await asyncio.gather(*map(vote, ballots))

    def closings(self) -> Counter[int]:
        """How often each message was edited to one without a ballot."""
        edits = (r for r in self.wire.requests if r.method == "PATCH" and "/messages/" in r.path)
        ended = (r for r in edits if r.status == 200 and LABELS[0] not in json.dumps(r.body))
        return Counter(int(r.path.rpartition("/")[2]) for r in ended if "/channels/" in r.path)


def _in(ballots: Iterable[Message], channels: list[Channel]) -> list[Message]:
    return [ballot for ballot in ballots if ballot.channel in channels]
