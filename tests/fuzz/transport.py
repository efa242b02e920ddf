"""discord.py's way out: its requests go to the wire server's handlers, without a socket."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from aiohttp import FormData
from multidict import CIMultiDict

from tests.wire.errors import ApiError
from tests.wire.routing import Call
from tests.wire.server import VIA

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from tests.wire.errors import Flaw
    from tests.wire.routing import Route

API = re.compile(r".*?/api/v[0-9]+")
PLENTY = {
    "X-RateLimit-Limit": "1000",
    "X-RateLimit-Remaining": "999",
    "X-RateLimit-Reset-After": "1",
}


@dataclass
class Response:
    """As much of aiohttp's as discord.py looks at."""

    method: str
    status: int
    body: Any
    headers: CIMultiDict[str]
    reason: str = ""

    async def text(self, **_: str) -> str:
        return "" if self.body is None else json.dumps(self.body)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """There is nothing to give back."""


class Transport:
    """Stands where discord.py keeps its aiohttp session.

    `refused` is what Discord would not take, `sent` all that it was sent.
    """

    closed = False

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [
            (route, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)))
            for route in routes
        ]
        self.refused: list[str] = []
        self.sent: list[str] = []

    def request(self, method: str, url: str, **how: Any) -> Response:
        """Answer at once."""
        path = API.sub("", urlsplit(url).path)
        body, files = _parsed(how.get("data"))
        self.sent.append(f"{method} {json.dumps(body, ensure_ascii=False)} {files!r}")
        query = {key: str(value) for key, value in (how.get("params") or {}).items()}
        query |= dict(part.split("=", 1) for part in filter(None, urlsplit(url).query.split("&")))
        for route, pattern in self._routes:
            if route.method == method and (found := pattern.fullmatch(path)):
                status, answer = self._answer(route, Call(found.groupdict(), query, body, files))
                break
        else:
            raise AssertionError(f"unknown route: {method} {path}")
        bucket = {"X-RateLimit-Bucket": f"{method} {route.path}"}
        headers = CIMultiDict({"Via": VIA, **PLENTY, **bucket, "Content-Type": "application/json"})
        return Response(method, status, answer, headers)

    async def close(self) -> None:
        self.closed = True

    def _answer(self, route: Route, call: Call) -> tuple[int, Any]:
        try:
            return route.handler(call)
        except ApiError as error:
            self.refused += [_told(route, flaw) for flaw in error.flaws if flaw.avoidable]
            return error.status, error.body()


def _told(route: Route, flaw: Flaw) -> str:
    return f"{route.method} {route.path}: {flaw}"


def _parsed(data: Any) -> tuple[Any, dict[str, bytes]]:
    if not isinstance(data, FormData):
        return (json.loads(data) if data else None), {}
    body, files = None, {}
    for options, _, value in data._fields:
        if options["name"] == "payload_json":
            body = json.loads(value)
        else:
            value.seek(0)
            files[options["filename"]] = value.read()
    return body, files
