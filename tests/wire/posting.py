"""Making, changing and removing messages, whoever asks for it, and telling the gateway."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .components import number, walk
from .errors import Flaw, bad_form
from .mentions import settle
from .protocol import Intent
from .render import message_json
from .validate import check_message, check_not_empty
from .world import (
    COMPONENTS_V2,
    DM_CHANNEL,
    EPHEMERAL,
    LOADING,
    REPLY,
    Attachment,
    Channel,
    Message,
    User,
    World,
)

if TYPE_CHECKING:
    from .clock import Clock
    from .gateway import Gateway, Session

NONCE_SECONDS = 300.0
KEPT_FLAGS = COMPONENTS_V2 | (1 << 2) | (1 << 12)
IN_CHANNELS = {"users", "roles", "everyone"}
IN_INTERACTIONS = {"users"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """A message body as it came in."""

    body: Json
    files: dict[str, bytes] = field(default_factory=dict)


class Posting:
    """The one place that changes messages."""

    def __init__(self, world: World, gateway: Gateway, clock: Clock) -> None:
        self.world = world
        self.gateway = gateway
        self.clock = clock
        self.file_base = ""
        self._nonces: dict[tuple[int, str], tuple[float, Message]] = {}

    def create(
        self,
        channel: Channel,
        author: User,
        draft: Draft,
        *,
        kind: int = 0,
        visible_to: User | None = None,
        interaction: Json | None = None,
        reference_id: int | None = None,
    ) -> Message:
        """Check a body, store it as a message, tell the gateway."""
        body = draft.body
        check_message(body, draft.files)
        check_not_empty(body, draft.files)
        earlier = self._same_nonce(author, body)
        if earlier is not None:
            return earlier
        if body.get("message_reference"):
            reference_id = self._reference(channel, body["message_reference"])
            kind = REPLY if reference_id is not None else kind
        message = Message(self.world.new_id(), channel, author, type=kind)
        message.reference_id = reference_id
        message.interaction = interaction
        self._fill(message, draft)
        if visible_to is not None:
            message.visible_to = visible_to
            message.flags |= EPHEMERAL
        self._settle(message, body)
        if body.get("nonce") is not None:
            message.nonce = str(body["nonce"])
            self._nonces[author.id, message.nonce] = (self.clock.now(), message)
        self.store(message)
        return message

    def store(self, message: Message) -> None:
        """Keep a message and send MESSAGE_CREATE."""
        message.channel.messages[message.id] = message
        self._publish("MESSAGE_CREATE", message)

    def edit(self, message: Message, draft: Draft) -> Message:
        """Change a message by a PATCH body: what is left out stays."""
        check_message(draft.body, draft.files, flags=message.flags)
        self._fill(message, draft)
        message.flags &= ~LOADING
        self._settle(message, draft.body)
        message.edited_at = datetime.now(UTC)
        self._publish("MESSAGE_UPDATE", message)
        return message

    def delete(self, message: Message) -> None:
        """Remove a message and send MESSAGE_DELETE."""
        message.channel.messages.pop(message.id, None)
        message.deleted = True
        data: Json = {"id": str(message.id), "channel_id": str(message.channel.id)}
        if message.channel.guild_id is not None and not message.ephemeral:
            data["guild_id"] = str(message.channel.guild_id)
        guild_id, intent = self._audience(message)
        self.gateway.publish("MESSAGE_DELETE", data, guild_id=guild_id, intent=intent)

    def _publish(self, event: str, message: Message) -> None:
        def for_session(session: Session) -> Json:
            content = Intent.MESSAGE_CONTENT in session.intents
            # A copy: a later edit must not change what a RESUME replays.
            return copy.deepcopy(message_json(message, self.world.bot, content=content))

        guild_id, intent = self._audience(message)
        self.gateway.publish(event, for_session, guild_id=guild_id, intent=intent)

    def _audience(self, message: Message) -> tuple[int | None, Intent]:
        in_dm = message.channel.type == DM_CHANNEL
        if in_dm or message.ephemeral:
            return None, Intent.DIRECT_MESSAGES
        return message.channel.guild_id, Intent.GUILD_MESSAGES

    def _same_nonce(self, author: User, body: Json) -> Message | None:
        if not body.get("enforce_nonce") or body.get("nonce") is None:
            return None
        then, message = self._nonces.get((author.id, str(body["nonce"])), (None, None))
        fresh = then is not None and self.clock.now() - then < NONCE_SECONDS
        return message if fresh else None

    def _reference(self, channel: Channel, reference: Json) -> int | None:
        target = int(reference["message_id"])
        found = channel.messages.get(target)
        if found is not None and not found.ephemeral:
            return target
        if reference.get("fail_if_not_exists", True):
            code = "MESSAGE_REFERENCE_UNKNOWN_MESSAGE"
            raise bad_form([Flaw("message_reference", code, "Unknown message", avoidable=False)])
        return None

    def _fill(self, message: Message, draft: Draft) -> None:
        body = draft.body
        message.flags |= (body.get("flags") or 0) & KEPT_FLAGS
        if "content" in body:
            message.content = body["content"] or ""
        if "embeds" in body:
            message.embeds = [{"type": "rich", **embed} for embed in body["embeds"] or []]
        if "attachments" in body or draft.files:
            self._attach(message, draft)
        if "components" in body:
            message.components = number(copy.deepcopy(body["components"] or []))
            self._link_files(message)

    def _attach(self, message: Message, draft: Draft) -> None:
        listed = draft.body.get("attachments") or []
        kept_ids = {str(item["id"]) for item in listed}
        kept = [item for item in message.attachments if str(item.id) in kept_ids]
        for name, content in draft.files.items():
            attachment_id = self.world.new_id()
            url = f"{self.file_base}/{attachment_id}/{name}"
            kept.append(Attachment(attachment_id, name, content, url))
        message.attachments = kept

    def _link_files(self, message: Message) -> None:
        urls = {f"attachment://{a.filename}": a.url for a in message.attachments}
        for component in walk(message.components):
            items = [component, *component.get("items", [])]
            for media in [item.get(key) for item in items for key in ("file", "media")]:
                if media:
                    media["url"] = urls.get(media["url"], media["url"])

    def _settle(self, message: Message, body: Json) -> None:
        default = IN_CHANNELS if message.interaction is None else IN_INTERACTIONS
        settle(self.world, message, body.get("allowed_mentions"), default=default)
