"""What everyone sees of a battle, and what one member gets to see of it to rate.

Nothing here tells the sides apart before the vote: both get the same container,
in the same colour, with the same room. Only what is closed says who was who. Links in an
answer get no preview, which would tell: Discord shows those as embeds, and messages made of
components have none.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot import answers
from bot.answers import TRUNCATED, shorten, utf16_length
from bot.links import without_invites
from bot.sequels import can_go_on
from bot.wording import KIND_NAMES, count
from cogs import _views
from cogs._render.layout import (
    KIND_COLOURS,
    MESSAGE_LIMIT,
    address,
    container,
    layout,
    row,
)
from cogs._responding import Response
from storage.records import BattleState, Choice, Closing, Purpose, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.admission import Place
    from bot.closing import Result
    from bot.rating import Dealt, Order
    from storage.records import Answer, Battle, Turn

ASKED_LIMIT = 200
"""In UTF-16 units, with the asker's name and all that markdown needs before it."""
FULL_LIMIT = 3900
"""In UTF-16 units: a message holds 4,000, its heading included."""
CLOSED_LIMIT = 1500
"""Per side, in UTF-16 units, where names, tally and guesses need room as well."""
NAME_LIMIT = 64

RATE_HINT = "-# Two answers, sides by coin, thrown for you alone. Vote to see which is which."
ONLY_ONE = "This is the only one left."
ALL_RATED = "Nothing else needs your vote right now. More comes as people ask."
RATE_SMALL = utf16_length(f"-# **A****B**{ONLY_ONE}\n{RATE_HINT}")
BENEATH = 500
"""Room for what follows a vote, so that the answers can stay above it."""

ANSWERING = "Both models are answering."
OUR_TURN = "It is your turn. Both models are answering."
HERE = "Here are both answers."
DELETED = "The message was deleted, so it is not answered any more."
NO_PLACE = "I could not post the answers here. May I write in this channel?"
RESTARTING = "I am being restarted. Ask again in a minute."
RESTARTED = "I was restarted before both answers were done. Ask again."


def shown(result: Result, *, asked: Turn | None = None) -> ui.LayoutView:
    """What stands in the channel: the ballot, or who was who once it is closed."""
    if result.battle.state is BattleState.CLOSED:
        return closed(result, asked=asked)
    return ballot(result.battle, asked=asked)


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
            f"-# Two answers, sides by coin. Vote to see which is which. · #{battle.id}{from_where}"
        ),
    )


def rate(dealt: Dealt, *, order: Order, last: bool = False) -> ui.LayoutView:
    """A ballot for one member alone, with the sides as they were dealt.

    `last` is where they asked for another one, and there is none.
    """
    battle = dealt.battle
    texts = {side: battle.answer(side).shown for side in Side}
    votes = (_views.rate(battle.id, choice, swapped=dealt.swapped) for choice in Choice)
    rows = [row(*votes, _views.skip(battle.id, order))]
    if is_cut(battle):
        rows.append(row(*(_views.read(battle.id, s, swapped=dealt.swapped) for s in Side)))
    return layout(
        *_prompt(battle, room=MESSAGE_LIMIT - sum(map(utf16_length, texts.values())) - RATE_SMALL),
        *_answers(texts, None),
        *rows,
        ui.TextDisplay(f"{ONLY_ONE}\n{RATE_HINT}" if last else RATE_HINT),
    )


def all_rated(battle_id: int, order: Order) -> ui.LayoutView:
    """Nothing comes after this battle, yet."""
    return layout(ui.TextDisplay(ALL_RATED), row(_views.next_one(battle_id, order)))


def closed(result: Result, *, asked: Turn | None = None) -> ui.LayoutView:
    """Who was who, and what the votes said. `asked` as for the ballot."""
    battle = result.battle
    return layout(
        *_asked(asked),
        *(_told(side, battle.answer(side)) for side in Side),
        ui.TextDisplay("\n".join(_outcome(result))),
        row(_views.more(battle.id)),
        ui.TextDisplay(f"-# {_because(battle)} · #{battle.id}"),
    )


def recalled(result: Result) -> ui.LayoutView:
    """The same for one member who asked for it, with nothing to press but the way to it."""
    battle = result.battle
    parts = shown(result, asked=battle.conversation.prompt).children
    read_only = [part for part in parts if not isinstance(part, ui.ActionRow)]
    if battle.shown_message_id is None:
        return layout(*read_only)
    label = "Vote at its message" if battle.state is BattleState.OPEN else "Go to its message"
    way = ui.Button[ui.LayoutView](label=label, url=address(battle, battle.shown_message_id))
    return layout(*read_only, ui.ActionRow(way))


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
    is_open = battle.state is BattleState.OPEN
    lines = [f"**Battle #{battle.id}**"]
    rows = []
    if battle.wiped_because is not None:
        lines.append("The texts of this battle are not kept any more.")
    elif is_cut(battle):
        lines.append("Not all of the text fits into the message.")
        rows.append(row(*(_views.full(battle.id, side) for side in Side)))
    else:
        lines.append("Both answers are shown in full.")
    if by_author:
        lines.append("-# Again: two models, drawn anew, answer the same prompt.")
        own = [_views.again(battle.id)]
        if is_open and can_go_on(battle):
            lines.append("-# Continue: what was cut short goes on where it stopped.")
            own.append(_views.go_on(battle.id))
        if is_open:
            lines.append("-# Close and reveal: no more votes, and everyone is told which is which.")
            own.append(_views.close(battle.id))
        rows.append(row(*own))
    return layout(ui.TextDisplay("\n".join(lines)), *rows)


def is_cut(battle: Battle) -> bool:
    """Whether the message that shows a battle lacks some of an answer's text."""
    closed = battle.state is BattleState.CLOSED
    return any(
        TRUNCATED in answer.tags or (closed and utf16_length(answer.shown) > CLOSED_LIMIT)
        for answer in battle.answers
    )


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
    return f"That message was answered already: {address(battle, battle.shown_message_id)}"


def _answers(texts: Mapping[Side, str], asked: Turn | None) -> Iterator[ui.Item[Any]]:
    yield from _asked(asked)
    for side in Side:
        yield container(ui.TextDisplay(f"**{side.upper()}**"), ui.TextDisplay(texts[side]))


def _asked(turn: Turn | None) -> Iterator[ui.Item[Any]]:
    if turn is not None:
        yield ui.TextDisplay(f"-# {shorten(_quote(turn), ASKED_LIMIT)}")


def _prompt(battle: Battle, *, room: int) -> Iterator[ui.Item[Any]]:
    """What was asked, as far as there is room, and where the rest of it is."""
    prompt = battle.conversation.prompt
    message_id = prompt.message_id or battle.shown_message_id or 0
    link = f"-# The whole conversation: {address(battle, message_id)}"
    room -= utf16_length(link)
    limit = max(min(ASKED_LIMIT, room), room - BENEATH)
    quote = _quote(prompt)
    yield ui.TextDisplay(f"-# {shorten(quote, limit)}")
    if utf16_length(quote) > limit or len(battle.conversation.turns) > 1:
        yield ui.TextDisplay(link)


def _quote(turn: Turn) -> str:
    said = without_invites(" ".join(turn.text.split()))  # a server's filter has not seen /ask
    return discord.utils.escape_markdown(f"{turn.name} asked: {said}")


def _told(side: Side, answer: Answer) -> ui.Container[Any]:
    """One answer with the one who gave it."""
    escape = discord.utils.escape_markdown
    name = escape(answer.contender)
    if answer.parent is not None:
        name = f"{name}, tuned from {escape(answer.parent)}"
    template = shorten(answer.template, NAME_LIMIT)
    text = answer.shown or "-# The text is not kept any more."
    if utf16_length(text) > CLOSED_LIMIT:
        text = answers.closed(shorten(text, CLOSED_LIMIT - len(answers.FENCE) - 1))
    return container(
        ui.TextDisplay(
            f"**{side.upper()} · {KIND_NAMES[answer.kind]}**\n"
            f"-# {name} · template {template} · {answer.seconds:.1f} s"
        ),
        ui.TextDisplay(text),
        colour=KIND_COLOURS[answer.kind],
    )


def _outcome(result: Result) -> Iterator[str]:
    """The tally and the guesses, each a line."""
    if result.battle.closed_because is Closing.SAME_TEXT:
        yield "Both said the same, so there is nothing to vote on."
    elif not result.votes:
        yield "Nobody voted."
    else:
        tally = result.tally
        parts = [f"**{side.upper()}** {count(tally[Choice(side.value)], 'vote')}" for side in Side]
        parts += [f"tie {tally[Choice.TIE]}"] if tally[Choice.TIE] else []
        parts += [f"both bad {tally[Choice.BOTH_BAD]}"] if tally[Choice.BOTH_BAD] else []
        yield " · ".join(parts)
    if result.battle.purpose is Purpose.CONTROL:
        yield "Both sides were the same model, to see how votes fall then."
    elif result.guesses:
        yield _guesses(result)


def _guesses(result: Result) -> str:
    found = f"{result.right} of {result.guesses} found the base model"
    if result.unsure == result.guesses:
        found = "Nobody guessed which one is the base model"
    were = "was" if result.unsure == 1 else "were"
    return f"{found}; {result.unsure} {were} not sure." if result.unsure else f"{found}."


def _because(battle: Battle) -> str:
    match battle.closed_because:
        case Closing.VOTES:
            return "Closed with enough votes"
        case Closing.AUTHOR:
            return "Closed by the one who asked"
        case Closing.RETENTION:
            return "Closed because its texts are not kept any longer"
        case Closing.SAME_TEXT:
            return "Never open to votes"
        case _:
            return f"Closed {_open_for(battle)}"


def _open_for(battle: Battle) -> str:
    if battle.opened_at is None or battle.closed_at is None:
        return "after some time"
    hours = round((battle.closed_at - battle.opened_at).total_seconds() / 3600)
    return f"after {count(hours, 'hour')}"


def _duration(seconds: float) -> str:
    """Rounded up, as far as one can know it."""
    if seconds > 55:  # noqa: PLR2004 - what rounds up to a minute
        return count(math.ceil(seconds / 60), "minute")
    return f"{max(1, math.ceil(seconds / 5)) * 5} seconds"
