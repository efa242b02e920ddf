"""Turning what a person types after a slash into the data that Discord sends to the bot."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from .render import channel_json, member_json, user_json
from .validate_forms import SUBCOMMAND, SUBCOMMAND_GROUP
from .world import Channel, Permission, User, World

BOT_DM_CONTEXT = 1

Json = dict[str, Any]


class Option(IntEnum):
    """Types of an option that holds a value."""

    STRING = 3
    INTEGER = 4
    BOOLEAN = 5
    USER = 6
    CHANNEL = 7
    ROLE = 8
    MENTIONABLE = 9
    NUMBER = 10


PYTHON_TYPES: dict[int, tuple[type, ...]] = {
    Option.STRING: (str,),
    Option.INTEGER: (int,),
    Option.BOOLEAN: (bool,),
    Option.USER: (User,),
    Option.CHANNEL: (Channel,),
    Option.ROLE: (int,),
    Option.MENTIONABLE: (User, int),
    Option.NUMBER: (int, float),
}


class NotOffered(AssertionError):
    """The person's client would not offer or not send this."""


def find_command(world: World, channel: Channel, name: str, kind: int = 1) -> Json:
    """Return the synced command of that name which the channel offers; a guild's own first."""
    scopes = [None] if channel.guild_id is None else [channel.guild_id, None]
    for scope in scopes:
        for command in world.commands.get(scope, []):
            if command["type"] == kind and command["name"] == name:
                return command
    known = [c["name"] for scope in scopes for c in world.commands.get(scope, [])]
    raise NotOffered(f"no command {name!r} of type {kind}; there are {known}")


def require_offered(command: Json, channel: Channel, user: User, *, permitted: bool) -> None:
    """Refuse what the person's client would not show.

    `permitted`: the server's integration settings let this member use the command in spite of
    its default permissions.
    """
    contexts = command.get("contexts")
    if channel.guild is None:
        in_dm = command.get("dm_permission", True) if contexts is None else None
        if in_dm is False or (contexts is not None and BOT_DM_CONTEXT not in contexts):
            raise NotOffered(f"/{command['name']} is not offered in DMs")
        return
    needed = command.get("default_member_permissions")
    if needed is None or permitted:
        return
    has = channel.guild.permissions(user.id)
    if Permission.ADMINISTRATOR not in has and (int(needed) & ~has or int(needed) == 0):
        raise NotOffered(f"/{command['name']} is not offered to {user.name}")


def command_data(
    world: World,
    channel: Channel,
    name: str,
    values: dict[str, Any],
    *,
    focused: str | None = None,
) -> Json:
    """Build the data of a slash command; `name` may go on with a group and a subcommand."""
    root, *path = name.split()
    command = find_command(world, channel, root)
    leaf, nested = command, []
    for step in path:
        leaf = _named(leaf.get("options") or [], step)
        nested.append(leaf)
    resolved: Json = {}
    options = _options(leaf, values, resolved, channel, focused)
    for step in reversed(nested):
        options = [{"name": step["name"], "type": step["type"], "options": options}]
    data: Json = {"id": command["id"], "name": root, "type": 1, "options": options}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    if resolved:
        data["resolved"] = resolved
    return data


def _named(options: list[Json], name: str) -> Json:
    for option in options:
        if option["name"] == name:
            return option
    raise NotOffered(f"no option {name!r}; there are {[option['name'] for option in options]}")


def _options(
    leaf: Json, values: dict[str, Any], resolved: Json, channel: Channel, focused: str | None
) -> list[Json]:
    offered = leaf.get("options") or []
    if any(option["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP) for option in offered):
        raise NotOffered(f"{leaf['name']!r} needs one of {[option['name'] for option in offered]}")
    for option in offered:
        if option.get("required") and option["name"] not in values and focused is None:
            raise NotOffered(f"option {option['name']!r} of {leaf['name']!r} is required")
    filled = []
    for name, value in values.items():
        option = _named(offered, name)
        given: Json = {"name": name, "type": option["type"]}
        if name == focused:
            given |= {"value": value, "focused": True}
        else:
            given["value"] = _value(option, value, resolved, channel)
        filled.append(given)
    return filled


def _value(option: Json, value: object, resolved: Json, channel: Channel) -> object:
    value = _chosen(option, value)
    expected = PYTHON_TYPES[option["type"]]
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        raise NotOffered(f"option {option['name']!r} takes {expected}, not {value!r}")
    size = len(value) if isinstance(value, str) else value
    for key in ("min_value", "min_length", "max_value", "max_length"):
        limit = option.get(key)
        if limit is not None and (size < limit if key.startswith("min") else size > limit):
            raise NotOffered(f"option {option['name']!r}: {value!r} breaks {key} {limit}")
    if isinstance(value, User):
        _resolve_user(value, resolved, channel)
        return str(value.id)
    if isinstance(value, Channel):
        data = channel_json(value, value.guild.members[value.guild.owner_id].user)
        resolved.setdefault("channels", {})[str(value.id)] = data | {"permissions": "0"}
        return str(value.id)
    return value


def _chosen(option: Json, value: object) -> object:
    choices = option.get("choices")
    if not choices:
        return value
    for choice in choices:
        if value in (choice["name"], choice["value"]):
            return choice["value"]
    raise NotOffered(f"{option['name']!r} offers {[c['name'] for c in choices]}, not {value!r}")


def _resolve_user(user: User, resolved: Json, channel: Channel) -> None:
    resolved.setdefault("users", {})[str(user.id)] = user_json(user)
    member = channel.guild.members.get(user.id) if channel.guild else None
    if member is not None:
        data = member_json(member, with_user=False) | {"permissions": "0"}
        resolved.setdefault("members", {})[str(user.id)] = data
