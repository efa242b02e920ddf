"""Who may see or do what in a channel: members, and the bot itself."""

from __future__ import annotations

import discord

ANSWERING = ("view_channel", "send_messages", "read_message_history")
"""What the bot needs to answer in a channel, as Discord names it."""

POSTING = ("view_channel", "send_messages", "attach_files")
"""What it needs to post a message with a picture."""


def may_read(member: discord.Member, channel_id: int, *, here: object) -> bool:
    """Whether a member can look up in its own channel what they would be shown `here`.

    A private thread tells nobody outside who is in it, so it counts as closed there.
    """
    channel = member.guild.get_channel_or_thread(channel_id)
    if channel is None or (_is_closed(channel) and channel_id != getattr(here, "id", None)):
        return False
    granted = channel.permissions_for(member)
    if not (granted.view_channel and granted.read_message_history):
        return False
    return not _restricted(channel) or _restricted(here)


def lacking(channel: discord.abc.GuildChannel, needed: tuple[str, ...]) -> tuple[str, ...]:
    """The permissions that the bot needs there and has not, in the words of Discord's pages."""
    threads = isinstance(channel, discord.ForumChannel)
    names = (
        "send_messages_in_threads" if threads and name == "send_messages" else name
        for name in needed
    )
    granted = channel.permissions_for(channel.guild.me)
    return tuple(name.replace("_", " ").title() for name in names if not getattr(granted, name))


def _is_closed(channel: object) -> bool:
    return isinstance(channel, discord.Thread) and channel.is_private()


def _restricted(channel: object) -> bool:
    """Whether a channel is for adults only."""
    is_nsfw = getattr(channel, "is_nsfw", None)
    return bool(is_nsfw and is_nsfw())
