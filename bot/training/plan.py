"""What a training would be: rows, tokens, memory; and whether it means anything and fits."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from tokenizers import Tokenizer

from bot.errors import ConfigError, NoRoom
from bot.training.recipe import Method
from bot.training.rows import TEST, TRAIN, VALIDATION
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.training.recipe import Recipe
    from bot.training.rows import Dataset, Row

FEWEST = 50
"""Decided pairs below which an adapter learns the pairs and not the preference."""

FEWEST_HELD_OUT = 20
"""With 15 of 20 right, Wilson's interval just leaves out a half."""

_LIBRARIES = 0.9e9
"""Bytes of Python with torch, transformers, trl and datasets."""

_ADAM = 16
"""Bytes for each number of the adapter: itself, its gradient, two moments, float32."""

_TILE = 128
"""Positions whose logits are there at once."""

_LOGIT = 8
"""Bytes of a logit with its gradient, in float32."""

_LAYER = 36
"""Bytes of a token in a layer, for each of its hidden and inner features (measured)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model that memory depends on."""

    parameters: int
    hidden: int
    inner: int
    layers: int
    vocabulary: int
    bytes_each: int

    @classmethod
    def of(cls, folder: Path, *, parameters: int, dtype: str) -> Shape:
        """Of the model in a folder. Raises ConfigError."""
        try:
            told = json.loads((folder / "config.json").read_bytes())
            told = told.get("text_config", told)
            hidden = int(told["hidden_size"])
            return cls(
                parameters=parameters,
                hidden=hidden,
                inner=int(told.get("intermediate_size") or 4 * hidden),
                layers=int(told["num_hidden_layers"]),
                vocabulary=int(told["vocab_size"]),
                bytes_each=4 if dtype == "float32" else 2,
            )
        except (OSError, ValueError, LookupError, TypeError):
            raise ConfigError(f"{folder / 'config.json'} does not tell a model's sizes.") from None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of the rows: prompt and longer answer, prompt alone, the answers of one row."""

    rows: tuple[int, ...]
    prompts: tuple[int, ...]
    answers: tuple[int, ...]

    def longer_than(self, max_length: int) -> int:
        """How many rows have more tokens."""
        return sum(length > max_length for length in self.rows)

    def percentile(self, share: float) -> int:
        """The length below which this share of the rows lies."""
        ordered = sorted(self.rows)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


def lengths_of(dataset: Dataset, tokenizer: Path) -> Lengths:
    """How long all rows are. Raises ConfigError where the model has no tokenizer.json."""
    if not tokenizer.is_file():
        raise ConfigError(f"{tokenizer} is missing, so tokens cannot be counted.")
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.encode_special_tokens = True

    def counted(texts: list[str]) -> list[int]:
        return [len(encoding.ids) for encoding in encoder.encode_batch_fast(texts)]

    rows = [row for found in dataset.splits.values() for row in found]
    prompts = counted([row.prompt for row in rows])
    whole = iter(counted([row.prompt + text.text for row in rows for text in row.texts]))
    longest, answers = [], []
    for row, prompt in zip(rows, prompts, strict=True):
        sides = [next(whole) + text.ended for text in row.texts]
        longest.append(max(sides))
        answers.append(sum(side - prompt for side in sides))
    return Lengths(tuple(longest), tuple(prompts), tuple(answers))


def fitting(dataset: Dataset, lengths: Lengths, max_length: int) -> Dataset:
    """The dataset without its rows of more than `max_length` tokens."""
    each = iter(lengths.rows)
    splits = {
        split: tuple(row for row in rows if next(each) <= max_length)
        for split, rows in dataset.splits.items()
    }
    return replace(dataset, splits=splits)


def memory_needed(shape: Shape, recipe: Recipe, lengths: Lengths) -> int:
    """About how many bytes the training takes at most.

    Weights, the adapter with its optimizer, and what a batch of the longest rows keeps for the
    way back. Answers are scored in tiles, so that logits count for little, but with ORPO,
    where TRL scores prompts and answers at once.
    """
    longest = max((n for n in lengths.rows if n <= recipe.max_length), default=0)
    pairs = recipe.method in {Method.DPO, Method.ORPO}
    tokens = (2 if pairs else 1) * recipe.batch * longest
    linear = 7 * (shape.hidden + shape.inner) * shape.layers  # about all-linear's in and out
    kept = (
        tokens
        * (shape.hidden + shape.inner)
        * _LAYER
        * (1 if recipe.gradient_checkpointing else shape.layers)
    )
    scored = tokens if recipe.method is Method.ORPO else min(tokens, _TILE)
    return int(
        _LIBRARIES
        + shape.parameters * shape.bytes_each
        + linear * recipe.rank * _ADAM
        + kept
        + scored * shape.vocabulary * _LOGIT
    )


def free_memory(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this machine has left, or this container where it may have less.

    What files have there is given back when memory is wanted. Source: the Linux kernel's
    documentation of control groups, version 2, "Memory Interface Files".
    """
    free = int(psutil.virtual_memory().available)
    try:
        most = int((cgroup / "memory.max").read_text("ascii"))
        used = int((cgroup / "memory.current").read_text("ascii"))
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return min(free, max(0, most - used + int(stat["inactive_file"])))
    except (OSError, ValueError, LookupError):  # no such limit
        return free


def require_room(needed: int, *, gpu: int | None = None) -> None:
    """Raise NoRoom where so much memory is not free; `gpu` is what a GPU has free, in bytes."""
    kind, free = ("memory", free_memory()) if gpu is None else ("GPU memory", gpu)
    if needed > free:
        raise NoRoom(
            f"The training needs about {needed / 1e9:.1f} GB of {kind} and {free / 1e9:.1f} GB are "
            "free. Close other programs, or take a smaller --batch (with a larger --accumulation) "
            "or --max-length, or --gradient-checkpointing."
        )


def require_enough(dataset: Dataset, *, too_long: int = 0) -> None:
    """Raise ConfigError where there are too few pairs to mean anything.

    `too_long` is how many rows are not in the dataset any more because they were too long.
    """
    pairs, held_out = dataset.pairs(TRAIN), dataset.pairs(VALIDATION, TEST)
    if not any(row.is_pair for rows in dataset.splits.values() for row in rows):
        pairs = len(dataset.splits.get(TRAIN, ()))
        held_out = sum(len(dataset.splits.get(split, ())) for split in (VALIDATION, TEST))
    missing = []
    if pairs < FEWEST:
        missing.append(f"{FEWEST - pairs} more decided pairs to train on (there are {pairs})")
    if held_out < FEWEST_HELD_OUT:
        missing.append(
            f"{FEWEST_HELD_OUT - held_out} more held out to see whether it helped "
            f"(there are {held_out})"
        )
    if missing:
        longer = f" Too long for --max-length: {count(too_long, 'row')}." if too_long else ""
        raise ConfigError(
            f"These are too few votes to mean anything: it needs {' and '.join(missing)}.{longer} "
            "Collect more votes first, or say --anyway. Exports hold back more prompts with a "
            "larger --validation and --test."
        )


def left_out(lengths: Lengths, recipe: Recipe) -> Iterator[str]:
    """Say how many rows are too long, if any are."""
    if too_long := lengths.longer_than(recipe.max_length):
        yield f"{count(too_long, 'row')} longer than {recipe.max_length} tokens will be left out"


def told(dataset: Dataset, lengths: Lengths, recipe: Recipe, needed: int) -> Iterator[str]:
    """What a dry run says, before it measures; the dataset has only rows that fit."""
    train = dataset.splits.get(TRAIN, ())
    held_out = {split: dataset.splits.get(split, ()) for split in (VALIDATION, TEST)}
    kept = ", ".join(f"{len(rows):,} for {split}" for split, rows in held_out.items())
    yield f"{count(len(train), 'row')} to train on, {dataset.pairs(TRAIN):,} of them pairs; {kept}"
    shares = ", ".join(f"{share:.0%} {lengths.percentile(share)}" for share in (0.5, 0.9, 0.99))
    yield f"tokens of prompt and longer answer: {shares}, longest {lengths.percentile(1)}"
    yield from left_out(lengths, recipe)
    yield f"memory: about {needed / 1e9:.1f} GB"
    updates = recipe.updates(rows_of(recipe, train))
    yield f"updates: {updates:,} of {recipe.batch} × {recipe.accumulation} rows"
    yield "recipe: " + ", ".join(f"{name} {_plain(value)}" for name, value in recipe)


def rows_of(recipe: Recipe, train: Sequence[Row]) -> int:
    """How many rows an epoch has: KTO takes the answers of a pair one by one."""
    if recipe.method == "kto":
        return sum(len(row.texts) for row in train)
    return len(train)


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
