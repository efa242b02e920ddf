"""What follows a vote on a private ballot, in the ballot's own message.

The answers and their buttons stay above as long as there is room for them, if need be without
what was asked: which is which is guessed by looking at them, and a vote can be changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.answers import utf16_length
from bot.rating import Order
from cogs import _views
from cogs._render.layout import MESSAGE_LIMIT, layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEAD_ON = frozenset({"skip", "next"})


def beneath(message: discord.Message | None, view: ui.LayoutView) -> ui.LayoutView:
    """`view` for the message that was pressed on, where that is a private ballot or was one."""
    if message is None:
        return view
    items = ui.LayoutView.from_message(message).children
    buttons = [(meant, button) for button in _buttons(items) if (meant := _meant(button))]
    ballot = next((meant for meant, _ in buttons if meant.action in LEAD_ON), None)
    if ballot is None:
        return view
    way_on = _views.next_one(ballot.battle_id, Order(ballot.part or ""))
    room = MESSAGE_LIMIT - _length(view.children)
    answers = list(_answers(items))
    if _length(answers) > room:
        answers = [item for item in answers if isinstance(item, ui.Container)]
    if not answers or _length(answers) > room:
        return layout(*view.children, ui.ActionRow(way_on))
    new = {button.custom_id for button in _buttons(view.children)}
    votes, texts = (
        [b for meant, b in buttons if meant.action == action and b.custom_id not in new]
        for action in ("rate", "read")
    )
    rows = [ui.ActionRow[Any](*votes, way_on)]
    if texts:
        rows.append(ui.ActionRow[Any](*texts))
    return layout(*answers, *rows, *view.children)


def _answers(items: Iterable[ui.Item[Any]]) -> Iterator[ui.Item[Any]]:
    """The prompt and both answers: all up to the second box, where there are boxes."""
    items = list(items)
    boxes = [number for number, item in enumerate(items) if isinstance(item, ui.Container)]
    yield from items[: boxes[-1] + 1 if boxes else 0]


def _buttons(items: Iterable[ui.Item[Any]]) -> Iterator[ui.Button[Any]]:
    rows = (item for item in items if isinstance(item, ui.ActionRow))
    for item in (item for row in rows for item in row.children):
        button = item.item if isinstance(item, ui.DynamicItem) else item
        if isinstance(button, ui.Button):
            yield button


def _meant(button: ui.Button[Any]) -> _views.Meant | None:
    return _views.meant(button.custom_id or "")


def _length(items: Iterable[ui.Item[Any]]) -> int:
    parts = [
        part
        for item in items
        for part in (item.walk_children() if isinstance(item, ui.Container) else (item,))
    ]
    return sum(utf16_length(part.content) for part in parts if isinstance(part, ui.TextDisplay))
