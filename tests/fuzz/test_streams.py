"""Whatever a model API answers: a completion, or an EngineError in a sentence of ours."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from bot.engines import ChatMessage, CompletionRequest
from bot.engines.completion import complete
from bot.engines.moderation import RemoteModerator
from bot.engines.remote import RemoteEngine
from bot.errors import EngineError
from storage.records import FinishReason
from tests.fuzz.cases import fuzzed, require_sentence
from tests.fuzz.texts import any_text, damaged, spoiled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

KEY = "sk-geheim-0123456789abcdef"
WORDS = "their-own-words"
"""What the far side says of faults: never shown."""
LARGEST = 2**63


def event(text: object, reason: object = None, *, chat: bool, **more: object) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": reason}
    choice |= {"delta": {"content": text}} if chat else {"text": text}
    kind = "chat.completion.chunk" if chat else "text_completion"
    whole = {"id": "x", "object": kind, "created": 0, "model": "m", "choices": [choice]}
    return whole | more


reasons = st.sampled_from(["stop", "length", "content_filter", "tool_calls", "", None, 7])
usages = st.just(None) | st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": st.integers() | st.none() | st.text(max_size=3),
        "completion_tokens": st.integers() | st.floats(),
        "total_tokens": st.integers(),
    },
)
texts = st.sampled_from(["One ", "two", "\nAnn: ", "", "é"]) | any_text


@st.composite
def streams(draw: st.DrawFn, *, chat: bool) -> bytes:
    """Server-sent events, mostly as they should be."""
    made = [event(text, None, chat=chat) for text in draw(st.lists(texts, max_size=5))]
    if draw(st.integers(0, 3)):
        made.append(event("", draw(reasons), chat=chat, usage=draw(usages)))
    if draw(st.booleans()):
        made.append(event("", None, chat=chat) | {"choices": [], "usage": draw(usages)})
    if made and draw(st.booleans()):
        at = draw(st.integers(0, len(made) - 1))
        made[at] = draw(spoiled(made[at]))
    lines = [f"data: {json.dumps(one)}\n\n" for one in made]
    lines.insert(
        draw(st.integers(0, len(lines))),
        draw(
            st.sampled_from(
                [
                    "",
                    ": ping\n\n",
                    "event: error\ndata: {}\n\n",
                    "event: x\n",
                    "id: 1\nretry: x\n\n",
                    f'data: {{"error": {{"message": "{WORDS}"}}}}\n\n',
                    "data: [DONE]\n\n",
                    "data:\n\n",
                    "\r",
                ]
            )
        ),
    )
    content = "".join([*lines, draw(st.sampled_from(["data: [DONE]\n\n", ""]))]).encode()
    return draw(damaged(content)) if draw(st.booleans()) else content


bodies = st.one_of(
    st.just(json.dumps({"error": {"message": WORDS, "param": "seed", "code": "x"}}).encode()),
    spoiled({"error": {"message": WORDS, "param": "top_k"}}).map(lambda v: json.dumps(v).encode()),
    st.sampled_from([b"", b"<html>their-own-words</html>", b"maximum context length", b"\xff"]),
    st.binary(max_size=60),
)
statuses = st.sampled_from(
    [*[200] * 12, 204, 301, 400, 401, 403, 404, 408, 413, 422, 429, 500, 503]
)
headers = st.fixed_dictionaries(
    {"content-type": st.sampled_from(["text/event-stream", "application/json", "text/html", "x"])},
    optional={
        "retry-after": st.sampled_from(["0", "x", "-1", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT"]),
        "content-encoding": st.sampled_from(["gzip", "br", "identity", "x"]),
        "x-should-retry": st.just("true"),
    },
)


class Wire(httpx2.AsyncBaseTransport):
    """A server without a socket: answers with what the case has, in pieces of any size."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, str], bytes, int, bool] = (200, {}, b"", 1, False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        status, told, content, size, cut = self.answer

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(content), size):
                yield content[at : at + size]
            if cut:
                raise httpx2.ReadError("cut")

        return httpx2.Response(status, headers=told, content=pieces(), request=request)


class Far:
    """An engine and a moderator at such a server, and the loop that they live in."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.wire = Wire()
        self.client = openai.AsyncOpenAI(
            api_key=KEY,
            base_url="http://127.0.0.1:1/v1",
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=self.wire),
        )

    def engine(self) -> RemoteEngine:
        engine = RemoteEngine("far-model", base_url="http://127.0.0.1:1/v1", api_key=KEY)
        engine._client = self.client
        return engine

    def moderator(self) -> RemoteModerator:
        moderator = RemoteModerator(base_url="http://127.0.0.1:1/v1", api_key=KEY)
        moderator._client = self.client
        return moderator


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    stamina.set_testing(True, attempts=2)
    far = Far()
    yield far
    far.runner.close()
    stamina.set_testing(False)


def _plain(error: EngineError) -> None:
    for secret in (KEY, WORDS):
        require_sentence(error, secret=secret)


@fuzzed("model API")
@given(
    data=st.data(),
    chat=st.booleans(),
    status=statuses,
    told=headers,
    size=st.sampled_from([1, 7, 1000, 10**6]),
    cut=st.booleans(),
    so_far=st.sampled_from(["", "One"]),
)
def test_any_answer_of_a_server_is_a_completion_or_a_sentence(
    far: Far,
    data: st.DataObject,
    chat: bool,
    status: int,
    told: dict[str, str],
    size: int,
    cut: bool,
    so_far: str,
) -> None:
    content = data.draw(streams(chat=chat) if status == 200 else bodies)
    far.wire.answer = (status, told, content, size, cut)
    prompt = (ChatMessage("user", "Count"),) if chat else "Count:"
    request = CompletionRequest(prompt=prompt, so_far=so_far, stops=("\nAnn:",), deadline=20.0)
    try:
        made = far.runner.run(complete(far.engine(), request))
    except EngineError as error:
        _plain(error)
        return
    assert isinstance(made.raw, str)
    assert "\nAnn:" not in made.raw
    assert made.finish_reason in FinishReason
    for tokens in (made.prompt_tokens, made.completion_tokens):
        assert type(tokens) is int
        assert 0 <= tokens < LARGEST


judgement = {
    "id": "x",
    "model": "m",
    "results": [
        {"flagged": True, "categories": {"hate": True, "violence/graphic": False}},
        {"flagged": False, "categories": {"hate": False}},
    ],
}


@fuzzed("moderation API")
@given(
    status=statuses,
    told=headers,
    content=spoiled(judgement).map(lambda v: json.dumps(v).encode()) | bodies,
    cut=st.booleans(),
)
def test_any_judgement_of_a_server_is_one_or_a_sentence(
    far: Far, status: int, told: dict[str, str], content: bytes, cut: bool
) -> None:
    far.wire.answer = (status, told | {"content-type": "application/json"}, content, 100, cut)
    try:
        found = far.runner.run(far.moderator().judge(["one", "two"]))
    except EngineError as error:
        _plain(error)
        return
    assert len(found) == 2
    assert all(isinstance(why, str) and why for reasons in found for why in reasons)


@fuzzed("list of models")
@given(
    status=statuses,
    told=headers,
    content=spoiled(
        {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]}
    ).map(lambda v: json.dumps(v).encode())
    | bodies,
)
def test_any_list_of_models_is_one_or_none(
    far: Far, status: int, told: dict[str, str], content: bytes
) -> None:
    far.wire.answer = (status, told | {"content-type": "application/json"}, content, 100, False)
    try:
        found = far.runner.run(far.engine().models())
    except EngineError as error:
        _plain(error)
        return
    assert all(isinstance(name, str) for name in (*found, *found.values()))
