"""A loopback server that speaks as much of the hub's HTTP as a small push needs."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REPO = "dana/answers"


@dataclass
class FakeHub:
    """One repository, made at the first push.

    `fail` answers a path's last part with a status, `gibberish` everything with a page.
    """

    private: bool | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    fail: dict[str, int] = field(default_factory=dict)
    gibberish: bool = False
    messages: list[str] = field(default_factory=list)
    squashed: int = 0
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    async def start(self) -> web.AppRunner:
        app = web.Application(middlewares=[self._note])
        repo = f"/api/datasets/{REPO}"
        app.router.add_post("/api/repos/create", self._create)
        app.router.add_post("/api/validate-yaml", self._validate)
        app.router.add_get(repo, self._info)
        app.router.add_get(f"{repo}/tree/main", self._tree)
        app.router.add_post(f"{repo}/preupload/main", self._preupload)
        app.router.add_post(f"{repo}/commit/main", self._commit)
        app.router.add_post(f"{repo}/super-squash/main", self._squash)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    @web.middleware
    async def _note(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        what = request.path.removesuffix("/main").rpartition("/")[2]
        self.asked.append(what)
        self.tokens.add(request.headers.get("Authorization", ""))
        if what in self.fail:
            return web.json_response({"error": "no"}, status=self.fail[what])
        if self.gibberish:
            return web.Response(text="<html>Log in to this network</html>")
        return await handler(request)

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert (asked["organization"], asked["name"]) == tuple(REPO.split("/"))
        if self.private is not None:
            return web.json_response({"error": "exists", "url": f"{self.url}/{REPO}"}, status=409)
        self.private = asked["visibility"] == "private"
        self.files[".gitattributes"] = b""
        return web.json_response({"url": f"{self.url}/datasets/{REPO}"})

    async def _validate(self, _: web.Request) -> web.Response:
        return web.json_response({"warnings": [], "errors": []})

    async def _info(self, _: web.Request) -> web.Response:
        if self.private is None:
            return web.json_response({"error": "not there"}, status=404)
        return web.json_response({"id": REPO, "private": self.private, "sha": "0" * 40})

    async def _tree(self, _: web.Request) -> web.Response:
        entries = [
            {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
            for name, content in self.files.items()
        ]
        return web.json_response(entries)

    async def _preupload(self, request: web.Request) -> web.Response:
        asked = (await request.json())["files"]
        modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]
        return web.json_response({"files": modes})

    async def _commit(self, request: web.Request) -> web.Response:
        for line in (await request.text()).splitlines():
            self._apply(**json.loads(line))
        url = f"{self.url}/datasets/{REPO}/commit/{'0' * 40}"
        return web.json_response({"commitUrl": url, "commitOid": "0" * 40})

    def _apply(self, *, key: str, value: dict[str, Any]) -> None:
        if key == "header":
            self.messages.append(value["summary"])
        elif key == "file":
            self.files[value["path"]] = base64.b64decode(value["content"])
        else:
            assert key == "deletedFile"
            del self.files[value["path"]]

    async def _squash(self, _: web.Request) -> web.Response:
        self.squashed += 1
        return web.json_response({})
