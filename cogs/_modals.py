"""Forms that survive a restart: their custom id carries all they need, as a button's does.

discord.py forgets which form was opened when the process ends, and would keep each one that
was opened and never handed in. So it remembers none: a cog hears the submission itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.voting import COMMENT_LIMIT
from cogs._render.votes import IN_OWN_WORDS, why
from cogs._views import meant, own_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.voting import OwnView
    from cogs._views import Meant
    from storage.records import Side

TEXT = "text"
TEXT_LIMIT = 4000
"""Characters: what Discord takes in one field, and more than any answer that is shown."""


def fix(own: OwnView, side: Side, text: str) -> ui.Modal:
    """The answer on a side, to be written better: its `text`, or what was made of it before."""
    answer = own.battle.answer(side)
    seen, remark, other = side.upper(), own.remark, None
    if remark is not None and remark.edit is not None:
        if remark.edited_answer_id == answer.id:
            text = remark.edit
        else:
            other = "It takes the place of your text for the other answer."
    return _form(
        own_id("fix", own, side.value),
        title=f"Fix {seen}",
        label=f"{seen}, as it should have been",
        description=other,
        text=text,
        limit=TEXT_LIMIT,
    )


def comment(own: OwnView) -> ui.Modal:
    """A reason in the voter's own words."""
    return _form(
        own_id("why", own),
        title=IN_OWN_WORDS,
        label=why(own),
        text=(own.remark and own.remark.comment) or "",
        limit=COMMENT_LIMIT,
    )


def meant_by(interaction: discord.Interaction) -> Meant | None:
    """Which form was handed in; None where this version knows no such one."""
    data: Mapping[str, Any] = interaction.data or {}
    return meant(str(data.get("custom_id")))


def written(interaction: discord.Interaction) -> str:
    """What was written into such a form."""
    data: Mapping[str, Any] = interaction.data or {}
    for field in _fields(data.get("components", ())):
        if field.get("custom_id") == TEXT:
            return str(field.get("value") or "")
    return ""


def _form(  # a form's words, all by keyword
    custom_id: str,
    *,
    title: str,
    label: str,
    text: str,
    limit: int,
    description: str | None = None,
) -> ui.Modal:
    field = ui.TextInput[ui.Modal](
        custom_id=TEXT,
        style=discord.TextStyle.paragraph,
        default=text[:limit],
        max_length=limit,
    )
    form = ui.Modal(title=title, custom_id=custom_id)
    form.add_item(ui.Label(text=label, description=description, component=field))
    form.stop()  # so that discord.py does not keep it
    return form


def _fields(components: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - as Discord sends it
    for component in components:
        yield component
        if "component" in component:
            yield component["component"]
