"""The JSON shapes that discord.py parses; ids are strings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .world import (
    DM_CHANNEL,
    NO_PERMISSION,
    THREAD_CHANNEL,
    Channel,
    Guild,
    Member,
    Message,
    Permission,
    User,
    World,
)

JOINED = "2024-01-01T00:00:00+00:00"
CONTENT_FLAG = 1 << 19  # GATEWAY_MESSAGE_CONTENT_LIMITED: what an app in few servers has

Json = dict[str, Any]


def user_json(user: User) -> Json:
    """Render an account."""
    return {
        "id": str(user.id),
        "username": user.name,
        "global_name": None if user.bot else user.name,
        "discriminator": "0",
        "avatar": None,
        "bot": user.bot,
    }


def member_json(member: Member, *, with_user: bool = True) -> Json:
    """Render a member; messages carry it without the user."""
    data: Json = {
        "roles": [str(role_id) for role_id in member.role_ids],
        "joined_at": JOINED,
        "flags": 0,
        "deaf": False,
        "mute": False,
    }
    return {"user": user_json(member.user), **data} if with_user else data


def channel_json(channel: Channel, bot: User) -> Json:
    """Render a channel of any kind."""
    data: Json = {"id": str(channel.id), "type": channel.type, "name": channel.name}
    if channel.type == DM_CHANNEL:
        return {
            "id": str(channel.id),
            "type": DM_CHANNEL,
            "recipients": [user_json(user) for user in channel.recipients],
        }
    data["guild_id"] = str(channel.guild_id)
    public = (m.id for m in reversed(channel.messages.values()) if not m.ephemeral)
    latest = next(public, None)
    data["last_message_id"] = None if latest is None else str(latest)
    if channel.type == THREAD_CHANNEL:
        now = datetime.now(UTC).isoformat()
        return data | {
            "parent_id": str(channel.parent_id),
            "owner_id": str(channel.owner_id),
            "message_count": len(channel.messages),
            "member_count": 2,
            "thread_metadata": {
                "archived": False,
                "locked": False,
                "auto_archive_duration": 1440,
                "archive_timestamp": now,
            },
        }
    denied = {"id": str(bot.id), "type": 1, "allow": "0", "deny": str(int(channel.denied))}
    return data | {
        "position": 0,
        "topic": None,
        "nsfw": False,
        "permission_overwrites": [denied] if channel.denied else [],
    }


def guild_json(guild: Guild, bot: User) -> Json:
    """Render GUILD_CREATE's data, and what GET /guilds answers (a superset of it)."""
    everyone_of = [c for c in guild.channels.values() if c.type != THREAD_CHANNEL]
    threads = [c for c in guild.channels.values() if c.type == THREAD_CHANNEL]
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "member_count": len(guild.members),
        "unavailable": False,
        "large": False,
        "joined_at": JOINED,
        "preferred_locale": "en-US",
        "premium_tier": 0,
        "features": [],
        "emojis": [],
        "stickers": [],
        "roles": [
            {
                "id": str(role.id),
                "name": role.name,
                "permissions": str(int(role.permissions)),
                "position": 0 if role.id == guild.id else 1,
                "color": 0,
                "hoist": False,
                "managed": False,
                "mentionable": False,
            }
            for role in guild.roles.values()
        ],
        # Discord sends the bot and those online in large guilds; others come with their messages.
        "members": [member_json(m) for m in guild.members.values() if m.user.id == bot.id],
        "channels": [channel_json(c, bot) for c in everyone_of],
        "threads": [channel_json(c, bot) for c in threads],
        "presences": [],
        "voice_states": [],
    }


def application_json(world: World, *, content_granted: bool) -> Json:
    """Render the application, with the flag that tells whether message content is switched on."""
    return {
        "id": str(world.application_id),
        "name": world.bot.name,
        "description": "",
        "icon": None,
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "00",
        "flags": CONTENT_FLAG if content_granted else 0,
        "owner": user_json(world.owner),
    }


def message_json(message: Message, bot: User, *, content: bool = True) -> Json:
    """Render a message; without `content` what the message-content intent guards is emptied."""
    shown = content or _always_visible(message, bot)
    data: Json = {
        "id": str(message.id),
        "channel_id": str(message.channel.id),
        "type": message.type,
        "author": user_json(message.author),
        "content": message.content if shown else "",
        "timestamp": message.created_at.isoformat(),
        "edited_timestamp": message.edited_at.isoformat() if message.edited_at else None,
        "tts": False,
        "pinned": False,
        "flags": message.flags,
        "mention_everyone": "everyone" in message.pings,
        "mentions": [user_json(user) for user in message.mentions],
        "mention_roles": [],
        "components": message.components if shown else [],
        "embeds": message.embeds if shown else [],
        "attachments": _attachments(message) if shown else [],
    }
    if message.nonce is not None:
        data["nonce"] = message.nonce
    if message.interaction is not None:
        data["interaction_metadata"] = message.interaction
    guild = message.channel.guild
    # An ephemeral copy reaches the bot without guild and member, as if it were a DM.
    if guild is not None and not message.ephemeral:
        data["guild_id"] = str(guild.id)
        member = guild.members.get(message.author.id)
        if member is not None:
            data["member"] = member_json(member, with_user=False)
    if message.reference_id is not None:
        data |= _reference(message, bot, content=content)
    return data


def _always_visible(message: Message, bot: User) -> bool:
    in_dm = message.channel.type == DM_CHANNEL
    return in_dm or message.author is bot or bot in message.mentions


def _attachments(message: Message) -> list[Json]:
    return [
        {
            "id": str(item.id),
            "filename": item.filename,
            "size": len(item.content),
            "url": item.url,
            "proxy_url": item.url,
            "content_type": "application/octet-stream",
        }
        for item in message.attachments
    ]


def _reference(message: Message, bot: User, *, content: bool) -> Json:
    channel = message.channel
    reference: Json = {
        "type": 0,
        "channel_id": str(channel.id),
        "message_id": str(message.reference_id),
    }
    if channel.guild is not None:
        reference["guild_id"] = str(channel.guild.id)
    target = channel.messages.get(message.reference_id or 0)
    known = target is not None and not target.deleted
    # Discord nests one level only: the target's own reference carries no message.
    referenced = message_json(target, bot, content=content) if known else None
    if referenced is not None:
        referenced.pop("referenced_message", None)
    return {"message_reference": reference, "referenced_message": referenced}


def bot_permissions(channel: Channel, bot: User) -> Permission:
    """Tell what the bot may do in a channel, as an interaction's `app_permissions` tells."""
    if channel.guild is None:
        return NO_PERMISSION
    return channel.guild.permissions(bot.id) & ~channel.denied
