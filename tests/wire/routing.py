"""A request as the handlers see it, and the tables that say which handler serves which route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import Flaw, bad_form
from .posting import Draft

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One parsed request."""

    parts: dict[str, str]
    query: dict[str, str]
    body: Any = None
    files: dict[str, bytes] = field(default_factory=dict)

    def id(self, name: str) -> int:
        """Return a snowflake in the path."""
        value = self.parts[name]
        if not value.isdigit():
            raise bad_form([Flaw(name, "NUMBER_TYPE_COERCE", f"{value!r} is not a snowflake")])
        return int(value)

    @property
    def draft(self) -> Draft:
        """The body as a message."""
        return Draft(self.body or {}, self.files)


Answer = tuple[int, Any]
Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """A method, a path template under the API's base, and what answers."""

    method: str
    path: str
    handler: Handler
    needs_token: bool = True
