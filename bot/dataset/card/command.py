"""The command line that makes an export again, from its manifest."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from bot.dataset.card.markdown import line
from bot.dataset.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OPTIONS = {
    "votes": "--votes",
    "deciding": "--decide",
    "min_votes": "--min-votes",
    "min_agreement": "--min-agreement",
    "purposes": "--include",
    "since": "--after",
    "until": "--before",
    "guilds": "--guild",
    "contenders": "--contender",
    "templates": "--template",
    "without_tags": "--without-tag",
    "chosen_kinds": "--only-from",
    "length_ratio": "--length-ratio",
    "text": "--text",
    "ties": "--ties",
    "both_bad": "--both-bad",
    "edits": "--edits",
    "render_with": "--render-with",
    "new_to": "--new-to",
    "columns": "--columns",
    "logprobs": "--logprobs",
    "validation": "--validation",
    "test": "--test",
    "seed": "--seed",
}
"""The option of each choice that takes a value."""

FLAGS = {
    ("author_votes", False): "--no-author-votes",
    ("cut", True): "--keep-cut",
    ("continued", True): "--keep-continued",
    ("simulated", True): "--simulated",
}


def command(manifest: Mapping[str, Any]) -> str:
    """`twofold export` with every option that is not as it is by default.

    `…` stands for what a manifest does not tell: ids of servers.
    """
    return " ".join(("twofold", "export", *_basics(manifest), *_chosen(manifest), "--out FOLDER"))


def _basics(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield f"--format {manifest['format']} --purpose {manifest['purpose']}"
    if manifest["chat"]:
        yield "--chat"
    if manifest["source"]["kind"] == "imported":
        yield f"--from {_quoted(manifest['source']['name'])}"
    if not manifest["linkable"]:
        yield "--unlinkable"
    suffixes = {suffix for name in manifest["files"] for suffix in name.split(".")[1:]}
    if "parquet" in suffixes:
        yield "--as parquet"
    for packing in sorted(suffixes & {"gz", "zst"}):
        yield f"--compress {packing}"


def _chosen(manifest: Mapping[str, Any]) -> Iterator[str]:
    usual = Policy().model_dump(mode="json")
    for name, value in manifest["policy"].items():
        if value == usual.get(name):
            continue
        if flag := FLAGS.get((name, value) if isinstance(value, bool) else ("", False)):
            yield flag
        elif name == "guilds":
            yield f"{OPTIONS[name]} …"
        elif option := OPTIONS.get(name):
            for one in value if isinstance(value, list) else [value]:
                yield f"{option} {_quoted(one)}"


def _quoted(value: object) -> str:
    return shlex.quote(line(str(value)))
