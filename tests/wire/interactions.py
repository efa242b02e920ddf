"""An interaction from its dispatch to its last follow-up, as the server and the user see it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from .clock import Clock, until
from .components import spoken
from .world import LOADING, Channel, Message, User

ACK_SECONDS = 3.0
TOKEN_SECONDS = 15 * 60.0

Json = dict[str, Any]


class Kind(IntEnum):
    """Interaction types."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


class Reply(IntEnum):
    """Types of the first response."""

    MESSAGE = 4
    DEFER = 5
    DEFER_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


@dataclass(frozen=True)
class Response:
    """One thing the bot did with the interaction: its first response, a follow-up, an edit."""

    action: str
    body: Json
    message: Message | None = None
    at: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        """What it said then, whatever became of the message since."""
        return spoken(self.body)


@dataclass(eq=False)
class Interaction:
    """A press, a command, a submitted modal; tests get it back as the result."""

    id: int
    kind: Kind
    user: User
    channel: Channel
    clock: Clock
    data: Json
    source: Message | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    sent_at: float = 0.0
    dispatched_at: float = 0.0
    reply: Reply | None = None
    acknowledged_after: float | None = None
    original: Message | None = None
    unfilled: bool = False
    messages: list[Message] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    modal: Json | None = None
    choices: list[Json] | None = None

    @property
    def age(self) -> float:
        """Seconds since it was sent, by the server's clock."""
        return self.clock.now() - self.sent_at

    @property
    def expired(self) -> bool:
        """Whether the token is no longer valid."""
        return self.age > TOKEN_SECONDS

    @property
    def metadata(self) -> Json:
        """`interaction_metadata` of the messages that answer it."""
        user = {"id": str(self.user.id), "username": self.user.name, "discriminator": "0"}
        return {
            "id": str(self.id),
            "type": int(self.kind),
            "user": user | {"avatar": None},
            "authorizing_integration_owners": {},
        }

    @property
    def ephemeral(self) -> list[Message]:
        """Messages that the user alone sees, without those still loading or removed."""
        return [m for m in self._shown() if m.ephemeral]

    @property
    def ephemeral_texts(self) -> list[str]:
        """Their texts, oldest first."""
        return [message.text for message in self.ephemeral]

    @property
    def public(self) -> list[Message]:
        """Messages that everyone in the channel sees."""
        return [m for m in self._shown() if not m.ephemeral]

    @property
    def text(self) -> str:
        """All texts that answered it, public or not."""
        return "\n".join(message.text for message in self._shown())

    def _shown(self) -> list[Message]:
        return [m for m in self.messages if not m.deleted and not m.flags & LOADING]

    async def acknowledged(self, within: float = ACK_SECONDS) -> Interaction:
        """Wait for the first response; the user sees "interaction failed" without one."""
        await until(lambda: self.reply, lambda: f"a first response to {self}", within)
        return self

    async def answered(self, within: float = 10.0) -> str:
        """Wait until some text answers it, and return all of it."""
        await self.acknowledged()
        return await until(lambda: self.text, lambda: f"a text in answer to {self}", within)

    async def says(self, wanted: str, within: float = 10.0) -> Interaction:
        """Wait until a text that the user sees contains `wanted`."""

        def told() -> str:
            return f"{wanted!r} in answer to {self}; it says {self.text!r}"

        await until(lambda: wanted in self.text, told, within)
        return self

    def __str__(self) -> str:
        what = self.data.get("name") or self.data.get("custom_id")
        return f"{self.kind.name.lower()} {what!r} of {self.user.name}"
