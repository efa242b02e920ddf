"""Whom a message pings, by Discord's rules for `allowed_mentions`."""

from __future__ import annotations

import re
from typing import Any

from .world import DM_CHANNEL, Message, Permission, User, World

USER_MENTION = re.compile(r"<@!?(\d+)>")
ROLE_MENTION = re.compile(r"<@&(\d+)>")
EVERYONE = re.compile(r"@(everyone|here)")

Json = dict[str, Any]


def settle(world: World, message: Message, allowed: Json | None, *, default: set[str]) -> None:
    """Set `mentions` (users in it) and `pings` (who is notified) of a message.

    `default` holds the kinds that count when the body has no `allowed_mentions`.
    """
    text = message.text
    rules = {"parse": list(default), "replied_user": True} if allowed is None else allowed
    kinds = set(rules.get("parse") or [])
    named = set(map(int, rules.get("users") or []))
    found = {int(user_id) for user_id in USER_MENTION.findall(text)}
    pinged = {i for i in found if "users" in kinds or i in named}
    roles = set(ROLE_MENTION.findall(text))
    pinged_roles = {r for r in roles if "roles" in kinds or r in map(str, rules.get("roles") or [])}
    replied = _replied_to(message) if rules.get("replied_user") else None
    if replied is not None:
        pinged.add(replied.id)
    message.pings = {f"user {i}" for i in pinged} | {f"role {r}" for r in pinged_roles}
    if "everyone" in kinds and EVERYONE.search(text) and _may_ping_everyone(message):
        message.pings.add("everyone")
    message.mentions = [world.users[i] for i in sorted(pinged) if i in world.users]


def _replied_to(message: Message) -> User | None:
    target = message.channel.messages.get(message.reference_id or 0)
    return target.author if target is not None else None


def _may_ping_everyone(message: Message) -> bool:
    channel = message.channel
    if channel.type == DM_CHANNEL or channel.guild is None:
        return False
    member = channel.guild.members.get(message.author.id)
    if member is None:
        return False
    return Permission.MENTION_EVERYONE in channel.guild.permissions(message.author.id)
