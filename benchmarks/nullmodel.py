"""A model API that says the same words to everybody, as fast as it can."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

Json = dict[str, Any]


@asynccontextmanager
async def null_model(words: Sequence[str]) -> AsyncIterator[str]:
    """Serve OpenAI's two kinds of completions on loopback, a word in each event.

    The address is what an OpenAI client takes for its base URL.
    """

    async def chat(request: web.Request) -> web.StreamResponse:
        return await _stream(request, words, lambda text: {"delta": {"content": text}})

    async def completions(request: web.Request) -> web.StreamResponse:
        return await _stream(request, words[::-1], lambda text: {"text": text})

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "null", "object": "model"}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/completions", completions)
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def _stream(
    request: web.Request, words: Sequence[str], choice: Callable[[str], Json]
) -> web.StreamResponse:
    asked = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    told: Json = {"id": "null", "created": 0, "model": asked["model"]}
    told["object"] = "chat.completion.chunk" if "messages" in asked else "text_completion"
    for number, word in enumerate(words):
        text = f" {word}" if number else word
        await _event(response, told, {**choice(text), "finish_reason": None})
    await _event(response, told, {**choice(""), "finish_reason": "stop"})
    if (asked.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 1, "completion_tokens": len(words), "total_tokens": 1}
        body = json.dumps({**told, "choices": [], "usage": usage})
        await response.write(f"data: {body}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _event(response: web.StreamResponse, told: Json, choice: Json) -> None:
    body = json.dumps({**told, "choices": [{"index": 0, **choice}]})
    await response.write(f"data: {body}\n\n".encode())
