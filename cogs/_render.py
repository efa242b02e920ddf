"""Records become messages. All wording that Discord shows lives here.

Nothing here tells the sides apart before the vote: both get the same container,
in the same colour, with the same room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import ui

from bot.answers import shorten
from bot.ranking import wilson
from cogs._views import VoteButton
from storage.records import Choice, Kind, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.guilds import GuildSettings
    from bot.voting import Cast
    from storage.records import Answer, Battle, Standing, Turn

NEUTRAL = discord.Colour(0x5865F2)
KIND_NAMES = {Kind.BASE: "base model", Kind.INSTRUCT: "instruct model", Kind.TUNED: "tuned model"}
CHOSEN = {
    Choice.A: "You chose **A**.",
    Choice.B: "You chose **B**.",
    Choice.TIE: "You called it a **tie**.",
    Choice.BOTH_BAD: "You found **both bad**.",
}
ASKED_LIMIT = 200


def ballot(battle: Battle, *, asked: Turn | None = None) -> ui.LayoutView:
    """Both answers, blind, and the buttons under them.

    `asked` is the prompt where no message in the channel shows it.
    """
    view = ui.LayoutView(timeout=None)
    if asked is not None:
        author = discord.utils.escape_markdown(asked.name)
        quote = discord.utils.escape_markdown(" ".join(shorten(asked.text, ASKED_LIMIT).split()))
        view.add_item(ui.TextDisplay(f"-# {author} asked: {quote}"))
    for side in Side:
        view.add_item(_side(side, battle.answer(side)))
    view.add_item(
        ui.ActionRow(*(VoteButton(battle_id=battle.id, choice=choice) for choice in Choice))
    )
    view.add_item(
        ui.TextDisplay(
            f"-# Two language models answered, sides by coin. Vote to see which is which."
            f" · #{battle.id}"
        )
    )
    return view


def reveal(cast: Cast) -> ui.LayoutView:
    """For the voter alone: what was stored, and who was who."""
    lines = [CHOSEN[cast.choice] + (" Your earlier vote is replaced." if cast.changed else ""), ""]
    lines += [_who(side, cast.battle.answer(side)) for side in Side]
    lines.append(f"-# Your vote is stored. Press another button to change it. · #{cast.battle.id}")
    return message("\n".join(lines))


def message(text: str) -> ui.LayoutView:
    """Plain words as a Components V2 message."""
    return ui.LayoutView(timeout=None).add_item(ui.TextDisplay(text))


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


def settings(current: GuildSettings, *, default_template: str) -> str:
    """The effective settings and where each comes from."""
    channels = " ".join(f"<#{channel}>" for channel in current.channels) or "none"
    source = "set here" if current.template else "the default"
    return "\n".join(
        (
            "**Settings of this server**",
            f"Channels where every message is answered: {channels}",
            f"Prompt template: `{current.template or default_template}` ({source})",
            "-# Everywhere else I answer when I am mentioned or replied to.",
            "-# Change them with `/settings channel` and `/settings template`.",
        )
    )


def about(version: str) -> str:
    """What this is, for a member."""
    return f"""\
**Twofold** answers every message twice, with two different language models.
One of them was only taught to continue text, the other to be an assistant. They appear as A \
and B, sides by coin: vote for the better one, then you are told which was which.
Messages that start with `//` are not answered.
Prompts, answers and votes are stored on the operator's machine and may be exported as a dataset.
-# Twofold {version} · Apache-2.0"""


def _side(side: Side, answer: Answer) -> ui.Container[ui.LayoutView]:
    return ui.Container(
        ui.TextDisplay(f"**{side.value.upper()}**"),
        ui.TextDisplay(answer.shown),
        accent_colour=NEUTRAL,
    )


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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
