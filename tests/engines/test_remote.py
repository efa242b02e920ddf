"""The remote engine against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
import pytest_asyncio

from bot.contenders import EngineKey
from bot.engines import ChatMessage, CompletionRequest
from bot.engines.bounded import MOST_BYTES
from bot.engines.factory import EngineFactory
from bot.engines.reading import CHARACTERS
from bot.engines.remote import RemoteEngine
from bot.errors import (
    EngineAstray,
    EngineRefused,
    EngineTimeout,
    EngineUnavailable,
    EngineUnreachable,
    PromptTooLong,
)
from storage.records import FinishReason, Sampling
from tests.faults.model_api import NONSENSE, ModelApi, babbling, endless

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


async def test_an_adapter_is_asked_for_by_its_name_and_told_beside_its_base(server, tmp_path):
    key = EngineKey("openai:far-model", (server.url,), adapter="far-dpo")
    engine = EngineFactory(cache=tmp_path).make(key)
    await engine.start()
    assert text(await complete(engine))
    assert [body["model"] for _, body in server.requests] == ["far-dpo"]
    assert engine.revision == "far-model+far-dpo"
    await engine.close()


async def test_a_raw_prompt_goes_to_completions_with_all_parameters(engine, server):
    sampling = Sampling(temperature=0.3, top_p=0.5, max_tokens=9)
    stops = ("a1", "a2", "a3", "a4", "\nAnn:")
    chunks = await complete(engine, sampling=sampling, stops=stops, seed=2**40 + 5)
    path, body = server.requests[0]
    assert path == "/v1/completions"
    assert body == {
        "model": "far-model",
        "prompt": "Ann:",
        "temperature": 0.3,
        "top_p": 0.5,
        "top_k": 50,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "max_tokens": 9,
        "seed": 5,
        "stop": list(stops[:4]),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
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
    server.fail, server.headers = [status, status], {"retry-after": "0.01"}
    assert text(await complete(engine)) == server.text
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_will_not_pass_is_refused_once(engine, server, status):
    server.fail = [status] * 9
    with pytest.raises(EngineRefused) as caught:
        await complete(engine)
    assert len(server.requests) <= 2  # 400 and 422 are tried once with OpenAI's arguments alone
    assert not caught.value.retryable
    assert "Check" in caught.value.user_message
    assert "sk-" not in repr(caught.value)


async def test_what_a_server_refuses_to_take_it_is_not_asked_again(engine, server):
    server.refuses = ("top_k", "min_p", "repetition_penalty", "max_tokens", "temperature")
    assert text(await complete(engine)) == server.text
    asked = len(server.requests)
    assert text(await complete(engine)) == server.text
    assert len(server.requests) == asked + 1
    last = server.requests[-1][1]
    assert not set(server.refuses) & last.keys()
    assert last["max_completion_tokens"] == 128
    assert last["top_p"] == 0.95
    assert engine.revision == "far-model without top_k, min_p, repetition_penalty, temperature"


async def test_a_refusal_without_a_name_costs_what_is_beyond_openai(engine, server):
    server.refuses, server.says = ("stream_options",), "unknown field"
    assert text(await complete(engine)) == server.text
    kept = {"model", "prompt", "temperature", "top_p", "seed", "max_tokens", "stream"}
    assert server.requests[-1][1].keys() == kept
    assert len(server.requests) == 2


async def test_what_is_not_the_servers_taste_is_not_learnt(engine, server):
    server.fail = [400, 400]
    with pytest.raises(EngineRefused):
        await complete(engine)
    await complete(engine)
    assert "top_k" in server.requests[-1][1]


@pytest.mark.parametrize(
    "says",
    [
        "This model's maximum context length is 512 tokens, you asked for 600 (max_tokens)",
        "request (5001 tokens) exceeds the available context size (512 tokens), try increasing it",
        "Prompt is too long.",
    ],
)
async def test_a_prompt_that_is_too_long_for_the_server_is_told_as_that(engine, server, says):
    server.refuses, server.says = ("max_tokens",), says
    with pytest.raises(PromptTooLong):
        await complete(engine)
    assert len(server.requests) == 1


@pytest.mark.parametrize("top_k", [0, 7])
async def test_a_top_k_that_is_off_is_written_as_servers_read_it(engine, server, top_k):
    await complete(engine, sampling=Sampling(top_k=top_k))
    assert server.requests[-1][1]["top_k"] == (top_k or -1)


@pytest.mark.parametrize(
    ("status", "key", "says"),
    [
        (401, None, "wants a key. Put it into FAR_KEY"),
        (401, "sk-secret", "does not accept the key for far-model. Check FAR_KEY"),
        (403, "sk-secret", "does not accept the key for far-model. Check FAR_KEY"),
        (404, "sk-secret", "knows no model far-model"),
    ],
)
async def test_a_refusal_says_what_to_do(server, status, key, says):
    made = RemoteEngine("far-model", base_url=server.url, api_key=key, key_name="FAR_KEY")
    await made.start()
    server.fail = [status]
    with pytest.raises(EngineRefused, match=says):
        await complete(made)
    await made.close()


NOT_FOUND = {
    "vLLM": '{"object": "error", "message": "The model `m` does not exist.", "code": 404}',
    "Ollama": '{"error": {"message": "model \\"m\\" not found, try pulling it first"}}',
    "OpenAI": '{"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}',
    "a wrong path": "404 page not found",
}


@pytest.mark.parametrize("body", NOT_FOUND.values(), ids=NOT_FOUND)
async def test_an_unknown_model_is_told_in_whatever_shape_it_comes(engine, server, body):
    server.fail, server.body = [404], body
    with pytest.raises(EngineRefused, match="knows no model far-model"):
        await complete(engine)


TOO_MUCH = {
    "OpenAI": '{"error": {"message": "Unrecognized request argument supplied: top_k"}}',
    "OpenAI, newer": (
        '{"error": {"message": "Unsupported", "param": "top_k", "code": "unsupported_parameter"}}'
    ),
    "Mistral": '{"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "input": 50}]}',
    "transformers": '{"detail": "Unexpected fields in the request: {\'top_k\'}"}',
}


@pytest.mark.parametrize("body", TOO_MUCH.values(), ids=TOO_MUCH)
async def test_a_refused_argument_is_found_in_whatever_shape_it_comes(engine, server, body):
    server.fail, server.body = [422 if "detail" in body else 400], body
    await complete(engine)
    assert engine.revision == "far-model without top_k"


async def test_a_stop_that_the_server_names_is_passed_on(engine, server):
    server.stop_reason = "</s>"  # as vLLM does
    assert (await complete(engine))[-1].stop == "</s>"


async def test_the_models_of_a_server_are_listed(engine, server):
    server.models = ("one", "two")
    server.roots = {"two": "second"}
    assert await engine.models() == {"one": "one", "two": "second"}
    server.fail = [404]
    assert await engine.models() == {}
    server.fail = [401]
    with pytest.raises(EngineRefused):
        await engine.models()


async def test_an_error_that_cannot_be_read_is_one_all_the_same(engine, server):
    server.fail, server.headers = [500, 400, 500, 400], {"Content-Encoding": "gzip"}
    with pytest.raises(EngineUnreachable, match="does not answer as it should"):
        await complete(engine)


@pytest.mark.parametrize(
    "listed", ["null", '{"data": [null, 3, {"id": [1]}]}', "[]", "[" * 100_000]
)
async def test_a_list_of_models_that_is_none_names_none(engine, server, listed):
    server.listed = listed
    assert await engine.models() == {}


async def test_nothing_of_openais_own_goes_to_another_server(server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "for-openai-alone")
    made = RemoteEngine("far-model", base_url=server.url)
    await made.start()
    await complete(made)
    await made.models()
    await made.close()
    assert len(server.told) == 2
    assert "for-openai-alone" not in repr(server.told)


async def test_the_server_says_when_to_come_back(engine, server):
    server.fail, server.headers = [429], {"retry-after": "0.01"}
    assert text(await complete(engine)) == server.text
    server.fail, server.headers = [429], {"retry-after": "60"}
    with pytest.raises(EngineUnreachable, match="busy"):
        await complete(engine)  # a minute is more than there is: told at once
    assert len(server.requests) == 3


async def test_a_stream_cut_after_text_is_not_retried(engine, server):
    server.cut = 2
    with pytest.raises(EngineUnavailable, match="middle"):
        await complete(engine)
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["cut", "fail"])
async def test_what_goes_on_failing_is_given_up_within_a_few_attempts(engine, server, fault):
    setattr(server, fault, {"cut": 0, "fail": [503] * 99}[fault])
    with pytest.raises(EngineUnreachable):
        await complete(engine, deadline=60)
    assert len(server.requests) == 4


async def test_what_is_no_answer_is_told_as_that():
    async with ModelApi(babbling) as api:
        made = RemoteEngine("m", base_url=f"http://127.0.0.1:{api.port}/v1")
        await made.start()
        said = await asyncio.gather(
            *(complete(made, (ChatMessage("user", what),)) for what in NONSENSE),
            return_exceptions=True,
        )
        assert all(isinstance(error, EngineAstray) for error in said), said
        await made.close()


async def test_an_answer_without_an_end_is_ended():
    async with ModelApi(endless) as api:
        made = RemoteEngine("m", base_url=f"http://127.0.0.1:{api.port}/v1")
        await made.start()
        chunks = await complete(made, CHAT, sampling=Sampling(max_tokens=50))
        assert chunks[-1].finish_reason is FinishReason.LENGTH
        assert len(text(chunks)) == 50 * CHARACTERS
        await made.close()


async def test_a_response_of_any_length_does_not_fill_the_memory(engine, server):
    server.fail, server.body = [400] * 9, "x" * (MOST_BYTES + 1)
    with pytest.raises(EngineAstray):
        await complete(engine, deadline=60)


async def test_what_comes_packed_is_not_unpacked(engine, server):
    server.fail, server.body, server.packs = [400] * 9, "x" * (MOST_BYTES + 1), True
    with pytest.raises(EngineAstray):
        await complete(engine, deadline=60)
    assert {told["Accept-Encoding"] for told in server.told} == {"identity"}


async def test_a_server_that_is_not_there_is_unreachable():
    made = RemoteEngine("m", base_url="http://127.0.0.1:9/v1", api_key="sk-secret")
    await made.start()
    with pytest.raises(EngineUnreachable, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        await complete(made, deadline=60)
    with pytest.raises(EngineUnreachable):
        await made.models()
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


async def test_an_answer_goes_on_after_a_raw_prompt_and_in_its_own_message(engine, server):
    await complete(engine, "Ann:", so_far=" hi")
    await complete(engine, CHAT, so_far="Well")
    (_, raw), (_, chat) = server.requests
    assert raw["prompt"] == "Ann: hi"
    assert chat["messages"][-1] == {"role": "assistant", "content": "Well"}
    assert (chat["continue_final_message"], chat["add_generation_prompt"]) == (True, False)
    assert "continue_final_message" not in raw


async def test_a_server_that_cannot_be_told_so_is_asked_without(engine, server):
    server.refuses = ("continue_final_message", "add_generation_prompt")
    assert text(await complete(engine, CHAT, so_far="Well")) == server.text
    assert server.requests[-1][1]["messages"][-1]["content"] == "Well"
