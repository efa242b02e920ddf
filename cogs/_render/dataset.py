"""A server's dataset, for those who manage the server."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.answers import shorten, utf16_length
from bot.dataset.card import headline
from bot.dataset.card.sections import why
from bot.dataset.parcel import MOST_BATTLES
from bot.wording import count
from cogs._render.layout import container, layout
from storage.records import Consent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.dataset.parcel import Parcel
    from bot.dataset.serving import Overview

MOST_REASONS = 4
PROMPT_LIMIT = 600
"""In UTF-16 units, as below."""
ANSWER_LIMIT = 400
LINE = 54
"""Characters of a line in a block of code, which not every screen breaks."""

FOR = {
    Consent.EVALUATE: "for statistics",
    Consent.TRAIN: "for training",
    Consent.PUBLISH: "for training and publishing",
}
ALLOWED = {
    Consent.PUBLISH: "publishing too",
    Consent.TRAIN: "training",
    Consent.EVALUATE: "statistics only",
    Consent.NONE: "nothing",
}
DUTY = (
    "-# Only members who agreed to this are in it, and each can leave any day. The manifest of "
    "the next export names under `gone` what you then have to delete from this one: make a new "
    "one before each use, and delete this file."
)


def overview(shown: Overview) -> ui.LayoutView:
    """All of it in one message."""
    return layout(
        container(
            ui.TextDisplay("\n".join(_counts(shown))),
            ui.Separator(),
            ui.TextDisplay("\n".join(_consent(shown))),
            *_preview(shown),
            ui.Separator(),
            ui.TextDisplay("\n".join(_what_next(shown))),
        )
    )


def handed(parcel: Parcel) -> str:
    """What stands above the file."""
    manifest = parcel.manifest
    purpose = FOR[Consent(manifest["purpose"])]
    form = f"{manifest['format']}{' chat' if manifest['chat'] else ''}"
    return (
        f"**{headline(manifest)}** {purpose}, as `{form}`. Unpack it: `README.md` tells what it "
        f"is and how to load it, `manifest.json` what was left out and why.\n{DUTY}"
    )


def _counts(shown: Overview) -> Iterator[str]:
    yield "### Dataset of this server"
    manifest = shown.manifest
    if manifest is None:
        yield f"{count(shown.battles, 'battle')}, more than {MOST_BATTLES:,} of them with votes."
        yield "That is too much to count while you wait. The operator can, on the command line."
        return
    yield f"**{headline(manifest)}** {FOR[shown.purpose]}"
    battles, voted = count(shown.battles, "battle"), manifest["battles"]
    all_voted = shown.battles == voted
    told = f"{battles} with votes" if all_voted else f"{battles} here, {voted:,} of them with votes"
    yield f"-# As a DPO export has them. {told}."
    yield from _left_out(manifest["funnel"])
    yield from _not_counted(manifest["funnel"])


def _left_out(funnel: Mapping[str, Any]) -> Iterator[str]:
    reasons = Counter(funnel["left_out"])
    if not reasons.total():
        return
    largest = [(reason, number) for reason, number in reasons.most_common(MOST_REASONS) if number]
    total = f"Left out: {count(reasons.total(), 'battle')}"
    if len(largest) == 1:
        yield f"{total}, {why('left_out', largest[0][0])}"
        return
    yield total
    for reason, number in largest:
        yield f"- {number:,} × {why('left_out', reason)}"
    if rest := reasons.total() - sum(number for _, number in largest):
        yield f"- {rest:,} × for other reasons"


def _not_counted(funnel: Mapping[str, Any]) -> Iterator[str]:
    for reason, number in funnel["votes_left_out"].items():
        if number:
            yield f"-# {count(number, 'vote')} not counted: {why('votes_left_out', reason)}"


def _consent(shown: Overview) -> Iterator[str]:
    people = shown.people
    yield f"**What members allow** ({count(sum(people.values()), 'member')} who wrote or voted)"
    yield " · ".join(f"{ALLOWED[scope]}: {people[scope]:,}" for scope in ALLOWED if people[scope])
    yield f"-# They are asked for at most: {ALLOWED[shown.cap]} (/settings)"
    switch = "on" if shown.training else "off; only the operator can turn it on"
    yield f"-# Exports for training: {switch}"


def _preview(shown: Overview) -> Iterator[ui.Item[Any]]:
    if row := shown.row:
        yield ui.Separator()
        yield ui.TextDisplay(
            "**A row, as it would leave** (long lines are broken here)\n"
            f"-# Prompt\n{_end(row['prompt'])}"
            f"-# Chosen\n{_start(row['chosen'])}-# Rejected\n{_start(row['rejected'])}"
        )


def _what_next(shown: Overview) -> Iterator[str]:
    if shown.last:
        export, battles = shown.last
        purpose = f" {FOR[export.purpose]}" if export.purpose in FOR else ""
        when = discord.utils.format_dt(export.created_at, "R")
        yield f"Last export: `{export.format}`{purpose}, {count(battles, 'battle')}, {when}"
    else:
        yield "Nothing of this server was ever exported."
    yield (
        "/export makes a file for you. The operator has more choices on the command line: "
        "`twofold export --help`."
    )


def _start(text: str) -> str:
    return _block(shorten(text.strip(), ANSWER_LIMIT))


def _end(text: str) -> str:
    """The last words of a prompt are those that were answered."""
    text = text.strip()
    while utf16_length(text) > PROMPT_LIMIT:
        text = f"…{text[utf16_length(text) - PROMPT_LIMIT + 1 :]}"
    return _block(text)


def _block(text: str) -> str:
    """Shown as it is, but for its long lines: no mention, no markup, no way out of the block."""
    lines = "\n".join(map(_broken, text.splitlines()))
    return "```\n{}\n```\n".format(lines.replace("``", "`\u200b`"))


def _broken(line: str) -> str:
    pieces = textwrap.wrap(
        line, LINE, expand_tabs=False, replace_whitespace=False, break_on_hyphens=False
    )
    return "\n".join(pieces)
