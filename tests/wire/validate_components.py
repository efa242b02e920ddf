"""Strict checks of message components, classic and V2."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .components import (
    ACTION_ROW,
    BUTTON,
    CONTAINER,
    FILE,
    MEDIA_GALLERY,
    SECTION,
    SELECTS,
    SEPARATOR,
    STRING_SELECT,
    TEXT_DISPLAY,
    THUMBNAIL,
    walk,
)
from .errors import Flaw

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_COMPONENTS = 40
MAX_TEXT = 4000
LINK, PREMIUM = 5, 6

IN_CONTAINER = frozenset({ACTION_ROW, SECTION, TEXT_DISPLAY, MEDIA_GALLERY, FILE, SEPARATOR})
TOP_LEVEL = IN_CONTAINER | {CONTAINER}

Component = dict[str, Any]


def component_flaws(components: list[Component], *, v2: bool) -> list[Flaw]:
    """Find everything wrong with the components of one message."""
    flaws = list(_list_flaws(components, "components", TOP_LEVEL if v2 else {ACTION_ROW}))
    if not v2 and len(components) > 5:
        flaws.append(Flaw("components", "BASE_TYPE_BAD_LENGTH", "more than 5 rows"))
    everything = list(walk(components))
    if len(everything) > MAX_COMPONENTS:
        told = f"{len(everything)} > {MAX_COMPONENTS}, nested ones counted"
        flaws.append(Flaw("components", "COMPONENT_MAX_TOTAL_COMPONENTS", told))
    characters = sum(len(c.get("content") or "") for c in everything if c["type"] == TEXT_DISPLAY)
    if characters > MAX_TEXT:
        told = f"{characters} > {MAX_TEXT} characters"
        flaws.append(Flaw("components", "COMPONENT_TOTAL_TEXT_LENGTH", told))
    for key in ("custom_id", "id"):
        counted = Counter(c[key] for c in everything if c.get(key))
        if twice := [value for value, times in counted.items() if times > 1]:
            code = f"COMPONENT_{key.upper()}_DUPLICATED"
            flaws.append(Flaw("components", code, f"{twice}"))
    return flaws


def length_flaw(path: str, text: object, low: int, high: int) -> Iterator[Flaw]:
    """Yield a flaw if `text` is not a string of `low` to `high` characters."""
    if not isinstance(text, str) or not low <= len(text) <= high:
        told = f"{low} to {high} characters, not {text!r}"
        yield Flaw(path, "BASE_TYPE_BAD_LENGTH", told)


def _list_flaws(
    components: list[Component], path: str, allowed: frozenset[int] | set[int]
) -> Iterator[Flaw]:
    for index, component in enumerate(components):
        where = f"{path}.{index}"
        if component.get("type") not in allowed:
            told = f"type {component.get('type')} is not allowed here"
            yield Flaw(where, "UNION_TYPE_CHOICES", told)
        else:
            yield from _one(component, where)


def _one(component: Component, where: str) -> Iterator[Flaw]:
    kind = component["type"]
    if kind == ACTION_ROW:
        yield from _row(component, where)
    elif kind == SECTION:
        yield from _section(component, where)
    elif kind == TEXT_DISPLAY:
        content = component.get("content")
        yield from length_flaw(f"{where}.content", content, 1, MAX_TEXT)
        if isinstance(content, str) and content and not content.strip():
            yield Flaw(f"{where}.content", "BASE_TYPE_REQUIRED", "nothing but spaces")
    elif kind == MEDIA_GALLERY:
        if not 1 <= len(component.get("items") or []) <= 10:
            yield Flaw(f"{where}.items", "BASE_TYPE_BAD_LENGTH", "1 to 10 items")
    elif kind == CONTAINER:
        children = component.get("components") or []
        if not children:
            yield Flaw(f"{where}.components", "BASE_TYPE_REQUIRED", "an empty container")
        colour = component.get("accent_color")
        if colour is not None and not 0 <= colour <= 0xFFFFFF:
            yield Flaw(f"{where}.accent_color", "NUMBER_TYPE_MAX", f"{colour}")
        yield from _list_flaws(children, f"{where}.components", IN_CONTAINER)


def _row(row: Component, where: str) -> Iterator[Flaw]:
    children = row.get("components") or []
    kinds = {child.get("type") for child in children}
    only_buttons = kinds == {BUTTON} and len(children) <= 5
    one_select = len(children) == 1 and kinds <= SELECTS
    if not only_buttons and not one_select:
        yield Flaw(f"{where}.components", "BASE_TYPE_BAD_LENGTH", "1 to 5 buttons or one select")
    for index, child in enumerate(children):
        check = _button if child.get("type") == BUTTON else select_flaws
        yield from check(child, f"{where}.components.{index}")


def _section(section: Component, where: str) -> Iterator[Flaw]:
    texts = section.get("components") or []
    if not 1 <= len(texts) <= 3:
        yield Flaw(f"{where}.components", "BASE_TYPE_BAD_LENGTH", "1 to 3 text displays")
    yield from _list_flaws(texts, f"{where}.components", {TEXT_DISPLAY})
    accessory = section.get("accessory") or {}
    if accessory.get("type") == BUTTON:
        yield from _button(accessory, f"{where}.accessory")
    elif accessory.get("type") != THUMBNAIL:
        yield Flaw(f"{where}.accessory", "BASE_TYPE_REQUIRED", "a button or a thumbnail")


def _button(button: Component, where: str) -> Iterator[Flaw]:
    style = button.get("style")
    if style not in range(1, 7):
        yield Flaw(f"{where}.style", "BASE_TYPE_CHOICES", f"{style!r}")
        return
    if style == PREMIUM:
        return
    label = button.get("label")
    if label is not None:
        yield from length_flaw(f"{where}.label", label, 1, 80)
    elif not button.get("emoji"):
        yield Flaw(f"{where}.label", "BASE_TYPE_REQUIRED", "a label or an emoji")
    if style == LINK:
        yield from length_flaw(f"{where}.url", button.get("url"), 1, 512)
        if button.get("custom_id"):
            yield Flaw(f"{where}.custom_id", "BUTTON_COMPONENT_CUSTOM_ID", "not on a link")
    else:
        yield from length_flaw(f"{where}.custom_id", button.get("custom_id"), 1, 100)


def select_flaws(select: Component, where: str) -> Iterator[Flaw]:
    """Find everything wrong with a select menu, in a message or in a modal."""
    yield from length_flaw(f"{where}.custom_id", select.get("custom_id"), 1, 100)
    if select.get("placeholder") is not None:
        yield from length_flaw(f"{where}.placeholder", select["placeholder"], 0, 150)
    low, high = select.get("min_values", 1), select.get("max_values", 1)
    if not 0 <= low <= 25 or not 1 <= high <= 25 or low > high:
        yield Flaw(where, "NUMBER_TYPE_MAX", f"min_values {low}, max_values {high}")
    if select.get("type") != STRING_SELECT:
        return
    options = select.get("options") or []
    if not 1 <= len(options) <= 25:
        yield Flaw(f"{where}.options", "BASE_TYPE_BAD_LENGTH", f"1 to 25, not {len(options)}")
    values = [option.get("value") for option in options]
    if len(set(values)) != len(values):
        yield Flaw(f"{where}.options", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", f"{values}")
    for index, option in enumerate(options):
        for key, low_limit in (("label", 1), ("value", 1), ("description", 0)):
            if key in option and option[key] is not None:
                yield from length_flaw(
                    f"{where}.options.{index}.{key}", option[key], low_limit, 100
                )
            elif low_limit:
                yield Flaw(f"{where}.options.{index}.{key}", "BASE_TYPE_REQUIRED", "missing")
