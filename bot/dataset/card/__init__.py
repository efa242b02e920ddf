"""The dataset card: README.md of a dataset folder, made of its manifest alone.

It has no time and no name of a machine in it, so the same manifest gives the same bytes.
What comes from a roster, a server or an option is text in it and never markup.
"""

from __future__ import annotations

import re
from importlib import resources
from string import Template
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bot.dataset import layout, trainers
from bot.dataset.card import sections
from bot.dataset.card.command import command
from bot.dataset.card.markdown import fence, line, plain, table
from bot.dataset.card.metadata import metadata
from bot.dataset.card.sections import prose
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bot.dataset.formats import Spec

PUBLISHED = "cc-by-4.0"
"""What members were told that votes and prompts are published under."""

_PAIRS = ("dpo", "reward", "openai")


def write(
    manifest: Mapping[str, Any],
    *,
    title: str | None = None,
    repo: str | None = None,
    licence: str | None = None,
    languages: Sequence[str] = (),
    contact: str | None = None,
    pictures: Collection[str] = (),
    columns: Mapping[str, Mapping[str, Spec]] = MappingProxyType({}),
) -> str:
    """The whole text of README.md.

    `repo` is OWNER/NAME where it will be found, `languages` are codes such as `en`, `contact`
    is whom to write to, `pictures` are those paths of PICTURES that lie in the folder, `columns`
    are those of the format's tables. Without `licence`, votes and prompts are under PUBLISHED
    where members agreed to publishing, and what is imported under its own. Raises ConfigError
    for a language that is none.
    """
    heading = line(title or (repo or "").rpartition("/")[2] or _title(manifest))
    licence = line(licence or _licence(manifest))
    text = (resources.files(__package__) / "card.md").read_text("utf-8")
    filled = Template(text).substitute(
        metadata=metadata(
            manifest, title=heading, licence=licence, languages=languages, columns=columns
        ),
        title=plain(heading),
        summary=_summary(manifest),
        purpose=_purpose(manifest),
        load=_load(manifest, repo),
        trainer=_trainer(manifest),
        splits=_splits(manifest),
        columns=sections.columns(manifest),
        collected=sections.collected(manifest, pictures),
        consent=sections.consent(manifest),
        headline=headline(manifest),
        funnel=sections.funnel(manifest),
        choices=sections.choices(manifest),
        contenders=sections.contenders(manifest),
        leanings=sections.leanings(manifest),
        limits=sections.limits(manifest),
        licence=_licensed(manifest, licence),
        not_for=_not_for(manifest),
        deletion=_deletion(manifest, contact),
        citation=_citation(manifest, heading, repo),
        again=_again(manifest),
    )
    return re.sub(r"\n{3,}", "\n\n", filled)


def headline(manifest: Mapping[str, Any]) -> str:
    """How much came of how much: `1,204 votes → 811 pairs`; of a delta only what it has."""
    one = "pair" if manifest["format"] in _PAIRS else "row"
    rows = count(manifest["rows"], one)
    if manifest["since"]:
        return f"{rows}, new or changed"
    return f"{count(manifest['votes'], 'vote')} → {rows}"


def pictures() -> dict[str, bytes]:
    """The pictures of the interface, by their path in a dataset folder.

    They are in `docs`, of which a wheel has a copy beside this module; none where neither is.
    """
    found = {}
    package = resources.files("bot")
    for path in sections.PICTURES:
        for place in (package / "dataset" / "card" / path, package / ".." / "docs" / path):
            if place.is_file():
                found[path] = place.read_bytes()
                break
    return found


def _title(manifest: Mapping[str, Any]) -> str:
    return f"Twofold: {manifest['format']} of {manifest['dataset'][:8]}"


def _imported(manifest: Mapping[str, Any]) -> bool:
    return bool(manifest["source"]["kind"] == "imported")


def _simulated(manifest: Mapping[str, Any]) -> bool:
    return bool(manifest["source"]["kind"] == "simulated")


def _licence(manifest: Mapping[str, Any]) -> str:
    if _imported(manifest):
        return str(manifest["source"]["licence"])
    if _simulated(manifest):
        return PUBLISHED
    return PUBLISHED if manifest["purpose"] == "publish" else "not for passing on"


def _summary(manifest: Mapping[str, Any]) -> str:
    whose = "others collected" if _imported(manifest) else "members of Discord servers gave"
    if _simulated(manifest):
        whose = "a simulated community gave, of which nobody exists,"
    form = sections.words()["formats"][manifest["format"]]
    told = (
        f"Preferences that {whose}, between two answers of language models to the same message. "
        f"{form}"
    )
    rows, votes, battles = (
        count(manifest[what], what.removesuffix("s")) for what in ("rows", "votes", "battles")
    )
    if (since := manifest["since"]) is None:
        return f"{told} {rows} came of {votes} on {battles}."
    return (
        f"{told}\n\n**A delta: {rows}, only what changed** since the export "
        f"{plain(since['dataset'])}. Battles with rows: {since['added']:,} new, "
        f"{since['changed']:,} changed, {since['gone']:,} gone. Take the rows that "
        f"`{layout.TOMBSTONES}` names out of the earlier export, then add these. What is told "
        f"below of votes and contenders is about the whole, {votes} on {battles}."
    )


def _purpose(manifest: Mapping[str, Any]) -> str:
    if _simulated(manifest):
        return str(sections.words()["purposes"]["simulated"])
    imported = _imported(manifest) and manifest["purpose"] != "evaluate"
    return str(sections.words()["purposes"]["imported" if imported else manifest["purpose"]])


def _load(manifest: Mapping[str, Any], repo: str | None) -> str:
    tables = layout.tables(manifest)
    if not tables:
        return "No row is new." if manifest["since"] else "There are no rows yet."
    place = line(repo) if repo else "path/to/this/folder"
    named = [table for table in tables if table]
    calls = [f'{table} = load_dataset("{place}", "{table}")' for table in named]
    code = [
        "from datasets import load_dataset",
        "",
        *(calls or [f'data = load_dataset("{place}")']),
    ]
    text = fence("\n".join(code), "python")
    packed = any(path.endswith(".zst") for splits in tables.values() for path in splits.values())
    return f"{text}\n\n{prose('zst')}" if packed else text


def _trainer(manifest: Mapping[str, Any]) -> str:
    told = sections.words()["trainers"].get(manifest["format"])
    if told is None or manifest["purpose"] == "evaluate":
        return ""
    beside = [prose(name) for name in trainers.files(manifest)]
    text = " ".join((told, prose("chat" if manifest["chat"] else "text"), *beside))
    given = manifest["format"] == "dpo" and manifest["policy"].get("logprobs")
    return f"{text}\n\n{prose('logprobs')}" if given else text


def _splits(manifest: Mapping[str, Any]) -> str:
    files = manifest["files"]
    rows = [
        (f"`{path}`", f"{files[path]['rows']:,}")
        for splits in layout.tables(manifest).values()
        for path in splits.values()
    ]
    if not rows:
        return ""
    told = table(("file", "rows"), rows, numbers=1)
    if len(rows) == 1 or len(layout.tables(manifest)) > 1:
        return told
    return f"{told}\n\n{prose('splits')}"


def _licensed(manifest: Mapping[str, Any], licence: str) -> str:
    models = sorted({sections.model(c) for c in manifest["contenders"]})
    named = f": {', '.join(map(plain, models))}" if models else ""
    return (
        f"Votes and prompts: {plain(licence)}. Answers follow the terms of the models that wrote "
        f"them{named}."
    )


def _not_for(manifest: Mapping[str, Any]) -> str:
    return "- Training models." if manifest["purpose"] == "evaluate" else ""


def _deletion(manifest: Mapping[str, Any], contact: str | None) -> str:
    told = []
    if not _imported(manifest) and not _simulated(manifest):
        told.append(prose("deletion"))
    whom = plain(contact) if contact else "whoever passed this dataset on to you"
    return " ".join((*told, f"For everything else, write to {whom}."))


def _citation(manifest: Mapping[str, Any], heading: str, repo: str | None) -> str:
    identity, until = manifest["dataset"], manifest["window"].get("to")
    fields = {
        "title": _bare(heading),
        "howpublished": _bare(repo or ""),
        "year": str(until or "")[:4],
        "version": identity[:16],
        "note": f"Dataset {identity}, written by Twofold {manifest['twofold']}",
    }
    body = ",\n".join(f"  {key} = {{{value}}}" for key, value in fields.items() if value)
    return fence(f"@misc{{twofold-{identity[:8]},\n{body}\n}}", "bibtex")


def _bare(text: str) -> str:
    """The text without what BibTeX reads as more than text."""
    return "".join(c for c in line(text) if c not in '{}\\%#&$~^_"@')


def _again(manifest: Mapping[str, Any]) -> str:
    written = f"Written by Twofold {plain(manifest['twofold'])}."
    return f"{fence(command(manifest), 'sh')}\n\n{written} {prose('again')}"
