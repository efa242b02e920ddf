"""REST: channels, their messages, threads and DMs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ApiError, missing_access, missing_permissions, unknown
from .protocol import Intent
from .render import channel_json, guild_json, member_json, message_json, user_json
from .routing import Answer, Call, Route
from .world import NO_PERMISSION, THREAD_CHANNEL, Channel, Guild, Message, Permission, World

if TYPE_CHECKING:
    from .gateway import Gateway
    from .posting import Posting

Json = dict[str, Any]


class Channels:
    """Handlers of the routes below /channels, /guilds and /users."""

    def __init__(self, world: World, posting: Posting, gateway: Gateway) -> None:
        self.world = world
        self.posting = posting
        self.gateway = gateway
        self.typing: list[int] = []

    def routes(self) -> list[Route]:
        """Return the table."""
        messages = "/channels/{channel}/messages"
        one = messages + "/{message}"
        return [
            Route("POST", "/users/@me/channels", self.open_dm),
            Route("GET", "/users/{user}", self.get_user),
            Route("GET", "/guilds/{guild}", self.get_guild),
            Route("GET", "/guilds/{guild}/channels", self.get_guild_channels),
            Route("GET", "/guilds/{guild}/members/{user}", self.get_member),
            Route("GET", "/channels/{channel}", self.get_channel),
            Route("POST", "/channels/{channel}/typing", self.type),
            Route("POST", "/channels/{channel}/threads", self.create_thread),
            Route("GET", messages, self.history),
            Route("POST", messages, self.create),
            Route("GET", one, self.get_message),
            Route("PATCH", one, self.edit),
            Route("DELETE", one, self.delete),
            Route("POST", one + "/threads", self.create_thread),
        ]

    def open_dm(self, call: Call) -> Answer:
        """POST /users/@me/channels."""
        user = self.world.users.get(int(call.body["recipient_id"]))
        if user is None or user is self.world.bot:
            raise unknown("User")
        return 200, channel_json(self.world.dm_channel(user), self.world.bot)

    def get_user(self, call: Call) -> Answer:
        """GET /users/{id}."""
        user = self.world.users.get(call.id("user"))
        if user is None:
            raise unknown("User")
        return 200, user_json(user)

    def get_guild(self, call: Call) -> Answer:
        """GET /guilds/{id}."""
        return 200, guild_json(self._guild(call), self.world.bot)

    def get_guild_channels(self, call: Call) -> Answer:
        """GET /guilds/{id}/channels (threads are not among them)."""
        found = (c for c in self._guild(call).channels.values() if c.type != THREAD_CHANNEL)
        return 200, [channel_json(channel, self.world.bot) for channel in found]

    def get_member(self, call: Call) -> Answer:
        """GET /guilds/{id}/members/{id}."""
        member = self._guild(call).members.get(call.id("user"))
        if member is None:
            raise unknown("Member")
        return 200, member_json(member)

    def get_channel(self, call: Call) -> Answer:
        """GET /channels/{id}."""
        return 200, channel_json(self._channel(call), self.world.bot)

    def type(self, call: Call) -> Answer:
        """POST /channels/{id}/typing."""
        self.typing.append(self._channel(call, Permission.SEND_MESSAGES).id)
        return 204, None

    def history(self, call: Call) -> Answer:
        """GET /channels/{id}/messages: newest first; nothing without the right to read history."""
        channel = self._channel(call)
        limit = int(call.query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise ApiError(400, 50035, "Invalid Form Body")
        if not self.world.bot_may(channel, Permission.READ_MESSAGE_HISTORY):
            return 200, []
        known = sorted((m for m in channel.messages.values() if not m.ephemeral), key=_id)
        return 200, [self._json(message) for message in _window(known, call.query, limit)]

    def create(self, call: Call) -> Answer:
        """POST /channels/{id}/messages."""
        channel = self._channel(call, Permission.SEND_MESSAGES)
        return 200, self._json(self.posting.create(channel, self.world.bot, call.draft))

    def get_message(self, call: Call) -> Answer:
        """GET /channels/{id}/messages/{id}."""
        channel = self._channel(call, Permission.READ_MESSAGE_HISTORY)
        return 200, self._json(_message(channel, call))

    def edit(self, call: Call) -> Answer:
        """PATCH /channels/{id}/messages/{id}: the bot's own messages only."""
        message = _message(self._channel(call), call)
        if message.author is not self.world.bot:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        return 200, self._json(self.posting.edit(message, call.draft))

    def delete(self, call: Call) -> Answer:
        """DELETE /channels/{id}/messages/{id}."""
        channel = self._channel(call)
        message = _message(channel, call)
        if message.author is not self.world.bot:
            self._require(channel, Permission.MANAGE_MESSAGES)
        self.posting.delete(message)
        return 204, None

    def create_thread(self, call: Call) -> Answer:
        """POST …/threads: from a message the thread takes the message's id."""
        channel = self._channel(call, Permission.CREATE_PUBLIC_THREADS)
        if channel.guild is None:
            raise ApiError(400, 50024, "Cannot execute action on this channel type")
        thread_id = self.world.new_id()
        if "message" in call.parts:
            thread_id = _message(channel, call).id
        if thread_id in self.world.channels:
            raise ApiError(400, 160004, "A thread has already been created for this message")
        thread = Channel(thread_id, call.body["name"], type=THREAD_CHANNEL, guild=channel.guild)
        thread.parent_id, thread.owner_id = channel.id, self.world.bot.id
        channel.guild.channels[thread.id] = self.world.channels[thread.id] = thread
        data = channel_json(thread, self.world.bot)
        self.gateway.publish(
            "THREAD_CREATE",
            data | {"newly_created": True},
            guild_id=channel.guild_id,
            intent=Intent.GUILDS,
        )
        return 201, data

    def _json(self, message: Message) -> Json:
        content = Intent.MESSAGE_CONTENT in self.gateway.granted
        return message_json(message, self.world.bot, content=content)

    def _guild(self, call: Call) -> Guild:
        guild = self.world.guilds.get(call.id("guild"))
        if guild is None:
            raise unknown("Guild")
        return guild

    def _channel(self, call: Call, needed: Permission = NO_PERMISSION) -> Channel:
        channel = self.world.channels.get(call.id("channel"))
        if channel is None:
            raise unknown("Channel")
        if not self.world.bot_may(channel, Permission.VIEW_CHANNEL):
            raise missing_access()
        if channel.type == THREAD_CHANNEL and needed == Permission.SEND_MESSAGES:
            needed = Permission.SEND_MESSAGES_IN_THREADS
        self._require(channel, needed)
        return channel

    def _require(self, channel: Channel, needed: Permission) -> None:
        if not self.world.bot_may(channel, needed):
            raise missing_permissions()


def _id(message: Message) -> int:
    return message.id


def _message(channel: Channel, call: Call) -> Message:
    message = channel.messages.get(call.id("message"))
    if message is None or message.ephemeral:
        raise unknown("Message")
    return message


def _window(known: list[Message], query: dict[str, str], limit: int) -> list[Message]:
    """Up to `limit` messages of the oldest-first list, newest first."""
    if "after" in query:
        found = [m for m in known if m.id > int(query["after"])][:limit]
    elif "before" in query:
        found = [m for m in known if m.id < int(query["before"])][-limit:]
    elif "around" in query:
        middle = int(query["around"])
        older = [m for m in known if m.id < middle][-(limit // 2) :]
        newer = [m for m in known if m.id >= middle][: limit - len(older)]
        found = older + newer
    else:
        found = known[-limit:]
    return found[::-1]
