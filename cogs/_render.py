"""Records become messages: their wording lives here, but for what a command says in passing.

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
from bot.guilds import Others
from bot.ranking import wilson
from bot.roster import permitted
from bot.sequels import can_go_on
from cogs import _views
from cogs._responding import Response
from storage.records import BattleState, Choice, Continuing, Kind, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bot.admission import Place
    from bot.config import Config
    from bot.guilds import GuildSettings
    from bot.voting import Cast
    from storage.records import Answer, Battle, Contender, Standing, Turn

NEUTRAL = discord.Colour(0x5865F2)
KIND_NAMES = {Kind.BASE: "base model", Kind.INSTRUCT: "instruct model", Kind.TUNED: "tuned model"}
CHOSEN = {
    Choice.A: "You chose **A**.",
    Choice.B: "You chose **B**.",
    Choice.TIE: "You called it a **tie**.",
    Choice.BOTH_BAD: "You found **both bad**.",
}
CONTINUING = {
    Continuing.WINNER: "the winner so far, else the instruct model's answer",
    Continuing.INSTRUCT: "the instruct model's answer",
    Continuing.BASE: "the base model's answer",
}
OTHERS = {
    Others.AS_THEY_ARE: "as they are",
    Others.PLACEHOLDER: "as a placeholder, with nothing of theirs stored",
}
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
STRANGE_BUTTON = "This button is from another version of me and does nothing any more."


def ballot(battle: Battle, *, asked: Turn | None = None) -> ui.LayoutView:
    """Both answers, blind, and the buttons under them.

    `asked` is the prompt where no message in the channel shows it.
    """
    votes = (_views.vote(battle.id, choice) for choice in Choice)
    from_where = f", goes on from #{battle.parent_id}" if battle.parent_id else ""
    return _layout(
        *_answers({side: battle.answer(side).shown for side in Side}, asked),
        _row(*votes, _views.more(battle.id)),
        ui.TextDisplay(
            "-# Two language models answered, sides by coin. Vote to see which is which."
            f" · #{battle.id}{from_where}"
        ),
    )


def growing(texts: Mapping[Side, str], *, asked: Turn | None = None) -> ui.LayoutView:
    """Both answers as far as they are, with nothing to press yet."""
    return _layout(
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
        rows.append(_row(*(_views.full(battle.id, side) for side in Side)))
    else:
        lines.append("Both answers are shown in full.")
    if by_author:
        lines.append("-# Again: two models, drawn anew, answer the same prompt.")
        own = [_views.again(battle.id)]
        if can_go_on(battle):
            lines.append("-# Continue: what was cut short goes on where it stopped.")
            own.append(_views.go_on(battle.id))
        rows.append(_row(*own))
    return _layout(ui.TextDisplay("\n".join(lines)), *rows)


def full_text(battle: Battle, side: Side, text: str) -> Response:
    """All of one answer, as a file where a message cannot hold it.

    The file comes without components: only then Discord shows what is in it.
    """
    head = f"**{side.upper()}** in full · #{battle.id}"
    if utf16_length(text) <= FULL_LIMIT:
        return Response(_layout(ui.TextDisplay(head), _container(ui.TextDisplay(text))))
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


def reveal(cast: Cast) -> ui.LayoutView:
    """For the voter alone: what was stored, and who was who."""
    lines = [CHOSEN[cast.choice] + (" Your earlier vote is replaced." if cast.changed else ""), ""]
    lines += [_who(side, cast.battle.answer(side)) for side in Side]
    lines.append(f"-# Your vote is stored. Press another button to change it. · #{cast.battle.id}")
    return message("\n".join(lines))


def message(text: str) -> ui.LayoutView:
    """Plain words as a Components V2 message."""
    return _layout(ui.TextDisplay(text))


def leaderboard(standings: Sequence[Standing], *, not_blind: int) -> str:
    """Counts and intervals, in words."""
    if not standings:
        return "No votes yet. Chat in an enabled channel and press a button under the answers."
    ranked = sorted(standings, key=_win_share, reverse=True)
    lines = ["### Leaderboard", *(_standing(standing) for standing in ranked)]
    lines.append("-# A likely range is right 19 times out of 20.")
    if not_blind:
        lines.append(
            f"-# {_count(not_blind, 'vote')} changed after the reveal, counted as changed."
        )
    return "\n".join(lines)


def settings(current: GuildSettings, *, config: Config, contenders: Sequence[Contender]) -> str:
    """The effective settings and where each comes from."""
    channels = " ".join(f"<#{channel}>" for channel in current.channels) or "none"
    member = _lower(current.member_limit, config.member_battles_per_minute)
    server = _lower(current.guild_limit, config.guild_battles_per_minute)
    return "\n".join(
        (
            "**Settings of this server**",
            f"Channels where every message is answered: {channels}",
            f"Prompt template: {_either(current.template, config.template)}",
            f"Contenders: {_field(current.contenders, contenders)}",
            f"Answers appear: {_either(current.showing, config.showing)}",
            f"Conversations go on from: {CONTINUING[current.continuing]}",
            f"Other members who have not agreed to be kept: given {OTHERS[current.others]}",
            f"Answered in a minute: {member} for a member, {server} in all",
            "-# Everywhere else I answer when I am mentioned or replied to.",
            "-# Change them with the other `/settings` commands.",
        )
    )


def channel_warnings(lacking: Sequence[str], *, reads_messages: bool) -> Iterator[str]:
    """What keeps a channel that was turned on from being answered."""
    if lacking:
        yield f"⚠ I lack permissions there: {', '.join(lacking)}. Grant them, or I stay silent."
    if not reads_messages:
        yield "⚠ I cannot read messages that do not mention me: Message Content is turned off."


def _either(chosen: object | None, default: object) -> str:
    return f"`{default}` (the default)" if chosen is None else f"`{chosen}` (set here)"


def _lower(chosen: int | None, most: int) -> str:
    """Which of two limits holds; the operator's may have been lowered since."""
    return _either(None if chosen is not None and chosen > most else chosen, most)


def _field(chosen: Sequence[str], contenders: Sequence[Contender]) -> str:
    """Who meets in a server."""
    if not chosen:
        return "all (the default)"
    field = permitted(contenders, chosen)
    if not {c.slug for c in field} <= set(chosen):
        return "all (those that were chosen here make no pair any more)"
    return f"{', '.join(f'`{c.slug}`' for c in field)} (set here)"


def about(version: str) -> str:
    """What this is, for a member."""
    return f"""\
**Twofold** answers every message twice, with two different language models.
One of them was only taught to continue text, the other to be an assistant. They appear as A \
and B, sides by coin: vote for the better one, then you are told which was which.
Messages that start with `//` are not answered.
Prompts, answers and votes are stored on the operator's machine and may be exported as a dataset.
-# Twofold {version} · Apache-2.0"""


def _answers(texts: Mapping[Side, str], asked: Turn | None) -> Iterator[ui.Item[Any]]:
    if asked is not None:
        quote = " ".join(shorten(asked.text, ASKED_LIMIT).split())
        line = discord.utils.escape_markdown(f"{asked.name} asked: {quote}")
        yield ui.TextDisplay(f"-# {shorten(line, ASKED_LIMIT)}")
    for side in Side:
        yield _container(ui.TextDisplay(f"**{side.upper()}**"), ui.TextDisplay(texts[side]))


def _container(*items: ui.Item[Any]) -> ui.Container[Any]:
    return ui.Container(*items, accent_colour=NEUTRAL)


def _row(*buttons: _views.BattleButton) -> ui.ActionRow[Any]:
    return ui.ActionRow(*buttons)


def _layout(*items: ui.Item[Any]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    for item in items:
        view.add_item(item)
    return view


def _who(side: Side, answer: Answer) -> str:
    name = discord.utils.escape_markdown(answer.contender)
    template = f", prompted as {answer.template}" if answer.kind is not Kind.INSTRUCT else ""
    return f"**{side.value.upper()}** was the {KIND_NAMES[answer.kind]}: {name}{template}"


def _standing(standing: Standing) -> str:
    name = f"**{discord.utils.escape_markdown(standing.contender)}** · {KIND_NAMES[standing.kind]}"
    rest = f"-# {_count(standing.ties, 'tie')}, {standing.both_bad} times both bad"
    return f"{name}\n{_ahead(standing.wins, standing.wins + standing.losses)}\n{rest}"


def _ahead(wins: int, decided: int) -> str:
    if not decided:
        return "neither ahead nor behind yet"
    interval = wilson(wins, decided)
    low, high = (round(bound * decided) for bound in (interval.low, interval.high))
    evenly_matched = interval.low <= 0.5 <= interval.high  # noqa: PLR2004 - even odds
    verdict = ": too few votes to tell" if evenly_matched else ""
    return f"ahead in {wins} of {_count(decided, 'vote')}, {low} to {high} likely{verdict}"


def _win_share(standing: Standing) -> float:
    decided = standing.wins + standing.losses
    return standing.wins / decided if decided else 0.0


def _duration(seconds: float) -> str:
    """Rounded up, as far as one can know it."""
    if seconds > 55:  # noqa: PLR2004 - what rounds up to a minute
        return _count(math.ceil(seconds / 60), "minute")
    return f"{max(1, math.ceil(seconds / 5)) * 5} seconds"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
