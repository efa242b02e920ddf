"""REST: answering interactions, by the callback and through the token's webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ApiError, Flaw, bad_form, unknown
from .interactions import ACK_SECONDS, TOKEN_SECONDS, Interaction, Kind, Reply, Response
from .posting import Draft, Posting
from .render import message_json
from .routing import Answer, Call, Route
from .validate_forms import check_modal
from .world import (
    COMMAND_ANSWER,
    CONTEXT_ANSWER,
    EPHEMERAL,
    LOADING,
    REPLY,
    Message,
    World,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .gateway import Gateway

Json = dict[str, Any]

ALLOWED_REPLIES = {
    Kind.COMMAND: {Reply.MESSAGE, Reply.DEFER, Reply.MODAL},
    Kind.COMPONENT: {Reply.MESSAGE, Reply.DEFER, Reply.DEFER_UPDATE, Reply.UPDATE, Reply.MODAL},
    Kind.AUTOCOMPLETE: {Reply.CHOICES},
    Kind.MODAL: {Reply.MESSAGE, Reply.DEFER, Reply.DEFER_UPDATE, Reply.UPDATE},
}


class Callbacks:
    """Handlers of /interactions and /webhooks, with Discord's deadlines."""

    def __init__(self, world: World, posting: Posting, gateway: Gateway) -> None:
        self.world = world
        self.posting = posting
        self.gateway = gateway
        self.interactions: dict[str, Interaction] = {}

    def routes(self) -> list[Route]:
        """Return the table. The token in the path is the key: no Authorization header."""
        hook = "/webhooks/{application}/{token}"
        one = hook + "/messages/{message}"
        return [
            Route("POST", "/interactions/{interaction}/{token}/callback", self.callback, False),
            Route("POST", hook, self.follow_up, False),
            Route("GET", one, self.get, False),
            Route("PATCH", one, self.edit, False),
            Route("DELETE", one, self.delete, False),
        ]

    def add(self, interaction: Interaction) -> None:
        """Make an interaction answerable, and forget those whose tokens are long dead."""
        self.interactions[interaction.token] = interaction
        for token, known in list(self.interactions.items()):
            if known.age < 2 * TOKEN_SECONDS:
                break
            del self.interactions[token]

    def callback(self, call: Call) -> Answer:
        """POST …/callback: the first response, once, within three seconds."""
        interaction = self.interactions.get(call.parts["token"])
        if interaction is None or interaction.id != call.id("interaction"):
            raise unknown("Interaction")
        if interaction.reply is not None:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        if interaction.age > ACK_SECONDS:
            raise unknown("Interaction")
        reply = self._reply_type(interaction, call.body)
        data = call.body.get("data") or {}
        steps: dict[Reply, Callable[[Interaction, Draft], Message | None]] = {
            Reply.MESSAGE: self._message,
            Reply.DEFER: self._defer,
            Reply.DEFER_UPDATE: self._defer_update,
            Reply.UPDATE: self._update,
            Reply.CHOICES: self._choices,
            Reply.MODAL: self._modal,
        }
        message = steps[reply](interaction, Draft(data, call.files))
        interaction.reply = reply
        interaction.acknowledged_after = interaction.age
        interaction.responses.append(Response(reply.name.lower(), data, message))
        return 200, self._callback_body(interaction, reply, message)

    def _reply_type(self, interaction: Interaction, body: Json) -> Reply:
        try:
            reply = Reply(body["type"])
        except (KeyError, ValueError):
            reply = None
        possible = ALLOWED_REPLIES[interaction.kind]
        # Only a component, or a modal that a component opened, has a message to update.
        if interaction.source is None:
            possible = possible - {Reply.UPDATE, Reply.DEFER_UPDATE}
        if reply not in possible:
            told = f"{body.get('type')!r} in answer to {interaction}"
            raise bad_form([Flaw("type", "INTERACTION_CALLBACK_TYPE", told)])
        return reply

    def _message(self, interaction: Interaction, draft: Draft) -> Message:
        interaction.original = self._post(interaction, draft)
        return interaction.original

    def _defer(self, interaction: Interaction, draft: Draft) -> Message:
        flags = draft.body.get("flags") or 0
        if set(draft.body) - {"flags"} or flags & ~EPHEMERAL:
            told = "a deferred response takes no more than the ephemeral flag"
            raise bad_form([Flaw("data", "INTERACTION_DEFER", told)])
        message = Message(
            self.world.new_id(),
            interaction.channel,
            self.world.bot,
            type=_answer_type(interaction),
            flags=flags | LOADING,
            visible_to=interaction.user if flags else None,
            interaction=interaction.metadata,
        )
        interaction.original, interaction.unfilled = message, True
        interaction.messages.append(message)
        self.posting.store(message)
        return message

    def _defer_update(self, interaction: Interaction, _: Draft) -> None:
        interaction.original = interaction.source

    def _update(self, interaction: Interaction, draft: Draft) -> Message:
        if interaction.source is None or interaction.source.deleted:
            raise unknown("Message")
        interaction.original = self.posting.edit(interaction.source, draft)
        return interaction.original

    def _choices(self, interaction: Interaction, draft: Draft) -> None:
        choices = draft.body.get("choices") or []
        if len(choices) > 25:
            raise bad_form([Flaw("data.choices", "BASE_TYPE_MAX_LENGTH", "more than 25")])
        interaction.choices = choices

    def _modal(self, interaction: Interaction, draft: Draft) -> None:
        check_modal(draft.body)
        interaction.modal = draft.body

    def _post(self, interaction: Interaction, draft: Draft) -> Message:
        private = (draft.body.get("flags") or 0) & EPHEMERAL
        message = self.posting.create(
            interaction.channel,
            self.world.bot,
            draft,
            kind=_answer_type(interaction),
            visible_to=interaction.user if private else None,
            interaction=interaction.metadata,
            reference_id=interaction.source.id if interaction.source else None,
        )
        interaction.messages.append(message)
        return message

    def _callback_body(
        self, interaction: Interaction, reply: Reply, message: Message | None
    ) -> Json:
        told: Json = {"id": str(interaction.id), "type": int(interaction.kind)}
        resource: Json = {"type": int(reply)}
        if message is not None:
            told["response_message_id"] = str(message.id)
            told["response_message_loading"] = bool(message.flags & LOADING)
            told["response_message_ephemeral"] = message.ephemeral
            resource["message"] = message_json(message, self.world.bot)
        return {"interaction": told, "resource": resource}

    def follow_up(self, call: Call) -> Answer:
        """POST /webhooks/…: one more message; the first one fills a deferred response."""
        interaction = self._acknowledged(call)
        if interaction.unfilled and interaction.original is not None:
            interaction.unfilled = False
            message = self.posting.edit(interaction.original, call.draft)
        else:
            message = self._post(interaction, call.draft)
        interaction.responses.append(Response("follow_up", call.body, message))
        return 200, message_json(message, self.world.bot)

    def get(self, call: Call) -> Answer:
        """GET a message of this interaction."""
        return 200, message_json(self._named(call), self.world.bot)

    def edit(self, call: Call) -> Answer:
        """PATCH a message of this interaction."""
        interaction = self._acknowledged(call)
        message = self._named(call)
        if message is interaction.original:
            interaction.unfilled = False
        self.posting.edit(message, call.draft)
        interaction.responses.append(Response("edit", call.body, message))
        return 200, message_json(message, self.world.bot)

    def delete(self, call: Call) -> Answer:
        """DELETE a message of this interaction."""
        self.posting.delete(self._named(call))
        return 204, None

    def _acknowledged(self, call: Call) -> Interaction:
        interaction = self.interactions.get(call.parts["token"])
        if interaction is None or call.id("application") != self.world.application_id:
            raise unknown("Webhook")
        if interaction.expired:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        if interaction.reply is None:
            raise unknown("Webhook")
        return interaction

    def _named(self, call: Call) -> Message:
        interaction = self._acknowledged(call)
        if call.parts["message"] == "@original":
            found = interaction.original
        else:
            known = [*interaction.messages, interaction.source]
            wanted = call.id("message")
            found = next((m for m in known if m is not None and m.id == wanted), None)
        if found is None or found.deleted:
            raise unknown("Message")
        return found


def _answer_type(interaction: Interaction) -> int:
    if interaction.source is not None:
        return REPLY
    return COMMAND_ANSWER if interaction.data.get("type", 1) == 1 else CONTEXT_ANSWER
