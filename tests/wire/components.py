"""Walking the components of a stored message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .world import Message

ACTION_ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SELECTS = frozenset({3, 5, 6, 7, 8})
SECTION, TEXT_DISPLAY, THUMBNAIL, MEDIA_GALLERY, FILE, SEPARATOR = 9, 10, 11, 12, 13, 14
CONTAINER, LABEL = 17, 18

Component = dict[str, Any]


def walk(components: Iterable[Component]) -> Iterator[Component]:
    """Every component in reading order, parents before children."""
    for component in components:
        yield component
        yield from walk(component.get("components") or [])
        for key in ("accessory", "component"):
            if component.get(key):
                yield from walk([component[key]])


def text_of(message: Message) -> str:
    """Join the content and all text displays of a message, one a line."""
    return spoken({"content": message.content, "components": message.components})


def spoken(body: Component) -> str:
    """Do the same for the body of a request."""
    parts = walk(body.get("components") or [])
    displays = [c["content"] for c in parts if c["type"] == TEXT_DISPLAY]
    return "\n".join(filter(None, [body.get("content"), *displays]))


def containers(message: Message) -> list[Component]:
    """Return the containers of a Components V2 message."""
    return [c for c in message.components if c["type"] == CONTAINER]


def buttons(message: Message) -> list[Component]:
    """Every button of a message, in reading order."""
    return [c for c in walk(message.components) if c["type"] == BUTTON]


def rows(message: Message) -> list[list[str]]:
    """Return the labels of the buttons, row by row."""
    action_rows = (c for c in walk(message.components) if c["type"] == ACTION_ROW)
    found = ([c.get("label", "") for c in buttons_in(row)] for row in action_rows)
    return [labels for labels in found if labels]


def buttons_in(row: Component) -> list[Component]:
    """Return the buttons of one action row."""
    return [c for c in row["components"] if c["type"] == BUTTON]


def number(components: list[Component]) -> list[Component]:
    """Give every component the integer `id` that Discord gives it."""
    taken = {c["id"] for c in walk(components) if c.get("id")}
    following = (n for n in range(1, 1000) if n not in taken)
    for component in walk(components):
        if not component.get("id"):
            component["id"] = next(following)
    return components
