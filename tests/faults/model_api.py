"""A model API of a trial's own, which goes wrong in the way that is asked for."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Self

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Any

    Way = Callable[[web.Request, str], Awaitable[web.StreamResponse]]

FOREVER = 3600.0
WORDS = ("A ", "fold ", "keeps ", "two ", "sides ", "apart.")

NONSENSE = {
    "html": ("text/html", "<html><body>Welcome to the proxy</body></html>"),
    "broken": ("text/event-stream", 'data: {"choices": [\n\n'),
    "schema": ("text/event-stream", 'data: {"answer": "42"}\n\ndata: [DONE]\n\n'),
    "empty": ("text/event-stream", 'data: {"choices": []}\n\ndata: [DONE]\n\n'),
    "number": ("text/event-stream", "data: 5\n\ndata: [DONE]\n\n"),
    "error": ("application/json", '{"error": {"message": "out of cheese"}}'),
    "late": ("text/event-stream", 'data: {"error": {"message": "out of cheese"}}\n\n'),
    "typed": ("text/event-stream", 'data: {"choices": [{"delta": {"content": 5}}]}\n\n'),
}
"""By a word for it: a content type and a body."""


class ModelApi:
    """Chat completions on a loopback port, which stays the same while it is down.

    `way` answers each request, and is given what was asked.
    """

    def __init__(self, way: Way | None = None) -> None:
        self.way = way or well
        self.asked = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def contenders(self) -> str:
        """A configuration with a scripted base model, and an instruct model that is here."""
        return f"""
[[contenders]]
slug = "gemma-x"
kind = "base"
model = "scripted:"

[[contenders]]
slug = "smol-y"
kind = "instruct"
model = "openai:far"
base_url = "http://127.0.0.1:{self.port}/v1"
"""

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.down()

    async def up(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Refuse connections, and break those that there are."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        asked = await request.json()
        return await self.way(request, asked["messages"][-1]["content"])


async def well(request: web.Request, _: str) -> web.StreamResponse:
    """Answer as it should be."""
    return await _streamed(request, WORDS, ended=True)


async def hanging(_: web.Request, __: str) -> web.StreamResponse:
    """Take the request, and never say anything."""
    await asyncio.sleep(FOREVER)
    raise web.HTTPGatewayTimeout


async def hanging_within(request: web.Request, _: str) -> web.StreamResponse:
    """Say some words, and then nothing any more."""
    response = await _streamed(request, WORDS[:3])
    await asyncio.sleep(FOREVER)
    return response


async def cutting(request: web.Request, _: str) -> web.StreamResponse:
    """Break the connection after some words."""
    response = await _streamed(request, WORDS[:3])
    if request.transport is not None:
        request.transport.abort()
    return response


async def babbling(request: web.Request, asked: str) -> web.StreamResponse:
    """Say the nonsense that the last word asks for."""
    kind, body = NONSENSE[asked.rsplit(maxsplit=1)[-1]]
    return web.Response(text=body, content_type=kind)


async def endless(request: web.Request, _: str) -> web.StreamResponse:
    """Say a thousand words at a time, without an end."""
    response = await _streamed(request, ())
    for number in itertools.count():
        try:
            await response.write(_event(f"and so on until {number}, " * 40))
        except ConnectionError:  # it was heard enough
            break
    return response


def refusing(status: int, *, times: float = float("inf"), **headers: str) -> Way:
    """Answer so many requests with a status, and the others well."""
    left = times

    async def answer(request: web.Request, asked: str) -> web.StreamResponse:
        nonlocal left
        left -= 1
        if left < 0:
            return await well(request, asked)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        error = {"error": {"message": "not like this"}}
        return web.json_response(error, status=status, headers=named)

    return answer


async def _streamed(
    request: web.Request, words: tuple[str, ...], *, ended: bool = False
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for word in words:
        await response.write(_event(word))
    if ended:
        await response.write(_event("", "stop") + b"data: [DONE]\n\n")
    return response


def _event(text: str, reason: str | None = None) -> bytes:
    choice: dict[str, Any] = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    event = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "far"}
    return f"data: {json.dumps(event | {'choices': [choice]})}\n\n".encode()
