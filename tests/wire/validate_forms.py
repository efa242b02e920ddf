"""Strict checks of modals and of application commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .components import ACTION_ROW, LABEL, SELECTS, TEXT_DISPLAY, TEXT_INPUT
from .errors import Flaw, bad_form
from .validate_components import length_flaw, select_flaws

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, SUBCOMMAND_GROUP = 1, 2
COMMAND_NAME = re.compile(r"[-_'\w]{1,32}")
MOST_COMMANDS = {CHAT_INPUT: 100, USER_MENU: 15, MESSAGE_MENU: 15}
MAX_COMMAND_CHARACTERS = 8000

Json = dict[str, Any]


def check_modal(modal: Json) -> None:
    """Raise what Discord would answer to this modal."""
    if flaws := list(_modal_flaws(modal)):
        raise bad_form(flaws)


def check_commands(commands: list[Json]) -> None:
    """Raise what Discord would answer to this set of commands."""
    flaws = []
    for kind, most in MOST_COMMANDS.items():
        names = [c.get("name") for c in commands if c.get("type", CHAT_INPUT) == kind]
        if len(names) > most or len(set(names)) != len(names):
            flaws.append(Flaw("", "APPLICATION_COMMANDS", f"too many or twice: {names}"))
    for index, command in enumerate(commands):
        flaws += _command_flaws(command, str(index))
    if flaws:
        raise bad_form(flaws)


def _modal_flaws(modal: Json) -> Iterator[Flaw]:
    yield from length_flaw("title", modal.get("title"), 1, 45)
    yield from length_flaw("custom_id", modal.get("custom_id"), 1, 100)
    parts = modal.get("components") or []
    if not 1 <= len(parts) <= 5:
        yield Flaw("components", "BASE_TYPE_BAD_LENGTH", f"1 to 5 components, not {len(parts)}")
    for index, part in enumerate(parts):
        where = f"components.{index}"
        if part.get("type") == LABEL:
            yield from length_flaw(f"{where}.label", part.get("label"), 1, 45)
            if part.get("description") is not None:
                yield from length_flaw(f"{where}.description", part["description"], 0, 100)
            yield from _field_flaws(part.get("component") or {}, f"{where}.component")
        elif part.get("type") == ACTION_ROW:
            for child in part.get("components") or []:
                yield from length_flaw(f"{where}.components.0.label", child.get("label"), 1, 45)
                yield from _field_flaws(child, f"{where}.components.0")
        elif part.get("type") != TEXT_DISPLAY:
            yield Flaw(where, "UNION_TYPE_CHOICES", f"type {part.get('type')} in a modal")


def _field_flaws(component: Json, where: str) -> Iterator[Flaw]:
    if component.get("type") in SELECTS:
        yield from select_flaws(component, where)
        return
    yield from length_flaw(f"{where}.custom_id", component.get("custom_id"), 1, 100)
    if component.get("type") == TEXT_INPUT:
        for key, high in (("placeholder", 100), ("value", 4000)):
            if component.get(key) is not None:
                yield from length_flaw(f"{where}.{key}", component[key], 0, high)
        if not 1 <= component.get("max_length", 4000) <= 4000:
            yield Flaw(f"{where}.max_length", "NUMBER_TYPE_MAX", "1 to 4000")


def _command_flaws(command: Json, where: str) -> Iterator[Flaw]:
    if command.get("type", CHAT_INPUT) != CHAT_INPUT:
        yield from length_flaw(f"{where}.name", command.get("name"), 1, 32)
        if command.get("description"):
            yield Flaw(f"{where}.description", "APPLICATION_COMMAND_DESCRIPTION", "must be empty")
        return
    yield from _name_flaws(command, where)
    yield from _option_flaws(command, where)
    if (size := _characters(command)) > MAX_COMMAND_CHARACTERS:
        yield Flaw(where, "APPLICATION_COMMAND_TOO_LARGE", f"{size} characters")


def _name_flaws(item: Json, where: str) -> Iterator[Flaw]:
    name = item.get("name")
    if not isinstance(name, str) or not COMMAND_NAME.fullmatch(name) or name != name.lower():
        yield Flaw(f"{where}.name", "APPLICATION_COMMAND_INVALID_NAME", f"{name!r}")
    yield from length_flaw(f"{where}.description", item.get("description"), 1, 100)


def _option_flaws(command: Json, where: str) -> Iterator[Flaw]:
    options = command.get("options") or []
    if len(options) > 25:
        yield Flaw(f"{where}.options", "BASE_TYPE_MAX_LENGTH", "more than 25")
    kinds = [option.get("type") for option in options]
    nests = [kind in (SUBCOMMAND, SUBCOMMAND_GROUP) for kind in kinds]
    if any(nests) and not all(nests):
        yield Flaw(f"{where}.options", "SUBCOMMANDS_MIXED", f"{kinds}")
    required = [bool(option.get("required")) for option in options]
    if not any(nests) and required != sorted(required, reverse=True):
        yield Flaw(f"{where}.options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "order")
    for index, option in enumerate(options):
        path = f"{where}.options.{index}"
        yield from _name_flaws(option, path)
        yield from _option_flaws(option, path)
        choices = option.get("choices") or []
        if len(choices) > 25:
            yield Flaw(f"{path}.choices", "BASE_TYPE_MAX_LENGTH", "more than 25")
        for number, choice in enumerate(choices):
            yield from length_flaw(f"{path}.choices.{number}.name", choice.get("name"), 1, 100)


def _characters(item: Json) -> int:
    texts = [item.get("name") or "", item.get("description") or ""]
    texts += [str(choice["name"]) + str(choice["value"]) for choice in item.get("choices") or []]
    nested = sum(_characters(option) for option in item.get("options") or [])
    return sum(map(len, texts)) + nested
