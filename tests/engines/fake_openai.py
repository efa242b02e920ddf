"""A loopback server that speaks OpenAI's two completion endpoints as event streams.

Faults on demand: `fail` answers the next requests with those statuses, `cut` ends
the connection after that many pieces, `hang` never answers. What `refuses` names is
refused as an argument, with what `says` makes of it. Where it `packs`, failures are gzipped.
`unfit` has the categories in which the moderation endpoint flags texts that have a word in them.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class FakeServer:
    """What was asked, and what to do with the next requests."""

    text: str = "One two three\nAnn: four five"
    fail: list[int] = field(default_factory=list)
    body: str = '{"error": {"message": "server says: sk-secret is wrong"}}'
    headers: dict[str, str] = field(default_factory=dict)
    packs: bool = False
    cut: int | None = None
    stop_reason: str | None = None
    hang: bool = False
    refuses: tuple[str, ...] = ()
    says: str = "Unrecognized request argument supplied: {}"
    models: tuple[str, ...] = ("far-model",)
    roots: dict[str, str] = field(default_factory=dict)
    listed: str | None = None
    unfit: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pause: float = 0.0
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    told: list[dict[str, str]] = field(default_factory=list)
    running: int = 0
    url: str = ""

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/moderations", self._answer)
        app.router.add_post("/v1/completions", self._answer)
        app.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner

    async def _list(self, request: web.Request) -> web.Response:
        self.told.append(dict(request.headers))
        if self.fail:
            return web.json_response({}, status=self.fail.pop(0))
        if self.listed is not None:
            return web.Response(text=self.listed, content_type="application/json")
        models = [
            {"id": name, "object": "model", "root": self.roots.get(name, name)}
            for name in self.models
        ]
        return web.json_response({"object": "list", "data": models})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append((request.path, body))
        self.told.append(dict(request.headers))
        if self.fail:
            status = self.fail.pop(0)
            response = web.Response(
                status=status,
                text=self.body,
                content_type="application/json" if self.body.startswith("{") else "text/plain",
                headers=self.headers,
            )
            if self.packs:
                response.enable_compression(web.ContentCoding.gzip)
            return response
        if refused := [name for name in self.refuses if name in body]:
            error = {"message": self.says.format(refused[0]), "param": None}
            return web.json_response({"error": error}, status=400)
        if self.hang:
            await asyncio.sleep(3600)
        if request.path.endswith("moderations"):
            return web.json_response(self._judged(body["input"]))
        self.running += 1
        try:
            return await self._stream(request, body)
        finally:
            self.running -= 1

    def _judged(self, texts: list[str]) -> dict[str, Any]:
        every = {category for found in self.unfit.values() for category in found}
        results = []
        for text in texts:
            flags = {c for word, found in self.unfit.items() if word in text for c in found}
            categories = {category: category in flags for category in every}
            results.append({"flagged": bool(flags), "categories": categories})
        return {"id": "x", "model": "m", "results": results}

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        chat = request.path.endswith("chat/completions")
        words = [word + " " for word in self.text.split(" ")]
        words[-1] = words[-1][:-1]
        allowed = words[: body.get("max_tokens", body.get("max_completion_tokens"))]
        for count, word in enumerate(allowed):
            if self.cut is not None and count >= self.cut:
                request.transport.abort()
                return response
            await self._send(response, self._event(chat, word, None))
            await asyncio.sleep(self.pause)
        reason = "stop" if len(allowed) == len(words) else "length"
        ended = self._event(chat, "", reason)
        if self.stop_reason is not None:
            ended["choices"][0]["stop_reason"] = self.stop_reason
        await self._send(response, ended)
        usage = {"prompt_tokens": 7, "completion_tokens": len(allowed), "total_tokens": 0}
        await self._send(response, {**self._event(chat, "", None), "choices": [], "usage": usage})
        await response.write(b"data: [DONE]\n\n")
        return response

    @staticmethod
    def _event(chat: bool, text: str, reason: str | None) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": reason}
        choice |= {"delta": {"content": text}} if chat else {"text": text}
        kind = "chat.completion.chunk" if chat else "text_completion"
        return {"id": "x", "object": kind, "created": 0, "model": "m", "choices": [choice]}

    @staticmethod
    async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
