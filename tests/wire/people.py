"""A person with a Discord client: what they type, press and see, for tests to read aloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import commands
from .commands import NotOffered
from .components import (
    BUTTON,
    LABEL,
    SELECTS,
    STRING_SELECT,
    TEXT_DISPLAY,
    Component,
    buttons,
    walk,
)
from .interactions import Interaction, Kind
from .posting import Draft
from .render import member_json, message_json, user_json
from .validate_forms import MESSAGE_MENU
from .world import Channel, Message, User

if TYPE_CHECKING:
    from .driver import WireServer

LINK = 5

Json = dict[str, Any]


class Person:
    """One account and the server it acts on."""

    def __init__(self, wire: WireServer, user: User) -> None:
        self.wire = wire
        self.user = user

    @property
    def mention(self) -> str:
        """What pings this person in a text."""
        return f"<@{self.user.id}>"

    async def send(
        self,
        channel: Channel,
        text: str,
        *,
        reply_to: Message | None = None,
        ping: bool = True,
    ) -> Message:
        """Write a message; `ping` is the switch that Discord shows on replies."""
        body: Json = {"content": text}
        if reply_to is not None:
            body["message_reference"] = {"message_id": str(reply_to.id)}
            kinds = ["users", "roles", "everyone"]
            body["allowed_mentions"] = {"parse": kinds, "replied_user": ping}
        if text:
            return self.wire.posting.create(channel, self.user, Draft(body))
        # A picture or a sticker alone: a message without text, which no REST body could make.
        message = Message(self.wire.world.new_id(), channel, self.user)
        self.wire.posting.store(message)
        return message

    async def dm(self, text: str) -> Message:
        """Write to the bot in private."""
        return await self.send(self.wire.world.dm_channel(self.user), text)

    async def edit(self, message: Message, text: str) -> Message:
        """Change one's own message."""
        return self.wire.posting.edit(message, Draft({"content": text}))

    async def delete(self, message: Message) -> None:
        """Remove a message."""
        self.wire.posting.delete(message)

    async def press(self, message: Message, label: str) -> Interaction:
        """Press the button with that label.

        Discord refuses a `custom_id` that the message does not hold: to try a forged or an old
        one, change it in the stored message.
        """
        self._require_visible(message)
        button = _button(message, label)
        data = {"custom_id": button["custom_id"], "component_type": BUTTON, "id": button["id"]}
        return await self._interact(Kind.COMPONENT, message.channel, data, source=message)

    async def choose(self, message: Message, *choices: str, index: int = 0) -> Interaction:
        """Choose options of a message's select menu by label or value."""
        self._require_visible(message)
        menus = [c for c in walk(message.components) if c["type"] in SELECTS]
        if index >= len(menus) or menus[index].get("disabled"):
            raise NotOffered(f"no select menu {index} to use in {message.text!r}")
        menu = menus[index]
        data = {
            "custom_id": menu["custom_id"],
            "component_type": menu["type"],
            "id": menu["id"],
            "values": [_option_value(menu, choice) for choice in choices],
        }
        return await self._interact(Kind.COMPONENT, message.channel, data, source=message)

    async def slash(
        self, channel: Channel, name: str, /, *, permitted: bool = False, **values: object
    ) -> Interaction:
        """Use a slash command; `name` holds subcommands after a space.

        Values are Python's own, or User and Channel. `permitted`: see `require_offered`.
        """
        command = commands.find_command(self.wire.world, channel, name.split(maxsplit=1)[0])
        commands.require_offered(command, channel, self.user, permitted=permitted)
        data = commands.command_data(self.wire.world, channel, name, values)
        return await self._interact(Kind.COMMAND, channel, data)

    async def autocomplete(
        self, channel: Channel, name: str, option: str, typed: str, /, **values: object
    ) -> list[Json]:
        """Type into an option and get the choices that the bot offers."""
        everything = values | {option: typed}
        data = commands.command_data(self.wire.world, channel, name, everything, focused=option)
        interaction = await self._interact(Kind.AUTOCOMPLETE, channel, data)
        await interaction.acknowledged()
        return interaction.choices or []

    async def context_menu(
        self, message: Message, name: str, *, permitted: bool = False
    ) -> Interaction:
        """Use an entry of a message's Apps menu."""
        self._require_visible(message)
        world, channel = self.wire.world, message.channel
        command = commands.find_command(world, channel, name, MESSAGE_MENU)
        commands.require_offered(command, channel, self.user, permitted=permitted)
        target = str(message.id)
        data: Json = {"id": command["id"], "name": name, "type": MESSAGE_MENU, "target_id": target}
        # The target's content comes whole, whatever the intents say.
        data["resolved"] = {"messages": {target: message_json(message, world.bot)}}
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        return await self._interact(Kind.COMMAND, channel, data)

    async def submit_modal(self, opened: Interaction, values: dict[str, Any]) -> Interaction:
        """Fill the modal that an interaction opened, by label or custom_id, and send it."""
        if opened.modal is None or opened.user is not self.user:
            raise NotOffered(f"{opened} opened no modal for {self.user.name}")
        left = dict(values)
        parts = [_filled(part, left) for part in opened.modal["components"]]
        if left:
            raise NotOffered(f"the modal has no field {sorted(left)}")
        kept = [part for part in parts if part["type"] != TEXT_DISPLAY]
        data: Json = {"custom_id": opened.modal["custom_id"], "components": kept}
        return await self._interact(Kind.MODAL, opened.channel, data, source=opened.source)

    async def _interact(
        self, kind: Kind, channel: Channel, data: Json, *, source: Message | None = None
    ) -> Interaction:
        world = self.wire.world
        interaction = Interaction(
            world.new_id(), kind, self.user, channel, self.wire.clock, data, source=source
        )
        self.wire.dispatch_interaction(interaction, self._identity(channel))
        return interaction

    def _identity(self, channel: Channel) -> Json:
        if channel.guild is None:
            return {"user": user_json(self.user)}
        member = channel.guild.members[self.user.id]
        granted = channel.guild.permissions(self.user.id)
        return {"member": member_json(member) | {"permissions": str(int(granted))}}

    def _require_visible(self, message: Message) -> None:
        if message.deleted:
            raise NotOffered(f"the message {message.text!r} was deleted")
        if message.ephemeral and message.visible_to is not self.user:
            raise NotOffered(f"{self.user.name} does not see {message.text!r}")


def _button(message: Message, label: str) -> Component:
    for button in buttons(message):
        if button.get("label") == label:
            if button.get("disabled") or button["style"] == LINK:
                raise NotOffered(f"the button {label!r} is disabled or a link")
            return button
    labels = [button.get("label") for button in buttons(message)]
    raise NotOffered(f"no button {label!r}; there are {labels}")


def _option_value(menu: Component, choice: str) -> str:
    if menu["type"] != STRING_SELECT:
        return choice
    for option in menu["options"]:
        if choice in (option["label"], option["value"]):
            return option["value"]
    raise NotOffered(f"the menu has no {choice!r}; it has {menu['options']}")


def _filled(part: Component, values: dict[str, Any]) -> Component:
    """Mirror one part of a modal with the person's input, taking it out of `values`."""
    if part["type"] == LABEL:
        return {"type": LABEL, "component": _field(part["component"], part["label"], values)}
    if part.get("components"):
        fields = [_field(c, c.get("label"), values) for c in part["components"]]
        return {"type": part["type"], "components": fields}
    return {"type": part["type"]}


def _field(component: Component, label: str | None, values: dict[str, Any]) -> Component:
    field = {"type": component["type"], "custom_id": component["custom_id"], "id": 1}
    key = label if label in values else component["custom_id"]
    if component["type"] in SELECTS:
        given = values.pop(key, [])
        chosen = [given] if isinstance(given, str) else given
        return field | {"values": [_option_value(component, choice) for choice in chosen]}
    if component.get("required", True) and not values.get(key, component.get("value")):
        raise NotOffered(f"the field {label!r} must be filled")
    return field | {"value": values.pop(key, component.get("value") or "")}
