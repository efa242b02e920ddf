"""Checks that look at all rows of a table: what is there twice, and what is out of balance.

What is remembered of a row are hashes, so that memory does not grow with the texts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from bot.answers import normalised
from bot.dataset.lint import rules
from bot.dataset.lint.near import Twins, frame, shingles, words
from bot.dataset.lint.report import Hit
from bot.dataset.lint.shapes import IMPLICIT, KTO, OPENAI, PREFERENCE, RAW, VOTES
from bot.ranking import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.dataset.lint.rules import Rule
    from bot.dataset.lint.shapes import Row, Shape

LONGER = 0.6
AHEAD = 0.55
FEWEST_ROWS = 3
FEWEST_ROWS_OPENAI = 10
PAIRED = (PREFERENCE, IMPLICIT, OPENAI)


class Watcher:
    """Looks at every row of a table, and tells at once or at the end what it found."""

    def see(self, row: Row) -> Iterator[Hit]:
        """What a row shows by itself, or beside those before."""
        raise NotImplementedError

    def end(self) -> Iterator[Hit]:
        """What all rows show together."""
        yield from ()


class Consistency(Watcher):
    """Columns that differ between files, keys that rows lack, values that change their type."""

    def __init__(self) -> None:
        self._seen: dict[str, Counter[str]] = {}
        self._rows: Counter[str] = Counter()
        self._types: defaultdict[str, set[str]] = defaultdict(set)

    def see(self, row: Row) -> Iterator[Hit]:
        """Count a row's keys."""
        self._seen.setdefault(row.file.name, Counter()).update(row.values.keys())
        self._rows[row.file.name] += 1
        known = row.shape.kinds()
        for column, value in row.values.items():
            if value is not None and column not in known:
                self._types[column].add(_kind(value))
        yield from ()

    def end(self) -> Iterator[Hit]:
        """Compare the files, and the rows of each."""
        everywhere = set().union(*self._seen.values())
        for file, counts in self._seen.items():
            if lacking := sorted(everywhere - counts.keys()):
                text = f"Not in this file, but in others of its table: {', '.join(lacking)[:80]}."
                yield Hit(rule=rules.COLUMNS, file=file, text=text)
            for column, count in counts.items():
                if count < self._rows[file]:
                    text = f"{self._rows[file] - count:,} rows have no {column[:40]}."
                    yield Hit(rule=rules.UNEVEN, file=file, text=text)
        for column, kinds in self._types.items():
            if len(kinds) > 1:
                text = f"{column[:40]} is {' and '.join(sorted(kinds))}."
                yield Hit(rule=rules.MIXED, text=text)


def _kind(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, bool):
        return "true or false"
    kinds = {"a number": int | float, "a text": str, "a list": list, "an object": dict}
    return next((name for name, kind in kinds.items() if isinstance(value, kind)), "something else")


class Repeats(Watcher):
    """Rows and prompts that come again: in a split, the other way round, in another split."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[str, int]] = {}
        self._verdicts: dict[int, tuple[int, int]] = {}
        self._prompts: dict[int, str] = {}

    def see(self, row: Row) -> Iterator[Hit]:
        """What of the row was there before."""
        if not row.complete or not row.sides:
            return
        prompt = normalised(row.prompt.text) if row.prompt else ""
        sides = tuple(side.text for side in row.sides)
        label = row.values.get("label") if row.shape is KTO else None
        yield from self._row(row, hash((prompt, sides, label)))
        yield from self._verdict(row, prompt, sides, label)
        if prompt:
            yield from self._prompt(row, prompt)

    def _row(self, row: Row, key: int) -> Iterator[Hit]:
        split, number = self._rows.setdefault(key, (row.file.split, row.number))
        if (split, number) != (row.file.split, row.number) and split == row.file.split:
            text = f"The same as row {number:,} of {split}."
            yield Hit(rule=rules.DUPLICATES, row=row, text=text, excerpt=row.sides[0].text)

    def _verdict(
        self, row: Row, prompt: str, sides: tuple[str, ...], label: object
    ) -> Iterator[Hit]:
        if not prompt or (label is None and row.shape not in PAIRED):
            return
        verdict = hash((sides, label))
        same = hash((prompt, frozenset(sides)))
        first, number = self._verdicts.setdefault(same, (verdict, row.number))
        if first != verdict:
            text = f"Row {number:,} says the contrary of the same prompt."
            yield Hit(rule=rules.CONTRADICTIONS, row=row, text=text, excerpt=row.sides[0].text)

    def _prompt(self, row: Row, prompt: str) -> Iterator[Hit]:
        split = self._prompts.setdefault(hash(prompt), row.file.split)
        if split != row.file.split:
            text = f"The same prompt is in {split} too."
            yield Hit(rule=rules.LEAK, row=row, text=text, excerpt=prompt)


class NearRepeats(Watcher):
    """Rows, and prompts of different splits, that are nearly the same."""

    def __init__(self, head: Sequence[Row], *, limit: int | None) -> None:
        self._frame = frame(row.prompt.text for row in head if row.prompt)
        self._limit = limit
        self._rows, self._prompts = Twins(), Twins()
        self._exact: set[int] = set()
        self._asked: set[int] = set()
        self.seen = 0
        self.passed = 0

    def see(self, row: Row) -> Iterator[Hit]:
        """The row's twins among those before."""
        if not row.complete or not row.sides:
            return
        if self._limit is not None and self.seen >= self._limit:
            self.passed += 1
            return
        self.seen += 1
        prompt = normalised(row.prompt.text) if row.prompt else ""
        sides = [normalised(side.text) for side in row.sides]
        if (both := hash((prompt, frozenset(sides)))) in self._exact:
            return  # other rules tell of it
        self._exact.add(both)
        said = "\n".join(sides)
        # No more of the prompt than there is of the sides: answers to one question are no twins.
        grams = shingles(said) | shingles(prompt, last=words(said))
        yield from self._told(row, self._rows.of(_key(row), grams), "row")
        if prompt and hash(prompt) not in self._asked:
            self._asked.add(hash(prompt))
            twin = self._prompts.of(_key(row), shingles(prompt) - self._frame)
            if twin and not twin.startswith(f"{row.file.split}\n"):
                yield from self._told(row, twin, "prompt")

    def _told(self, row: Row, twin: str | None, what: str) -> Iterator[Hit]:
        if twin is None:
            return
        split, number = twin.split("\n")
        text = f"Nearly the same {what} as row {number} of {split}."
        rule = rules.NEAR if split == row.file.split else rules.NEAR_LEAK
        excerpt = row.prompt.text[-60:] if row.prompt and what == "prompt" else row.sides[0].text
        yield Hit(rule=rule, row=row, text=text, excerpt=excerpt)


def _key(row: Row) -> str:
    return f"{row.file.split}\n{row.number}"


class Biases(Watcher):
    """What the winners have in common besides being better: length, place, label."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._longer: Counter[bool] = Counter()
        self._places: Counter[str] = Counter()
        self._labels: Counter[bool] = Counter()

    def see(self, row: Row) -> Iterator[Hit]:
        """Count a row."""
        if row.complete and self._shape in PAIRED:
            chosen, rejected = (len(side.text) for side in row.sides)
            if chosen != rejected:
                self._longer[chosen > rejected] += 1
        winner = row.values.get("winner")
        if winner in ("model_a", "model_b"):
            self._places[winner] += 1
        label = row.values.get("label")
        if self._shape is KTO and isinstance(label, bool):
            self._labels[label] += 1
        yield from ()

    def end(self) -> Iterator[Hit]:
        """What is clearly out of balance."""
        yield from leaning(
            rules.LENGTH,
            (self._longer[True], self._longer[False]),
            ("The chosen side is longer", "The chosen side is shorter"),
            LONGER,
        )
        yield from leaning(
            rules.POSITION,
            (self._places["model_a"], self._places["model_b"]),
            ("model_a wins", "model_b wins"),
            AHEAD,
        )
        if len(self._labels) == 1 and self._labels.total() > 1:
            (label,) = self._labels
            yield Hit(rule=rules.LABELS, text=f"All labels are {str(label).lower()}.")


def leaning(
    rule: Rule, counts: tuple[int, int], told: tuple[str, str], most: float
) -> Iterator[Hit]:
    """Whether one of two counts has more than the share `most`, by its whole 95 % interval."""
    total = sum(counts)
    for count, what in zip(counts, told, strict=True):
        share = wilson(count, total) if total else None
        if share and share.low > most:
            text = f"{what} in {share.share:.0%} of {total:,} ({share.low:.0%}-{share.high:.0%})."
            yield Hit(rule=rule, text=text)


class Sizes(Watcher):
    """How many rows each split and each file has."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.splits: Counter[str] = Counter()

    def see(self, row: Row) -> Iterator[Hit]:
        """Count a row."""
        self.splits[row.file.split] += 1
        yield from ()

    def end(self) -> Iterator[Hit]:
        """Whether there are enough to train on."""
        few = FEWEST_ROWS_OPENAI if self._shape is OPENAI else FEWEST_ROWS
        train = self.splits.get("train", 0)
        if self._shape not in (RAW, VOTES) and 0 < train < few:
            text = f"There are {train} rows, and {few} are wanted."
            yield Hit(rule=rules.FEW, split="train", text=text)
