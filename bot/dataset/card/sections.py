"""The parts of a card that say how this dataset came about, from its manifest."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from bot.consent import FOLDER, ConsentText
from bot.dataset.card.command import FLAGS, OPTIONS
from bot.dataset.card.markdown import plain, quote, table
from bot.dataset.formats.choices import MEANINGLESS, UNDECIDED
from bot.dataset.funnel import plainly
from bot.packaged import packaged
from bot.ranking import wilson
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PICTURES = {
    "pictures/ballot.png": "A battle: two answers, and the buttons for the vote",
    "pictures/reveal.png": "What a voter sees after the vote: which answer was whose",
}
"""Where pictures of the interface lie in a dataset folder, and what is on them."""

_NAMES = OPTIONS | {name: flag.replace("--no-", "--") for (name, _), flag in FLAGS.items()}


@cache
def words() -> dict[str, dict[str, Any]]:
    """What cards say of reasons, formats and columns."""
    return tomllib.loads((resources.files(__package__) / "words.toml").read_text("utf-8"))


def prose(name: str) -> str:
    """A paragraph that is the same in every card that has it."""
    return str(words()["prose"][name])


def why(kind: str, reason: str) -> str:
    """Tell a reason of a funnel in words; `kind` is what it took, as the manifest has it."""
    return str(words()[kind].get(reason) or plainly(reason))


def columns(manifest: Mapping[str, Any]) -> str:
    """The columns of the format, and those of the groups that were asked for."""
    form = manifest["format"]
    known: dict[str, Any] = words()["columns"][form]
    if form in {"arena", "raw"}:
        return "\n\n".join(_columns(f"column of `{name}`", of) for name, of in known.items())
    known = dict(known)
    if form != "openai":
        known["battle"] = "the battle it comes from, as a hash"
        for group in manifest["policy"].get("columns", ()):
            for column, what in words()["groups"].get(group, {}).items():
                known.setdefault(column, what)
        if manifest["policy"].get("logprobs"):
            known |= words()["logprobs"]
    return _columns("column", known)


def _columns(head: str, known: Mapping[str, str]) -> str:
    return table((head, "what it is"), [(f"`{name}`", what) for name, what in known.items()])


def collected(manifest: Mapping[str, Any], pictures: Collection[str]) -> str:
    """How votes came about; `pictures` are paths in the folder."""
    source, window = manifest["source"], manifest["window"]
    days = f"It is from {window['from']} to {window['to']}." if window.get("from") else ""
    if source["kind"] == "imported":
        return " ".join(
            (
                "Others collected it, not Twofold, which has read it from",
                f"{count(len(source['files']), 'file')} as {plain(source['name'])}.",
                "How its votes came about is told by those who published it.",
                days,
            )
        ).strip()
    if source["kind"] == "simulated":
        return " ".join((prose("collected_simulated"), days)).strip()
    shown = [f"![{what}]({path})" for path, what in PICTURES.items() if path in pictures]
    return "\n\n".join(filter(None, (prose("collected"), "\n".join(shown), days)))


def consent(manifest: Mapping[str, Any]) -> str:
    """What members agreed to, in the words that they were shown."""
    source = manifest["source"]
    if source["kind"] == "imported":
        return (
            f"Twofold has asked nobody. It was published under {plain(source['licence'])}, "
            "which is what its use rests on."
        )
    if source["kind"] == "simulated":
        return prose("consented_simulated")
    scope, versions = manifest["consent"]["scope"], manifest["consent"]["versions"]
    said = words()["scopes"].get(scope, plainly(scope))
    parts = [f"Everybody whose words or votes are in it has agreed {said}. {prose('consented')}"]
    texts = packaged(FOLDER, ConsentText)
    for version in map(str, versions):
        if text := texts.get(version):
            whole = "\n".join((f"**Version {version}**", text.summary, text.text, text.providers))
            parts.append(quote(whole.format(hours="[retention window]", hosts="[hosts]")))
    return "\n\n".join(parts)


def funnel(manifest: Mapping[str, Any]) -> str:
    """A row for each reason that took something."""
    rows = [
        (plain(why(kind, reason)), f"{number:,} {unit}")
        for kind, unit in (("votes_left_out", "votes"), ("left_out", "battles"))
        for reason, number in manifest["funnel"][kind].items()
        if number
    ]
    return table(("why not", "left out"), rows, numbers=1) if rows else "Nothing was left out."


def model(contender: Mapping[str, Any]) -> str:
    """What a contender runs on."""
    return str(contender["model"] or contender["contender"])


def choices(manifest: Mapping[str, Any]) -> str:
    """The policy by its options, as far as the format has it; of servers only how many."""
    chosen = {
        name: value
        for name, value in manifest["policy"].items()
        if value not in (None, [], "") and _matters(name, value, manifest)
    }
    if "guilds" in chosen:
        chosen["guilds"] = count(len(chosen["guilds"]), "server")
    rows = [(f"`{_NAMES[name]}`", _value(value)) for name, value in chosen.items()]
    return table(("option", "value"), rows) if rows else "Nothing."


def _matters(name: str, value: object, manifest: Mapping[str, Any]) -> bool:
    """Whether rows of this format depend on the choice."""
    form = manifest["format"]
    if name in MEANINGLESS.get(form, ()):
        return False
    if name in {"ties", "both_bad"}:
        return value in UNDECIDED[form]
    if name == "simulated":
        return bool(value)
    return name != "render_with" or not manifest["chat"]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(plain(str(item)) for item in (value if isinstance(value, list) else [value]))


def contenders(manifest: Mapping[str, Any]) -> str:
    """Who answered, how often preferred."""
    rows = [
        (
            *(plain(str(c[key] or "")) for key in ("contender", "kind")),
            plain(model(c)),
            plain(str(c["template"] or "")),
            plain(str(c["fingerprint"] or "")[:12]),
            *(f"{c[key]:,}" for key in ("chosen", "rejected")),
        )
        for c in manifest["contenders"]
    ]
    head = ("contender", "kind", "model", "template", "fingerprint", "chosen", "rejected")
    return table(head, rows, numbers=2) if rows else "Which ones they are stands in the rows."


def leanings(manifest: Mapping[str, Any]) -> str:
    """Which way the votes lean, with intervals."""
    balance = manifest["balance"]
    pairs = balance["pairs"]
    unequal = balance["chosen_longer"] + balance["rejected_longer"]
    measured = (
        ("is the longer one", "chosen_longer", unequal),
        ("stood on side A", "chosen_on_a", pairs),
        ("is by a base model", "chosen_base", pairs),
    )
    rows = [_share(what, balance[key], among) for what, key, among in measured if among]
    if not rows:
        return "There is too little to measure."
    marked = (percent(balance[f"{side}_marked_up"] / pairs) for side in ("chosen", "rejected"))
    long = (f"{balance[f'{side}_characters']:,.0f}" for side in ("chosen", "rejected"))
    return "\n\n".join(
        (
            table(("the chosen answer …", "share", "95 %", "of"), rows, numbers=3),
            "{} of the chosen answers have Markdown, and {} of the others.".format(*marked)
            + " On average they have {} and {} characters.".format(*long),
            prose("even"),
        )
    )


def _share(what: str, number: int, among: int) -> tuple[str, str, str, str]:
    interval = wilson(number, among)
    ends = f"{percent(interval.low)} to {percent(interval.high)}"
    return what, percent(interval.share), ends, f"{among:,}"


def percent(share: float) -> str:
    """`67 %`."""
    return f"{100 * share:.0f} %"


def limits(manifest: Mapping[str, Any]) -> str:
    """What is known not to be in order with it."""
    kind = manifest["source"]["kind"]
    return "\n".join(
        (
            prose("limits" if kind == "live" else f"limits_{kind}"),
            prose("linkable" if manifest["linkable"] else "unlinkable"),
        )
    )
