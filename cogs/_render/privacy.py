"""What a member is told of what is kept, and chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.mydata import in_words
from bot.wording import count
from cogs import _choices
from cogs._render.layout import layout
from storage.records import Consent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bot.consent import ConsentText, Position
    from storage.erasure import Erasure
    from storage.members import Given

KEPT_FOR = {
    Consent.NONE: "only to run",
    Consent.EVALUATE: "for statistics",
    Consent.TRAIN: "for statistics and training",
    Consent.PUBLISH: "for statistics, training and publishing",
}

PROMPT_DELETED = "The message that was answered here was deleted, and both answers with it."
EVERY_SERVER = "holds for every server too, unless you say something else there."
KEPT_IF = (
    "A battle is kept longer only if everyone whose words are in it agreed; otherwise its texts "
    "are wiped after"
)
NOTHING_TO_CHOOSE = "This server keeps nothing longer, so there is nothing to choose."
NOTHING_STORED = "Nothing is stored about you."
SURE = "This deletes for good, in all servers. Your words on what may be kept go as well."


def first_contact(position: Position, text: ConsentText, *, hours: int) -> ui.LayoutView:
    """Asked once, in three lines."""
    version = position.latest
    scopes = (_choices.scope(_choices.FIRST, scope, version=version) for scope in position.offered)
    lines = [text.summary.strip().format(hours=_hours(hours).capitalize())]
    if position.guild_id is None:
        lines.append(f"-# What you choose here {EVERY_SERVER}")
    return layout(
        ui.TextDisplay("\n".join(lines)),
        ui.ActionRow(*scopes, _choices.more(version)),
    )


def thanks(position: Position, *, hours: int, tuned: Sequence[str] = ()) -> ui.LayoutView:
    """What a first answer comes to."""
    line = f"Noted: your messages and votes are kept {KEPT_FOR[position.consent]}."
    if position.consent is Consent.NONE:
        line = f"Noted: nothing of yours is kept for longer than {_hours(hours)}."
    small = f"It {EVERY_SERVER} " if position.guild_id is None else ""
    lines = [line, *_learnt(tuned), f"-# {small}`/privacy` changes it at any time."]
    return layout(ui.TextDisplay("\n".join(lines)))


def panel(
    position: Position, *, hours: int, link: str | None, done: str | None = None
) -> ui.LayoutView:
    """What holds for a member, and how to change it."""
    lines = [
        *([done] if done else []),
        f"**Kept of you {_here(position)}: {KEPT_FOR[position.consent]}.**",
        f"{KEPT_IF} {_hours(hours)}.",
        *_words(position),
    ]
    if position.cap is Consent.NONE:
        lines.append(NOTHING_TO_CHOOSE)
    elif position.guild_id is not None and position.cap is not Consent.PUBLISH:
        lines.append(f"-# This server asks for no more than: {KEPT_FOR[position.cap]}.")
    items: list[ui.Item[Any]] = [ui.TextDisplay("\n".join(lines))]
    if position.cap is not Consent.NONE:
        everywhere = position.everywhere.consent if position.everywhere else Consent.NONE
        if position.guild_id is not None:
            items += _choice("In this server", _choices.HERE, position, position.consent)
        items += _choice("Everywhere", _choices.EVERYWHERE, position, everywhere)
    ways_on: list[ui.Item[Any]] = [_choices.more(position.latest)]
    if link is not None:
        ways_on.append(ui.Button(label="This server's own text", url=link))
    return layout(*items, ui.ActionRow(*ways_on))


def stored(position: Position, place: str, scope: Consent, given: Given) -> str:
    """That a choice was stored, for where, and what it did besides."""
    everywhere = place == _choices.EVERYWHERE
    where = "for everywhere" if everywhere else f"for {_here(position).removeprefix('in ')}"
    others = ", and for every server where you had allowed more" if given.lowered else ""
    return "\n".join((f"Stored {where}{others}: {KEPT_FOR[scope]}.", *_learnt(given.tuned)))


def whole_text(
    text: ConsentText, *, version: int, hours: int, hosts: Sequence[str]
) -> ui.LayoutView:
    """All that a consent means."""
    parts = [text.text.strip().format(hours=_hours(hours).capitalize())]
    if hosts:
        parts.append(text.providers.strip().format(hosts=", ".join(hosts)))
    return layout(ui.TextDisplay("\n".join((*parts, f"-# Version {version} of this text."))))


def shown(
    *, here: Mapping[str, int], everywhere: Mapping[str, int], in_guild: bool
) -> ui.LayoutView:
    """What there is about a member, in words."""
    lines = list(in_words(everywhere))
    if not lines:
        return layout(ui.TextDisplay(NOTHING_STORED))
    text = ["**Stored about you**", *lines]
    if in_guild:
        text.append(f"-# Of this, in this server: {', '.join(in_words(here)) or 'nothing'}.")
    text.append("-# `/mydata export` gives you all of it, `/mydata delete` erases it.")
    return layout(ui.TextDisplay("\n".join(text)))


def sure(everywhere: Mapping[str, int]) -> ui.LayoutView:
    """Asks before anything is erased."""
    lines = list(in_words(everywhere))
    if not lines:
        return layout(ui.TextDisplay(NOTHING_STORED))
    text = "\n".join(("**Stored about you**", *lines, SURE))
    return layout(ui.TextDisplay(text), ui.ActionRow(_choices.erase()))


def erased(erasure: Erasure) -> ui.LayoutView:
    """What was erased."""
    lines = ["**Deleted**", *in_words(erasure.rows)]
    if len(lines) == 1:
        return layout(ui.TextDisplay(NOTHING_STORED))
    if erasure.wiped:
        lines.append(f"{count(erasure.wiped, 'battle')} that had your words say nothing any more")
    if erasure.exports:
        lines.append(
            "-# Datasets that were written before have rows of yours. Ask the operator to write "
            "them again."
        )
    lines += _learnt(erasure.tuned)
    if not erasure.overwritten:
        lines.append(
            "-# The file is being read, so traces in it are overwritten some minutes later."
        )
    lines.append("-# What I posted on Discord stays there until it is deleted there.")
    return layout(ui.TextDisplay("\n".join(lines)))


def _learnt(tuned: Sequence[str]) -> Iterator[str]:
    if tuned:
        names = ", ".join(map(discord.utils.escape_markdown, tuned))
        yield (
            f"-# Tuned models learnt from you before and cannot forget: {names}. Ask the operator "
            "to take them away."
        )


def _choice(title: str, place: str, position: Position, chosen: Consent) -> Iterator[ui.Item[Any]]:
    yield ui.TextDisplay(f"**{title}**")
    yield ui.ActionRow(
        *(
            _choices.scope(place, scope, version=position.latest, chosen=scope is chosen)
            for scope in position.offered
        )
    )


def _words(position: Position) -> Iterator[str]:
    said = (("for this server", position.here), ("for everywhere", position.everywhere))
    for where, word in said:
        if word is None:
            continue
        day = discord.utils.format_dt(word.at, "d")
        newer = "" if word.version == position.latest else ", which is not the latest"
        yield (
            f"You said {where}: {KEPT_FOR[word.consent]} ({day}, version {word.version} of the "
            f"text{newer})."
        )
    if position.counts is None:
        yield "You have not chosen yet."


def _here(position: Position) -> str:
    return "in direct messages" if position.guild_id is None else "in this server"


def _hours(hours: int) -> str:
    whole_days, rest = divmod(hours, 24)
    return count(hours, "hour") if rest or whole_days == 1 else count(whole_days, "day")
