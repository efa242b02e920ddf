"""Several real servers on loopback behind one engine."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random

import pytest

from bot.contenders import ContenderConfig
from bot.engines import CompletionRequest
from bot.engines.pool import Pool
from bot.engines.remote import RemoteEngine
from bot.errors import (
    EngineRefused,
    EngineTimeout,
    EngineUnavailable,
    EngineUnreachable,
    PromptTooLong,
)
from bot.roster import Roster
from storage.records import Kind, Sampling

NOBODY = "http://127.0.0.1:9/v1"


@asynccontextmanager
async def pool(*urls, probe_seconds=0.05, model="far-model"):
    made = Pool(
        [RemoteEngine(model, base_url=url, api_key="sk-secret") for url in urls],
        probe_seconds=probe_seconds,
    )
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def complete(engine, deadline=5.0, **changes):
    request = CompletionRequest(prompt="Ann:", deadline=deadline, **changes)
    return "".join([chunk.text async for chunk in engine.stream(request)])


async def looked_at(*servers, times=1):
    """Wait until each was asked for its models so many times more, and all was made of it."""
    begun = [len(far.told) - len(far.requests) for far in servers]
    for far, before in zip(servers, begun, strict=True):
        await until(lambda: len(far.told) - len(far.requests) > before + times)  # noqa: B023


async def broken(_):
    raise KeyError("data")


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is at a server
            await asyncio.sleep(0.01)


async def test_the_least_busy_server_answers(server, twin):
    server.pause = twin.pause = 0.05
    async with pool(server.url, twin.url) as engine:
        await asyncio.gather(*(complete(engine) for _ in range(8)))
    assert (len(server.requests), len(twin.requests)) == (4, 4)


async def test_what_a_server_did_not_begin_another_answers(server, twin):
    server.fail = [503] * 3
    async with pool(server.url, twin.url, NOBODY, probe_seconds=60) as engine:
        texts = [await complete(engine) for _ in range(6)]
        assert set(texts) == {twin.text}
        assert engine.resting == (server.url, NOBODY)
    assert len(server.requests) <= 1


async def test_a_server_that_is_back_is_asked_again(server, twin):
    async with pool(server.url, twin.url) as engine:
        server.fail = [500]
        assert await complete(engine) == twin.text
        await until(lambda: engine.resting == ())
        for _ in range(2):
            await complete(engine)
        assert len(server.requests) == 2


async def test_what_broke_off_in_the_middle_is_not_begun_anew(server, twin):
    server.cut = 2
    async with pool(server.url, twin.url, probe_seconds=60) as engine:
        await asyncio.sleep(0)
        with pytest.raises(EngineUnavailable, match="broke off in the middle"):
            await complete(engine)
        assert engine.resting == (server.url,)
        assert await complete(engine) == twin.text


async def test_nobody_is_left_to_answer(server, twin):
    server.fail = twin.fail = [500] * 20
    async with pool(server.url, twin.url, probe_seconds=60) as engine:
        with pytest.raises(EngineUnreachable):
            await complete(engine)
        server.fail = twin.fail = []
        assert await complete(engine) == server.text


async def test_a_prompt_that_is_too_long_is_told_at_once(server, twin):
    server.fail = twin.fail = [400] * 2
    server.body = twin.body = '{"error": {"message": "maximum context length is 10 tokens"}}'
    async with pool(server.url, twin.url, probe_seconds=60) as engine:
        with pytest.raises(PromptTooLong):
            await complete(engine)
        assert engine.resting == ()
    assert len(server.requests) + len(twin.requests) == 1


async def test_a_server_with_another_model_is_told_of_and_not_asked(server, twin, caplog):
    twin.models = ("near-model",)
    async with pool(server.url, twin.url) as engine:
        await until(lambda: engine.resting == (twin.url,))
        for _ in range(4):
            await complete(engine)
        with pytest.raises(EngineRefused, match=f"{twin.url} does not have far-model"):
            await engine.models()
    assert twin.requests == []


async def test_a_server_with_another_revision_is_told_of(server, twin):
    server.roots, twin.roots = {"far-model": "far@1"}, {"far-model": "far@2"}
    async with pool(server.url, twin.url) as engine:
        await until(lambda: engine.resting == (twin.url,))
        with pytest.raises(EngineRefused, match="has far@2 as far-model, and other servers have"):
            await engine.models()


async def test_a_server_with_another_revision_never_stands_in(server, twin):
    server.roots, twin.roots = {"far-model": "far@1"}, {"far-model": "far@2"}
    async with pool(server.url, twin.url) as engine:
        await until(lambda: engine.resting == (twin.url,))
        server.fail = [500] * 1000
        with pytest.raises(EngineUnreachable):
            await complete(engine)
        await looked_at(twin, times=3)
        with pytest.raises(EngineUnreachable):
            await complete(engine)
        assert twin.requests == []
        server.fail, twin.roots = [], {"far-model": "far@1"}
        await until(lambda: engine.resting == ())


async def test_none_has_the_model_that_was_there_at_the_start(server, twin):
    async with pool(server.url, twin.url) as engine:
        await looked_at(server, twin)
        server.models = twin.models = ("near-model",)
        await until(lambda: engine.resting == (server.url, twin.url))
        with pytest.raises(EngineRefused, match="None of the servers has far-model as it was"):
            await complete(engine)


async def test_a_server_that_hangs_rests_until_it_answers(server, twin):
    server.hang = True
    async with pool(server.url, twin.url) as engine:
        with pytest.raises(EngineTimeout):
            await complete(engine, deadline=0.2)
        await looked_at(server, twin, times=3)
        assert engine.resting == (server.url,)
        for _ in range(2):
            assert await complete(engine) == twin.text
        server.hang = False
        await until(lambda: engine.resting == ())
    asked = [body["prompt"] for _, body in server.requests]
    assert asked[0] == "Ann:"
    assert set(asked[1:]) == {"1"}


async def test_whatever_a_look_at_a_server_brings_there_is_another(server, twin, monkeypatch):
    async with pool(server.url, twin.url) as engine:
        with monkeypatch.context() as patched:
            patched.setattr(RemoteEngine, "models", broken)
            await asyncio.sleep(0.1)
        twin.models = ("near-model",)
        await until(lambda: engine.resting == (twin.url,))


async def test_what_one_server_does_not_take_is_asked_of_none(server, twin):
    server.refuses = ("top_k",)
    async with pool(server.url, twin.url) as engine:
        for _ in range(4):
            await complete(engine, sampling=Sampling(max_tokens=4))
        assert engine.revision == "far-model without top_k"
    late = [body for _, body in (*server.requests, *twin.requests) if "top_k" in body]
    assert len(late) == 1


async def test_the_fingerprint_is_that_of_one_server(server, twin):
    marks = set()
    for servers in (server.url, [server.url], [server.url, twin.url], [server.url, NOBODY]):
        config = ContenderConfig(
            slug="far", kind=Kind.INSTRUCT, model="openai:far-model", base_url=servers
        )
        other = ContenderConfig(slug="raw", kind=Kind.BASE, model="openai:far-model")
        async with pool(*config.servers) as engine:
            engines = {config.engine: engine, other.engine: engine}
            roster = Roster((config, other), engines=engines, clock=None, rng=Random(1))
            marks.add(roster.fingerprint(roster.contenders[0], template="chat"))
            assert roster.contenders[0].base_url == server.url
    assert len(marks) == 1
