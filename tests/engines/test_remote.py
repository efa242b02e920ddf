"""The remote engine against a real server on loopback."""

from __future__ import annotations

import json
import logging

import pytest
import pytest_asyncio

from bot.engines import ChatMessage, CompletionRequest
from bot.engines.remote import RemoteEngine
from bot.errors import EngineRefused, EngineTimeout, EngineUnavailable
from storage.records import Sampling

CHAT = (ChatMessage("user", "héllo"),)


@pytest_asyncio.fixture
async def engine(server):
    made = RemoteEngine("far-model", base_url=server.url, api_key="sk-secret")
    await made.start()
    yield made
    await made.close()


async def complete(engine, prompt="Ann:", **changes):
    request = CompletionRequest(prompt=prompt, **{"deadline": 10.0, **changes})
    return [chunk async for chunk in engine.stream(request)]


def text(chunks):
    return "".join(chunk.text for chunk in chunks)


async def test_a_raw_prompt_goes_to_completions_with_all_parameters(engine, server):
    sampling = Sampling(temperature=0.3, top_p=0.5, max_tokens=9)
    stops = ("a1", "a2", "a3", "a4", "\nAnn:")
    chunks = await complete(engine, sampling=sampling, stops=stops, seed=2**40 + 5)
    path, body = server.requests[0]
    assert path == "/v1/completions"
    assert {key: body[key] for key in ("prompt", "temperature", "top_p", "max_tokens", "seed")} == {
        "prompt": "Ann:",
        "temperature": 0.3,
        "top_p": 0.5,
        "max_tokens": 9,
        "seed": 5,
    }
    assert body["stop"] == list(stops[:4])
    assert text(chunks) == "One two three"  # the fifth stop is matched here
    assert chunks[-1].stop == "\nAnn:"


async def test_a_chat_goes_to_chat_completions_and_is_rendered_as_json(engine, server):
    chunks = await complete(engine, CHAT)
    path, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "user", "content": "héllo"}]
    assert json.loads(engine.render(CHAT)) == body["messages"]
    assert "héllo" in engine.render(CHAT)
    assert (chunks[-1].prompt_tokens, chunks[-1].completion_tokens) == (7, 5)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
async def test_what_may_pass_is_retried(engine, server, status):
    server.fail = [status, status]
    assert text(await complete(engine)) == server.text
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_will_not_pass_is_refused_once(engine, server, status):
    server.fail = [status] * 9
    with pytest.raises(EngineRefused) as caught:
        await complete(engine)
    assert len(server.requests) <= 2  # 400 and 422 are tried once without stream_options
    assert not caught.value.retryable
    assert "Check" in caught.value.user_message
    assert "sk-" not in repr(caught.value)


async def test_a_server_that_refuses_usage_is_asked_without(engine, server):
    server.refuse_usage = True
    assert text(await complete(engine)) == server.text
    assert text(await complete(engine)) == server.text
    assert ["stream_options" in body for _, body in server.requests] == [True, False, False]


async def test_the_server_says_when_to_come_back(engine, server):
    server.fail, server.headers = [429], {"retry-after": "0.01"}
    assert text(await complete(engine)) == server.text
    server.fail, server.headers = [429], {"retry-after": "60"}
    with pytest.raises((EngineTimeout, EngineUnavailable)):
        await complete(engine, deadline=0.5)


async def test_a_stream_cut_after_text_is_not_retried(engine, server):
    server.cut = 2
    with pytest.raises(EngineUnavailable, match="middle"):
        await complete(engine)
    assert len(server.requests) == 1


async def test_a_stream_cut_before_text_is_retried(engine, server):
    server.cut = 0
    with pytest.raises((EngineUnavailable, EngineTimeout)):
        await complete(engine, deadline=1.5)
    assert len(server.requests) > 1


async def test_a_server_that_is_not_there_is_unavailable():
    made = RemoteEngine("m", base_url="http://127.0.0.1:9/v1", api_key="sk-secret")
    await made.start()
    with pytest.raises((EngineUnavailable, EngineTimeout)):
        await complete(made, deadline=1.0)
    await made.close()


async def test_a_server_that_is_silent_times_out(engine, server):
    server.hang = True
    with pytest.raises(EngineTimeout):
        await complete(engine, deadline=0.2)


async def test_the_key_is_in_no_text(engine, server, caplog):
    caplog.set_level(logging.DEBUG)
    server.fail = [500, 401]
    with pytest.raises(EngineRefused) as caught:
        await complete(engine)
    seen = [repr(engine), str(caught.value), repr(caught.value.__cause__), caplog.text]
    assert not any("sk-secret" in part for part in seen)
