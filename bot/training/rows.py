"""The rows of a dataset folder that `twofold export` wrote, as a training takes them."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ValidationError

from bot.answers import CUT_SHORT, TRUNCATED
from bot.dataset import layout, manifest
from bot.errors import ConfigError
from bot.training.recipe import Method

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bot.prompting import Frame

TRAIN, VALIDATION, TEST = layout.SPLITS

TAKES = {
    Method.DPO: ("dpo", "reward"),
    Method.ORPO: ("dpo", "reward"),
    Method.KTO: ("kto", "dpo", "reward"),
    Method.SFT: ("dpo", "reward", "sft"),
}
"""Which formats of an export each method learns from, the best one first."""


class _File(BaseModel):
    sha256: str


class _Source(BaseModel):
    kind: str


class _Manifest(BaseModel):
    """What of a manifest a training needs, the adapter's record and card included."""

    format: str
    purpose: str
    policy: dict[str, Any]
    source: _Source
    dataset: str
    files: dict[str, _File]


@dataclass(frozen=True, slots=True)
class Text:
    """What follows a prompt. `ended` is false where it only ran out of length: no end is learnt."""

    text: str
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt with a liked answer, a disliked one, or both: then it is a pair."""

    prompt: str
    liked: Text | None
    disliked: Text | None

    @property
    def is_pair(self) -> bool:
        """Whether one answer was preferred to another."""
        return self.liked is not None and self.disliked is not None

    @property
    def texts(self) -> tuple[Text, ...]:
        """The answers that there are."""
        return tuple(filter(None, (self.liked, self.disliked)))


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset folder with its manifest; `splits` are its rows by split."""

    folder: Path
    manifest: Mapping[str, Any]
    manifest_sha256: str
    splits: Mapping[str, tuple[Row, ...]]

    @property
    def identity(self) -> str:
        """Twelve hex digits that stand for the rows, whatever else the manifest tells."""
        files = {path: told["sha256"] for path, told in self.manifest["files"].items()}
        return hashlib.sha256(orjson.dumps(files, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def pairs(self, *splits: str) -> int:
        """How many rows of these splits are pairs."""
        return sum(row.is_pair for split in splits for row in self.splits.get(split, ()))


def read(folder: Path, method: Method) -> Dataset:
    """Read a folder for a method. Raises ConfigError where it is not one to train on."""
    told = manifest.read(folder / layout.MANIFEST)
    _require_whole(told, folder)
    _require_fit(told, folder, method)
    splits = {}
    for split, path in layout.tables(told).get(layout.ONE_TABLE, {}).items():
        rows = _lines(folder / path, expected=told["files"][path]["sha256"])
        try:
            splits[split] = tuple(_pairs(rows, told["format"]))
        except (KeyError, TypeError, ValueError):
            raise ConfigError(
                f"{folder / path} has rows that {told['format']} of an export does not have. "
                "Export it again."
            ) from None
    digest = hashlib.sha256((folder / layout.MANIFEST).read_bytes()).hexdigest()
    return Dataset(folder, told, digest, splits)


def require_template(dataset: Dataset, name: str, frame: Frame) -> None:
    """Raise ConfigError where prompts are not written in the template that will be served.

    A manifest tells a template only where all rows were rendered with one, so the prompts
    themselves are looked at.
    """
    shape = _shape(frame)
    prompts = [row.prompt for rows in dataset.splits.values() for row in rows]
    others = sum(shape.fullmatch(prompt) is None for prompt in prompts)
    if others:
        raise ConfigError(
            f"{others:,} of {len(prompts):,} prompts in {dataset.folder} are not written in the "
            f"template {name}, in which the tuned model would be asked. Export with --template "
            f"{name} (only such battles) or --render-with {name} (all, written anew), or name the "
            "template of the rows with --template."
        )


def _require_whole(told: Mapping[str, Any], folder: Path) -> None:
    try:
        _Manifest.model_validate(told)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ConfigError(
            f"{folder / layout.MANIFEST} does not tell {where} as an export does. Export it again."
        ) from None


def _require_fit(told: Mapping[str, Any], folder: Path, method: Method) -> None:
    if told.get("chat"):
        raise ConfigError(
            f"{folder} holds chats, and a base model is trained on the text that it is given in "
            "the arena. Export without --chat."
        )
    if told.get("format") not in TAKES[method]:
        raise ConfigError(
            f"{folder} has the format {told.get('format')}, which {method} cannot learn from. "
            f"Export with --format {' or '.join(TAKES[method])}."
        )
    if told.get("purpose") not in {"train", "publish"}:
        raise ConfigError(
            f"{folder} was exported for `{told.get('purpose')}`, so its people have not agreed to "
            "training. Export with --purpose train."
        )
    if told.get("since"):
        raise ConfigError(f"{folder} is a delta. Export the whole, without --since.")


def _lines(path: Path, *, expected: str) -> Iterator[dict[str, Any]]:
    """The rows of a file that is as its manifest says. Raises ConfigError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    if hashlib.sha256(raw).hexdigest() != expected:
        raise ConfigError(f"{path} is not as its manifest says. Export it again.")
    if path.name.endswith(".parquet"):
        from pyarrow import parquet  # noqa: PLC0415 - it takes a while to load

        yield from parquet.read_table(path).to_pylist()
        return
    if path.name.endswith(".zst"):
        import pyarrow as pa  # noqa: PLC0415

        raw = pa.input_stream(pa.BufferReader(raw), compression="zstd").read()
    elif path.name.endswith(".gz"):
        raw = gzip.decompress(raw)
    yield from map(orjson.loads, raw.splitlines())


def _pairs(rows: Iterator[dict[str, Any]], form: str) -> Iterator[Row]:
    """Rows as pairs; those of KTO that belong to one battle are put together again."""
    if form == "sft":
        yield from (Row(r["prompt"], _text(r, "completion", "tags"), None) for r in rows)
        return
    if form != "kto":
        for r in rows:
            liked = _text(r, "chosen", "chosen_tags")
            yield Row(r["prompt"], liked, _text(r, "rejected", "rejected_tags"))
        return
    waiting: dict[tuple[str, str], tuple[bool, Text]] = {}
    for r in rows:
        text, key = _text(r, "completion", "tags"), (r["battle"], r["prompt"])
        label, other = bool(r["label"]), waiting.pop(key, None)
        if other is not None and other[0] is not label:
            yield Row(key[1], *((text, other[1]) if label else (other[1], text)))
            continue
        if other is not None:
            yield _single(key[1], *other)
        waiting[key] = (label, text)
    for key, (label, text) in waiting.items():
        yield _single(key[1], label, text)


def _single(prompt: str, label: bool, text: Text) -> Row:  # noqa: FBT001 - as the column is named
    return Row(prompt, text, None) if label else Row(prompt, None, text)


def _text(row: Mapping[str, Any], column: str, tags: str) -> Text:
    return Text(row[column], not {CUT_SHORT, TRUNCATED} & set(row.get(tags) or ()))


def _shape(frame: Frame) -> re.Pattern[str]:
    """What every prompt in a template looks like: its preamble, any turns, its cue."""
    if frame.verbatim:
        return re.compile(r"(?s).*")
    preamble = frame.preamble.strip("\n")
    head = f"{re.escape(preamble)}\n" if preamble else ""
    cue = r"[^\n]+".join(map(re.escape, frame.cue.split("{name}")))
    return re.compile(rf"(?s){head}(?:.*\n)?{cue}")
