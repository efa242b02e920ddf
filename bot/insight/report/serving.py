"""The page over HTTP: read-only, for this machine or behind a token."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import hmac
import ipaddress
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog
from aiohttp import web

from bot.errors import ConfigError, TwofoldError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiohttp.typedefs import Handler

    from bot.insight.report.page import Page

log = structlog.get_logger(__name__)

FRESH = 10.0
"""Seconds until a page is made anew: so long may be seen what was taken back meanwhile."""

IDLE = 9
"""How many times as long as a page takes to be made, at least, it is kept."""

COOKIE = "twofold_report"
DAY = 24 * 60 * 60

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "twofold",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

GO_ON = (
    '<!doctype html><html lang="en"><title>Twofold</title>'
    '<meta http-equiv="refresh" content="0;url=/"><p><a href="/">Go on to the report</a></p>'
)
"""Answers an address with a token. A redirect would come without the cookie, as its way
began at another site; this page is of the same one, and the token leaves the address."""


class Live:
    """A page that is made anew when it is asked for and no longer fresh, once at a time."""

    def __init__(
        self,
        make: Callable[[Callable[[str], object]], Awaitable[Page]],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._make = make
        self._clock = clock
        self._lock = asyncio.Lock()
        self._page: Page | None = None
        self._until = 0.0

    async def get(self, tell: Callable[[str], object] = lambda _: None) -> Page:
        """The page as it is now; `tell` is told what is being done. Raises StorageError."""
        async with self._lock:
            began = self._clock()
            if self._page is None or began >= self._until:
                self._page = await self._make(tell)
                ended = self._clock()
                self._until = ended + max(FRESH, IDLE * (ended - began))
            return self._page


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who is let in. Without a token it is whoever speaks to this machine by its own name."""

    token: str | None = None

    def _shown_by(self, request: web.Request) -> str | None:
        """What the request shows in the token's place: a token, or the cookie made of one."""
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return bearer.strip()
        return request.query.get("token")

    def lets_in(self, request: web.Request) -> bool:
        """Whether the request shows the token or the cookie."""
        if self.token is None:
            return True
        shown = self._shown_by(request)
        if shown is not None:
            return _same(shown, self.token)
        return _same(request.cookies.get(COOKIE, ""), self.cookie)

    def by_name(self, request: web.Request) -> bool:
        """Whether the address names this machine: not so where another site leads here.

        A page elsewhere may have its name point to 127.0.0.1, and would read along.
        """
        return self.token is not None or is_loopback(_name_of(request.host))

    @property
    def cookie(self) -> str:
        """A hash of the token, so that whoever sees the cookie does not have the token."""
        key = (self.token or "").encode()
        return hmac.new(key, COOKIE.encode(), hashlib.sha256).hexdigest()


def application(page: Callable[[], Awaitable[Page]], access: Access) -> web.Application:
    """What answers requests. Nothing that comes in changes anything."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        response: web.StreamResponse
        if not access.by_name(request):
            response = _text(
                "Open this page as http://127.0.0.1 or http://localhost, with its port.",
                status=421,
            )
        elif not access.lets_in(request):
            response = _text(
                "This page needs its token: open the address that `twofold serve` printed.",
                status=401,
            )
            response.headers["WWW-Authenticate"] = 'Bearer realm="twofold"'
        else:
            response = await _answered(request, handler)
        response.headers.update(
            {name: value for name, value in HEADERS.items() if name not in response.headers}
        )
        response.headers.setdefault("Content-Security-Policy", NOTHING)
        return response

    async def index(request: web.Request) -> web.Response:
        if access.token is not None and "token" in request.query:
            response = web.Response(text=GO_ON, content_type="text/html")
            response.set_cookie(
                COOKIE,
                access.cookie,
                max_age=30 * DAY,
                httponly=True,
                samesite="Strict",
                secure=request.secure,
            )
            return response
        made = await page()
        response = web.Response(text=made.html, content_type="text/html")
        response.headers["Content-Security-Policy"] = f"{made.policy}; frame-ancestors 'none'"
        response.enable_compression()
        return response

    served = web.Application(middlewares=[guard])
    served.router.add_get("/", index)
    return served


@asynccontextmanager
async def serving(application: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve until left; gives the port, which is a free one for port 0. Raises ConfigError."""
    # Addresses may hold the token, so none is logged.
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(_why_not(error, host, port)) from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def is_loopback(host: str) -> bool:
    """Whether only this machine is reached by that name or address."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address(host: str, port: int, *, token: str | None = None) -> str:
    """What to open in a browser. Where all addresses are bound, the machine's name stands."""
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    if ":" in host:
        host = f"[{host}]"
    query = f"?token={quote(token, safe='')}" if token else ""
    return f"http://{host}:{port}/{query}"


def _why_not(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"This machine has no address {host}. Choose another one with --host."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Choose another one with --port."
    if isinstance(error, PermissionError):
        return f"Port {port} needs more rights. Choose one above 1023 with --port."
    return f"The page cannot be served at {host}, port {port} ({error.strerror})."


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:  # no such page, or not GET or HEAD
        allowed = error.headers.get("Allow")
        return _text(error.reason, status=error.status, **({"Allow": allowed} if allowed else {}))
    except TwofoldError as error:
        log.warning("the report could not be made", reason=error.user_message)
        return _text(error.user_message, status=503)
    except Exception:
        log.exception("the report could not be made")
        return _text("The report could not be made. The log has the reason.", status=500)


def _text(sentence: str, *, status: int, **headers: str) -> web.Response:
    return web.Response(text=f"{sentence}\n", status=status, headers=headers)


def _name_of(host: str) -> str:
    """The host of a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _same(shown: str, known: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "replace"), known.encode())
