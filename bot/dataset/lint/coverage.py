"""What rows show that rules can look at, so that nobody is told "ok" of what never was there."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from bot.dataset.lint.rules import RULES, Needs
from bot.dataset.lint.shapes import KTO, RAW, VOTES
from bot.dataset.lint.tables import PAIRED, Watcher

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from bot.dataset.lint.report import Hit
    from bot.dataset.lint.shapes import Row


class Coverage(Watcher):
    """What is in one table."""

    def __init__(self) -> None:
        self.has = Needs.NOTHING
        self._splits: set[str] = set()

    def see(self, row: Row) -> Iterator[Hit]:
        """Add what a row has."""
        self.has |= _of_row(row)
        self._splits.add(row.file.split)
        yield from ()

    def end(self) -> Iterator[Hit]:
        """Add what takes several files."""
        if len(self._splits) > 1:
            self.has |= Needs.SPLITS
        yield from ()


def of_manifest(manifest: Mapping[str, Any]) -> Needs:
    """What a manifest tells that rules compare with the files, or judge by itself."""
    has = Needs.NOTHING
    if isinstance(manifest.get("files"), dict):
        has |= Needs.MANIFEST
    balance = manifest.get("balance")
    if isinstance(balance, dict) and balance.get("pairs"):
        has |= Needs.PLACES
    return has


def not_looked_for(seen: Iterable[Needs], skipped: Collection[str]) -> tuple[str, ...]:
    """The rules, of those not skipped, for which nothing there has what they look at."""
    everything = (Needs.NOTHING, *seen)
    return tuple(
        rule.name
        for rule in RULES
        if rule.name not in skipped and not any(rule.needs in has for has in everything)
    )


def _of_row(row: Row) -> Needs:
    shape, prompt = row.shape, row.prompt
    label = shape is KTO and isinstance(row.values.get("label"), bool)
    pair = row.complete and shape in PAIRED
    has = {
        Needs.ROWS: True,
        Needs.FORMAT: bool(shape.needs),
        Needs.TRAINING: row.file.split == "train" and shape not in (RAW, VOTES),
        Needs.TEXTS: bool(row.parts),
        Needs.SIDES: bool(row.sides),
        Needs.PAIRS: pair,
        Needs.PROMPTS: bool(prompt and prompt.text),
        Needs.TEXT_PROMPTS: bool(prompt and prompt.text and prompt.messages is None),
        Needs.CHATS: any(part.messages for part in row.parts),
        Needs.VERDICTS: bool(prompt) and (pair or label),
        Needs.PLACES: row.values.get("winner") in ("model_a", "model_b"),
        Needs.LABELS: label,
    }
    return reduce(or_, (one for one, there in has.items() if there), Needs.NOTHING)
