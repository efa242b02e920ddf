"""What everyone sees of a battle.

Nothing here tells the sides apart before the vote: both get the same container,
in the same colour, with the same room. Links in an answer get no preview, which would tell:
Discord shows those as embeds, and messages made of components have none.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.answers import TRUNCATED, shorten, utf16_length
from bot.sequels import can_go_on
from cogs import _views
from cogs._render.layout import container, count, layout, row
from cogs._responding import Response
from storage.records import BattleState, Choice, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.admission import Place
    from storage.records import Battle, Turn

ASKED_LIMIT = 200
"""In UTF-16 units, with the asker's name and all that markdown needs before it."""
FULL_LIMIT = 3900
"""In UTF-16 units: a message holds 4,000, its heading included."""

ANSWERING = "Both models are answering."
OUR_TURN = "It is your turn. Both models are answering."
HERE = "Here are both answers."
DELETED = "The message was deleted, so it is not answered any more."
NO_PLACE = "I could not post the answers here. May I write in this channel?"
RESTARTING = "I am being restarted. Ask again in a minute."
RESTARTED = "I was restarted before both answers were done. Ask again."


def ballot(battle: Battle, *, asked: Turn | None = None) -> ui.LayoutView:
    """Both answers, blind, and the buttons under them.

    `asked` is the prompt where no message in the channel shows it.
    """
    votes = (_views.vote(battle.id, choice) for choice in Choice)
    from_where = f", goes on from #{battle.parent_id}" if battle.parent_id else ""
    return layout(
        *_answers({side: battle.answer(side).shown for side in Side}, asked),
        row(*votes, _views.more(battle.id)),
        ui.TextDisplay(
            "-# Two language models answered, sides by coin. Vote to see which is which."
            f" · #{battle.id}{from_where}"
        ),
    )


def growing(texts: Mapping[Side, str], *, asked: Turn | None = None) -> ui.LayoutView:
    """Both answers as far as they are, with nothing to press yet."""
    return layout(
        *_answers(texts, asked),
        ui.TextDisplay("-# Two language models are answering. You can vote when both are done."),
    )


def busy(place: Place) -> str:
    """Where somebody waits, and for how long as far as that is known."""
    where = "next" if place.number == 1 else f"number {place.number}"
    about = "" if place.seconds is None else f", about {_duration(place.seconds)}"
    return f"Both models are busy: you are {where}{about}."


def more(battle: Battle, *, by_author: bool) -> ui.LayoutView:
    """What else there is to a battle, for the one who pressed."""
    lines = [f"**Battle #{battle.id}**"]
    rows = []
    if any(TRUNCATED in answer.tags for answer in battle.answers):
        lines.append("Not all of the text fits into the message.")
        rows.append(row(*(_views.full(battle.id, side) for side in Side)))
    else:
        lines.append("Both answers are shown in full.")
    if by_author:
        lines.append("-# Again: two models, drawn anew, answer the same prompt.")
        own = [_views.again(battle.id)]
        if can_go_on(battle):
            lines.append("-# Continue: what was cut short goes on where it stopped.")
            own.append(_views.go_on(battle.id))
        rows.append(row(*own))
    return layout(ui.TextDisplay("\n".join(lines)), *rows)


def full_text(battle: Battle, side: Side, text: str) -> Response:
    """All of one answer, as a file where a message cannot hold it.

    The file comes without components: only then Discord shows what is in it.
    """
    head = f"**{side.upper()}** in full · #{battle.id}"
    if utf16_length(text) <= FULL_LIMIT:
        return Response(layout(ui.TextDisplay(head), container(ui.TextDisplay(text))))
    name = f"battle-{battle.id}-{side.value}.txt"
    return Response(text=head, file=discord.File(io.BytesIO(text.encode()), name))


def answered_already(battle: Battle | None) -> str:
    """Why a message gets no second battle."""
    if battle is None or battle.state is BattleState.CANCELLED:
        return "That message was deleted."
    if battle.state is BattleState.FAILED:
        return "That message could not be answered. Send it again."
    if battle.state is BattleState.ANSWERING or battle.shown_message_id is None:
        return "That message is being answered already."
    where = f"{battle.guild_id or '@me'}/{battle.channel_id}/{battle.shown_message_id}"
    return f"That message was answered already: https://discord.com/channels/{where}"


def _answers(texts: Mapping[Side, str], asked: Turn | None) -> Iterator[ui.Item[Any]]:
    if asked is not None:
        quote = " ".join(shorten(asked.text, ASKED_LIMIT).split())
        line = discord.utils.escape_markdown(f"{asked.name} asked: {quote}")
        yield ui.TextDisplay(f"-# {shorten(line, ASKED_LIMIT)}")
    for side in Side:
        yield container(ui.TextDisplay(f"**{side.upper()}**"), ui.TextDisplay(texts[side]))


def _duration(seconds: float) -> str:
    """Rounded up, as far as one can know it."""
    if seconds > 55:  # noqa: PLR2004 - what rounds up to a minute
        return count(math.ceil(seconds / 60), "minute")
    return f"{max(1, math.ceil(seconds / 5)) * 5} seconds"
