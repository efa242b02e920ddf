"""Lost sockets and rate limits, as the unmodified discord.py takes them."""

from __future__ import annotations

import asyncio

import pytest

from .clock import until
from .driver import WireServer
from .limits import RateLimits
from .plainbot import online

pytestmark = pytest.mark.usefixtures("real_addresses")


@pytest.mark.parametrize("how", ["close_all", "cut_all", "reconnect"])
async def test_a_lost_socket_is_resumed_with_what_was_missed(wire: WireServer, how: str) -> None:
    channel = wire.channel(wire.guild())
    alice = wire.person("alice", channel.guild)
    async with online(wire) as bot:
        getattr(wire.gateway, how)()
        prompt = await alice.send(channel, "meanwhile")
        assert (await wire.wait_for_reply(prompt)).text == "echo meanwhile"
        await until(lambda: bot.resumes, "resumed")
        assert (wire.gateway.identified, wire.gateway.resumed) == (1, 1)
        assert len([m for m in bot.heard if m.content == "meanwhile"]) == 1


async def test_an_invalid_session_identifies_again(wire: WireServer) -> None:
    channel = wire.channel(wire.guild())
    alice = wire.person("alice", channel.guild)
    async with online(wire):
        wire.gateway.invalidate(resumable=False)
        await wire.wait_ready(identified=2)
        assert await wire.wait_for_reply(await alice.send(channel, "back"))


async def test_rate_limits_hold_a_client_back() -> None:
    async with WireServer(limits=RateLimits(messages=(2, 0.4))) as wire:
        channel = wire.channel(wire.guild())
        async with online(wire) as bot:
            seen = bot.get_channel(channel.id)
            await asyncio.gather(*(seen.send(str(n)) for n in range(5)))
            times = [r.at for r in wire.requests if r.route.endswith("/messages")]
            assert len(wire.messages(channel)) == 5
            assert max(times) - min(times) >= 0.7


async def test_a_429_is_retried() -> None:
    async with WireServer(limits=RateLimits(messages=(50, 1.0), overall=(4, 0.3))) as wire:
        channel = wire.channel(wire.guild())
        async with online(wire) as bot:
            seen = bot.get_channel(channel.id)
            await asyncio.gather(*(seen.send(str(n)) for n in range(5)))
            assert 429 in {record.status for record in wire.requests}
            assert len(wire.messages(channel)) == 5
