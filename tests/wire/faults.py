"""What goes wrong on demand: answers that fail before or after their effect, an unquiet gateway."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .errors import ApiError
    from .server import Record

SEND = "POST /channels/{channel}/messages"
EDIT = "PATCH /channels/{channel}/messages/{message}"
HISTORY = "GET /channels/{channel}/messages"
TYPING = "POST /channels/{channel}/typing"
CALLBACK = "POST /interactions/{interaction}/{token}/callback"
FOLLOW_UP = "POST /webhooks/{application}/{token}"
FILL = "PATCH /webhooks/{application}/{token}/messages/{message}"
"""The routes that battles go through."""

ALWAYS = math.inf

Json = dict[str, Any]


@dataclass(eq=False)
class Fault:
    """What happens to the next `times` requests on a route, of those that are meant.

    With `effect` the request does what it asks for, and only its answer is another, late by
    `seconds`, or none at all where `status` is 0.
    """

    route: str
    status: int
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    effect: bool = False
    seconds: float = 0.0
    times: float = 1
    via: bool = True
    meant: Callable[[Record], bool] = lambda _: True
    met: int = 0

    def meets(self, record: Record) -> bool:
        """Whether this request is to go wrong; it is counted then."""
        if f"{record.method} {record.route}" != self.route or self.met >= self.times:
            return False
        if not self.meant(record):
            return False
        self.met += 1
        return True


def too_many(route: str, *, scope: str = "user", via: bool = True, **how: Any) -> Fault:
    """429: of this route's bucket (`user`), of the resource for all (`shared`), or `global`.

    Without `Via` it comes from the guard in front of Discord, which bans.
    """
    wait = how.pop("retry_after", 0.3)
    headers = {"Retry-After": f"{wait:.3f}", "X-RateLimit-Scope": scope}
    if scope == "global":
        headers["X-RateLimit-Global"] = "true"
    body = {
        "message": "You are being rate limited.",
        "retry_after": wait,
        "global": scope == "global",
    }
    return Fault(route, 429, body if via else {"title": "banned"}, headers, via=via, **how)


def failing(route: str, status: int = 502, *, effect: bool = False, **how: Any) -> Fault:
    """5xx before the request did anything, or after it."""
    return Fault(route, status, {"message": f"{status}: failed", "code": 0}, effect=effect, **how)


def lost(route: str, *, effect: bool = False, **how: Any) -> Fault:
    """The connection breaks before the request is read, or with its answer on the way."""
    return Fault(route, 0, effect=effect, **how)


def refused(route: str, error: ApiError, **how: Any) -> Fault:
    """An error that Discord means."""
    return Fault(route, error.status, error.body(), **how)


@dataclass
class Unrest:
    """How the gateway is not as it should be."""

    ack_after: float = 0.0
    """Seconds until a heartbeat is acknowledged; infinity for never."""
    twice: frozenset[str] = frozenset()
    """Events that are sent twice."""
    held: list[Callable[[], None]] | None = None
    """Events that wait; none do where this is None."""

    def hold(self) -> None:
        """Keep events back from now on."""
        self.held = []

    def release(self, *, backwards: bool = False) -> None:
        """Send what was kept back, perhaps the latest first."""
        waiting, self.held = self.held or [], None
        for send in reversed(waiting) if backwards else waiting:
            send()
