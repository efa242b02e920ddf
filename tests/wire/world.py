"""What the server knows: users, guilds, channels, messages, as plain dataclasses."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntFlag
from typing import Any

from .components import text_of

DISCORD_EPOCH_MS = 1420070400000

TEXT_CHANNEL, DM_CHANNEL, THREAD_CHANNEL = 0, 1, 11
REPLY, COMMAND_ANSWER, CONTEXT_ANSWER = 19, 20, 23

EPHEMERAL = 1 << 6
LOADING = 1 << 7
COMPONENTS_V2 = 1 << 15


class Permission(IntFlag):
    """The permission bits that the server looks at."""

    ADMINISTRATOR = 1 << 3
    MANAGE_GUILD = 1 << 5
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_APPLICATION_COMMANDS = 1 << 31
    CREATE_PUBLIC_THREADS = 1 << 35
    SEND_MESSAGES_IN_THREADS = 1 << 38


EVERYONE_MAY = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
)
NO_PERMISSION = Permission(0)
ALL_PERMISSIONS = Permission((1 << 53) - 1)


class Snowflakes:
    """Ids that grow with time, as Discord's do; never the same one twice.

    Discord's clock may be `ahead` of the machine's, by seconds.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self._last = 0

    def turn_back(self, seconds: float) -> None:
        """Have Discord's clock behind the machine's, before anything has happened."""
        self.ahead, self._last = -seconds, 0

    def __call__(self) -> int:
        by_time = (int((time.time() + self.ahead) * 1000) - DISCORD_EPOCH_MS) << 22
        self._last = max(self._last + 1, by_time)
        return self._last


@dataclass(eq=False)
class User:
    """An account: a person or a bot."""

    id: int
    name: str
    bot: bool = False


@dataclass
class Role:
    """A role and what it allows."""

    id: int
    name: str
    permissions: Permission


@dataclass
class Member:
    """A user in a guild."""

    user: User
    role_ids: list[int] = field(default_factory=list)


@dataclass(eq=False)
class Guild:
    """A server with its members and channels; the role with the guild's id is @everyone."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)

    def permissions(self, user_id: int) -> Permission:
        """Tell what a member may do anywhere in the guild."""
        if user_id == self.owner_id:
            return ALL_PERMISSIONS
        granted = self.roles[self.id].permissions
        for role_id in self.members[user_id].role_ids:
            granted |= self.roles[role_id].permissions
        return ALL_PERMISSIONS if Permission.ADMINISTRATOR in granted else granted


@dataclass(eq=False)
class Channel:
    """A text channel, thread or DM with its messages; `denied` is what the bot may not do here."""

    id: int
    name: str
    type: int = TEXT_CHANNEL
    guild: Guild | None = None
    parent_id: int | None = None
    owner_id: int | None = None
    recipients: list[User] = field(default_factory=list)
    denied: Permission = NO_PERMISSION
    messages: dict[int, Message] = field(default_factory=dict)

    @property
    def guild_id(self) -> int | None:
        """The guild's id, None in a DM."""
        return self.guild.id if self.guild else None


@dataclass
class Attachment:
    """A file in a message, with its bytes."""

    id: int
    filename: str
    content: bytes
    url: str


@dataclass(eq=False)
class Message:
    """A message as it stands now; edits change it in place."""

    id: int
    channel: Channel
    author: User
    content: str = ""
    type: int = 0
    flags: int = 0
    components: list[dict[str, Any]] = field(default_factory=list)
    embeds: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    mentions: list[User] = field(default_factory=list)
    pings: set[str] = field(default_factory=set)
    reference_id: int | None = None
    nonce: str | None = None
    visible_to: User | None = None
    interaction: dict[str, Any] | None = None
    edited_at: datetime | None = None
    deleted: bool = False

    @property
    def text(self) -> str:
        """All that a reader sees: the content, or every text display, one a line."""
        return text_of(self)

    @property
    def ephemeral(self) -> bool:
        """Whether one user alone sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def created_at(self) -> datetime:
        """The time in the id."""
        return datetime.fromtimestamp(((self.id >> 22) + DISCORD_EPOCH_MS) / 1000, tz=UTC)


class World:
    """Everything that exists, and the makers of new things."""

    def __init__(self) -> None:
        self.new_id = Snowflakes()
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        # Keyed by guild id; None holds the global commands.
        self.commands: dict[int | None, list[dict[str, Any]]] = {}
        # An application's id and its bot's id differ for older applications: here always,
        # so that code which takes the one for the other is found out.
        self.application_id = self.new_id()
        self.owner = self.add_user("operator")
        self.bot = self.add_user("Twofold", bot=True)

    def add_user(self, name: str, *, bot: bool = False) -> User:
        """Make an account."""
        user = User(self.new_id(), name, bot)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str) -> Guild:
        """Make a guild that has the bot and an administrator role."""
        guild_id = self.new_id()
        guild = Guild(guild_id, name, owner_id=self.owner.id)
        guild.roles[guild_id] = Role(guild_id, "@everyone", EVERYONE_MAY)
        admin = Role(self.new_id(), "admin", Permission.ADMINISTRATOR)
        guild.roles[admin.id] = admin
        for user in (self.owner, self.bot):
            guild.members[user.id] = Member(user)
        self.guilds[guild_id] = guild
        return guild

    def add_channel(self, guild: Guild, name: str) -> Channel:
        """Make a text channel."""
        channel = Channel(self.new_id(), name, guild=guild)
        guild.channels[channel.id] = self.channels[channel.id] = channel
        return channel

    def add_member(self, guild: Guild, user: User, *, admin: bool = False) -> Member:
        """Let a user into a guild."""
        admins = [role.id for role in guild.roles.values() if role.name == "admin"]
        member = guild.members[user.id] = Member(user, admins if admin else [])
        return member

    def dm_channel(self, user: User) -> Channel:
        """Return the DM between the bot and a user, made on first use."""
        for channel in self.channels.values():
            if channel.type == DM_CHANNEL and user in channel.recipients:
                return channel
        channel = Channel(self.new_id(), user.name, type=DM_CHANNEL, recipients=[user])
        self.channels[channel.id] = channel
        return channel

    def bot_may(self, channel: Channel, needed: Permission) -> bool:
        """Whether the bot has all of `needed` in a channel."""
        if channel.guild is None:
            return True
        return needed in channel.guild.permissions(self.bot.id) & ~channel.denied
