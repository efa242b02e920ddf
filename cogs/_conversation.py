"""What Discord shows of a conversation, as plain records."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import discord

from cogs._edits import FAULTS
from storage.records import Conversation, Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from storage.records import Continuing

SILENT = "//"
"""Messages that start so are for the people in the channel only."""

CONTEXT_AGE = timedelta(hours=1)
"""Older messages of a channel belong to another conversation, unless somebody replies to
them. A thread is one conversation, however old."""


def prompt_of(message: discord.Message, me: discord.abc.User) -> str | None:
    """The text to answer, verbatim but for a leading mention of the bot.

    None for bots, webhooks, system messages, empty texts and silent ones.
    """
    if message.author.bot or message.webhook_id or message.is_system():
        return None
    text = re.sub(rf"\A\s*(?:<@!?{me.id}>\s?)+", "", message.content)
    if not text.strip() or text.startswith(SILENT) or message.content.startswith(SILENT):
        return None
    return text


def addressed(message: discord.Message, me: discord.abc.User) -> bool:
    """Whether the bot is written to: directly, by mention or by reply."""
    if message.guild is None or me in message.mentions:
        return True
    replied = message.reference.resolved if message.reference else None
    return isinstance(replied, discord.Message) and replied.author == me


async def conversation(
    message: discord.Message,
    prompt: str,
    *,
    me: discord.abc.User,
    limit: int,
    continuing: Continuing,
    spoken: Callable[[Iterable[int], Continuing], Awaitable[Mapping[int, str]]],
) -> Conversation:
    """The prompt with what led to it: the chain of replies, else the recent messages.

    In a thread both go on into the message that it was started from. Texts are as they
    are now, edited or not. `limit` counts earlier messages. The bot's own messages
    stand for the answer that the conversation goes on from, as `spoken` tells by
    message id; its other messages, other bots' and silent ones are left out.
    """
    earlier = await _earlier(message, limit)
    said = await spoken((m.id for m in earlier if m.author == me), continuing)
    texts = ((m, said.get(m.id) if m.author == me else prompt_of(m, me)) for m in earlier)
    turns = (_turn(m, text, is_bot=m.author == me) for m, text in texts if text)
    return Conversation(
        turns=(*turns, _turn(message, prompt)),
        bot_name=_own_name(message, me),
        continuing=continuing,
    )


async def _earlier(message: discord.Message, limit: int) -> list[discord.Message]:
    """Oldest first. What cannot be read, for want of permission or because it is gone, is not."""
    found = await _reply_chain(message, limit) or await _recent(message, limit)
    if isinstance(message.channel, discord.Thread) and len(found) < limit:
        starter = await _starter(message.channel)
        if starter is not None and starter not in (message, *found):
            found.append(starter)
            found += await _reply_chain(starter, limit - len(found))
    return found[::-1]


async def _reply_chain(message: discord.Message, limit: int) -> list[discord.Message]:
    """What `message` replies to, what that replies to and so on, newest first."""
    chain: list[discord.Message] = []
    fresh = True
    while len(chain) < limit and (reference := message.reference) and reference.message_id:
        if message.type is not discord.MessageType.reply:
            break
        replied = reference.cached_message  # edits reach the cache
        # A message from the cache has a copy of what it replies to from before any edit.
        if replied is None and fresh and isinstance(reference.resolved, discord.Message):
            replied = reference.resolved
        elif replied is not None:
            fresh = False
        else:
            replied = await _fetch(_place(message, reference.channel_id), reference.message_id)
            fresh = True
        if replied is None:
            break
        chain.append(replied)
        message = replied
    return chain


async def _recent(message: discord.Message, limit: int) -> list[discord.Message]:
    """The last messages before this one in its channel or thread, newest first."""
    in_thread = isinstance(message.channel, discord.Thread)
    oldest = message.created_at - CONTEXT_AGE
    try:
        before = message.channel.history(limit=limit, before=message, oldest_first=False)
        return [m async for m in before if in_thread or m.created_at >= oldest]
    except FAULTS:
        return []


async def _starter(thread: discord.Thread) -> discord.Message | None:
    """The message that the thread was started from; a forum post's is in the post itself."""
    in_itself = isinstance(thread.parent, discord.ForumChannel)
    place = thread if in_itself else _place(thread, thread.parent_id)
    return thread.starter_message or await _fetch(place, thread.id)


def _place(near: discord.Message | discord.Thread, channel_id: int) -> object:
    """The channel or thread with this id, or None where the bot does not see it."""
    if isinstance(near, discord.Message) and near.channel.id == channel_id:
        return near.channel
    return near.guild.get_channel_or_thread(channel_id) if near.guild else None


async def _fetch(place: object, message_id: int) -> discord.Message | None:
    if not isinstance(place, discord.abc.Messageable):
        return None
    try:
        return await place.fetch_message(message_id)
    except FAULTS:
        return None


def _turn(message: discord.Message, text: str, *, is_bot: bool = False) -> Turn:
    author = message.author
    return Turn(
        author_id=author.id,
        name=author.display_name,
        text=text,
        is_bot=is_bot,
        message_id=message.id,
    )


def _own_name(message: discord.Message, me: discord.abc.User) -> str:
    return message.guild.me.display_name if message.guild and message.guild.me else me.display_name
