"""A report as one page of HTML that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bot.colours import KIND_COLOURS
from bot.insight.report import prose, tables
from bot.insight.report.pictures import drawn, moving

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bot.dataset.pseudonyms import Pseudonyms
    from bot.insight.report.showing import Showing
    from bot.insight.report.texts import ShownBattle, Texts
    from bot.insight.results import Estimate, Stats

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a page tells.

    `base` is the share of decided votes that base models got against others, None where none
    met another. `collection` is the name of what was imported, where it is not the bot's own.
    """

    stats: Stats
    base: Estimate | None
    texts: Texts
    showing: Showing
    pseudonyms: Pseudonyms
    at: datetime
    collection: str | None = None

    def channel(self, number: int) -> str:
        """What a channel is called."""
        return self.pseudonyms.of("channel", number)[:8]

    def guild(self, number: int) -> str:
        """What a server is called."""
        return self.pseudonyms.of("guild", number)[:8]


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the content policy that holds for it."""

    html: str
    policy: str


def page(report: Report) -> Page:
    """Make the page. The same report gives the same page."""
    style, script = _asset("page.css"), _asset("page.js")
    style = f":root {{ {_colours()} }}\n{style}"
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    battles = [_as_data(battle) for battle in report.texts.battles]
    html = (
        _environment()
        .get_template("page.html.j2")
        .render(
            policy=policy,
            # These three are ours, but for the texts in the last one, of which nothing is markup.
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            data=_data_block(battles) if battles else None,
            first=battles[: prose.STEP],
            step=prose.STEP,
            blank=_BLANK,
            options=_options(report.texts.battles),
            splits=[_as_data(battle) for battle in report.texts.named.values()],
            pictures=drawn(report.stats, report.channel),
            moving=moving(report.stats),
            tables=_tables(report),
            **prose.told(report),
        )
    )
    return Page(html, policy)


def _tables(report: Report) -> dict[str, tables.Table | None]:
    stats = report.stats
    return {
        "ranking": tables.ranking(stats.leaderboard),
        "descent": tables.descent(stats.leaderboard),
        "meetings": tables.meetings(stats.leaderboard),
        "styled": tables.styled(stats),
        "course": tables.course(stats),
        "days": tables.days(stats),
        "effects": tables.effects(stats.effects),
        "blinding": tables.blinding(stats.blinding) if stats.blinding else None,
        "channels": tables.channels(stats.channels, report.channel),
        "not_counted": tables.not_counted(stats.leaderboard),
    }


def _as_data(battle: ShownBattle) -> dict[str, Any]:
    """A battle as both the template and the script take it."""
    return {
        "id": battle.id,
        "topic": battle.topic,
        "language": battle.language,
        "outcome": f"a:{battle.ahead}" if battle.ahead else "u",
        "asked": prose.asked(battle),
        "about": prose.about(battle),
        "turns": battle.turns,
        "answers": [
            {
                "contender": answer.contender,
                "kind": answer.kind.value,
                "votes": prose.votes_for(answer),
                "text": answer.text,
            }
            for answer in battle.answers
        ],
    }


_NO_ANSWER = {"contender": "", "kind": "", "votes": "", "text": ""}
_BLANK = {
    "asked": "",
    "about": "",
    "outcome": "",
    "turns": [("", "")],
    "answers": [_NO_ANSWER, _NO_ANSWER],
}
"""What a script fills in."""


def _data_block(battles: list[dict[str, Any]]) -> Markup:
    """JSON that no text in it can end: what HTML knows is written as JSON's own escapes."""
    text = orjson.dumps(battles).decode()
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704


def _options(battles: Iterable[ShownBattle]) -> dict[str, list[tuple[str, str]]]:
    """What can be chosen of each filter."""
    topics, languages, ahead = set(), set(), set()
    contenders: dict[str, str] = {}
    undecided = False
    for battle in battles:
        topics.add(battle.topic)
        languages.add(battle.language)
        contenders |= {answer.contender: answer.kind.value for answer in battle.answers}
        ahead.add(battle.ahead)
        undecided = undecided or battle.ahead is None
    return {
        "topic": [(name, name) for name in sorted(filter(None, topics))],
        "language": [(name, name) for name in sorted(filter(None, languages))],
        "contender": [(slug, f"{slug} ({kind})") for slug, kind in sorted(contenders.items())],
        "ahead": [(f"a:{slug}", f"{slug} ahead") for slug in sorted(filter(None, ahead))]
        + ([("u", "undecided")] if undecided else []),
    }


def _colours() -> str:
    return " ".join(f"--{kind.value}: #{colour:06x};" for kind, colour in KIND_COLOURS.items())


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _asset(name: str) -> str:
    return (resources.files("bot.insight.report") / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bot.insight.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
