"""What Discord shows of a conversation, as plain records."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import discord

from bot.prompting import recent
from storage.records import Conversation, Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

SILENT = "//"
"""Messages that start so are for the people in the channel only."""

CONTEXT_BYTES = 6000
"""What prompt and earlier messages may have in all, so that small models can read it: a
tokenizer may make as many tokens of a text as it has bytes. A longer prompt stands alone."""

CONTEXT_AGE = timedelta(hours=1)
"""Older messages belong to another conversation, unless somebody replies to them."""


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
    spoken: Callable[[Iterable[int]], Awaitable[Mapping[int, str]]],
) -> Conversation:
    """The prompt with what led to it: the chain of replies, else the recent messages.

    `limit` counts earlier messages. The bot's own messages stand for the answer
    that the conversation goes on from, as `spoken` tells by message id; its other
    messages, other bots' and silent ones are left out.
    """
    earlier = await _earlier(message, limit)
    said = await spoken(m.id for m in earlier if m.author == me)
    texts = ((m, said.get(m.id) if m.author == me else prompt_of(m, me)) for m in earlier)
    turns = [_turn(m, text, is_bot=m.author == me) for m, text in texts if text]
    kept = recent(turns, size=CONTEXT_BYTES - len(prompt.encode()))
    return Conversation(turns=(*kept, _turn(message, prompt)), bot_name=_own_name(message, me))


async def _earlier(message: discord.Message, limit: int) -> list[discord.Message]:
    """Oldest first. What cannot be read, for want of permission or because it is gone, is not."""
    try:
        if message.reference and message.type is discord.MessageType.reply:
            return await _reply_chain(message, limit)
        after = message.created_at - CONTEXT_AGE
        recent = message.channel.history(limit=limit, before=message, oldest_first=False)
        return [m async for m in recent if m.created_at >= after][::-1]
    except discord.HTTPException:
        return []


async def _reply_chain(message: discord.Message, limit: int) -> list[discord.Message]:
    chain: list[discord.Message] = []
    while len(chain) < limit and (reference := message.reference) and reference.message_id:
        replied = reference.resolved or reference.cached_message
        if not isinstance(replied, discord.Message):
            try:
                replied = await message.channel.fetch_message(reference.message_id)
            except discord.HTTPException:
                break
        chain.append(replied)
        message = replied
    return chain[::-1]


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
