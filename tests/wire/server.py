"""The HTTP side: parses, records, limits, authorises, answers; shapes as discord.py needs them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .errors import ApiError
from .routing import Call, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .faults import Fault
    from .limits import Limiter

log = logging.getLogger(__name__)

API = "/api/v10"
# Without it discord.py takes a 429 for a ban by Cloudflare and does not retry.
VIA = "1.1 wire"

Json = dict[str, Any]


@dataclass
class Record:
    """One REST request and its answer."""

    method: str
    path: str
    route: str
    at: float
    query: dict[str, str]
    body: Any = None
    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 0
    answer: Any = None
    effect: bool = False
    """Whether it did what it asked for, whatever was answered."""

    @property
    def text(self) -> str:
        """All that the request carried: body and files."""
        files = [content.decode(errors="replace") for content in self.files.values()]
        return "\n".join([json.dumps(self.body, ensure_ascii=False), *files])

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


class RestServer:
    """Discord's REST API over the given route tables."""

    def __init__(self, routes: list[Route], *, limiter: Limiter, token: str) -> None:
        self.limiter = limiter
        self.token = token
        self.requests: list[Record] = []
        self.unknown_routes: list[str] = []
        self.violations: list[str] = []
        self.crashes: list[BaseException] = []
        self.routes = routes
        self.held: Callable[[Record], bool] = lambda _: False
        self.cut: Callable[[Record], bool] = lambda _: False
        """Requests that wait before their handler, and those whose answer is lost on its way."""
        self.faults: list[Fault] = []
        """What goes wrong with the next requests; the first that meets one has it."""

    def mount(self, app: web.Application) -> None:
        """Add every route to an application; what is left is unknown, and loud."""
        for route in self.routes:
            app.router.add_route(route.method, API + route.path, self._endpoint(route))
        unknown = Route("*", "(unknown)", self._unknown, needs_token=False)
        app.router.add_route("*", "/{rest:.*}", self._endpoint(unknown))

    def _unknown(self, _: Call) -> tuple[int, Json]:
        raise ApiError(404, 0, "404: Not Found")

    def _endpoint(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def endpoint(request: web.Request) -> web.Response:
            record = Record(
                request.method,
                request.path.removeprefix(API),
                route.path,
                time.monotonic(),
                dict(request.query),
            )
            self.requests.append(record)
            record.body, record.files = await _parse(request)
            while self.held(record):
                await asyncio.sleep(0.01)
                if request.transport is None:  # who asked is gone, and it never came here
                    return web.Response()
            fault = next((fault for fault in self.faults if fault.meets(record)), None)
            if fault is None or fault.effect:
                record.status, record.answer, headers = self._answer(route, request, record)
                record.effect = 200 <= record.status < 300
            if fault is not None:
                record.status, record.answer, headers = fault.status, fault.body, fault.headers
                await asyncio.sleep(fault.seconds)
            if (self.cut(record) or not record.status) and request.transport is not None:
                request.transport.abort()
            return _response(record, headers, via=fault is None or fault.via)

        return endpoint

    def _answer(
        self, route: Route, request: web.Request, record: Record
    ) -> tuple[int, Any, dict[str, str]]:
        """Limits first, then the token, then the handler: the order in which Discord refuses."""
        parts = dict(request.match_info)
        verdict = self.limiter.check(request.method, route.path, parts)
        if not verdict.allowed:
            return 429, verdict.body, verdict.headers
        try:
            self._authorise(route, request)
            call = Call(parts, record.query, record.body, record.files)
            status, answer = route.handler(call)
        except ApiError as error:
            self._note(error, route, record)
            return error.status, error.body(), verdict.headers
        except Exception as error:
            log.exception("the wire server itself failed on %s %s", record.method, record.path)
            self.crashes.append(error)
            return 500, {"message": "500: Internal Server Error", "code": 0}, verdict.headers
        return status, answer, verdict.headers

    def _authorise(self, route: Route, request: web.Request) -> None:
        if route.needs_token and request.headers.get("Authorization") != f"Bot {self.token}":
            raise ApiError(401, 0, "401: Unauthorized")

    def _note(self, error: ApiError, route: Route, record: Record) -> None:
        if route.method == "*":
            log.error("unknown route: %s %s", record.method, record.path)
            self.unknown_routes.append(f"{record.method} {record.path}")
        for flaw in filter(lambda f: f.avoidable, error.flaws):
            log.error("refused: %s %s: %s", record.method, record.path, flaw)
            self.violations.append(f"{record.method} {record.path}: {flaw}")


async def _parse(request: web.Request) -> tuple[Any, dict[str, bytes]]:
    """Take the JSON body and the files from either way of sending them."""
    if request.content_type != "multipart/form-data":
        raw = await request.read()
        return (json.loads(raw) if raw else None), {}
    body: Any = None
    files: dict[str, bytes] = {}
    async for part in await request.multipart():
        content = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            body = json.loads(content)
        else:
            files[part.filename] = content
    return body, files


def _response(record: Record, headers: dict[str, str], *, via: bool) -> web.Response:
    headers = {"Via": VIA, **headers} if via else dict(headers)
    status = record.status or 500  # nobody reads it where the connection is cut
    if record.answer is None:
        return web.Response(status=status, headers=headers)
    # Exactly this content type: with a charset behind it discord.py would not parse the body.
    headers["Content-Type"] = "application/json"
    return web.Response(status=status, body=json.dumps(record.answer).encode(), headers=headers)
