"""The check of a folder or file: every row once, by every rule that is not skipped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from bot.dataset.layout import MANIFEST
from bot.dataset.lint import manifest as told
from bot.dataset.lint import rules, tables
from bot.dataset.lint.content import ROW_CHECKS, leaked
from bot.dataset.lint.coverage import Coverage, not_looked_for, of_manifest
from bot.dataset.lint.files import Fault, is_table, rows, survey
from bot.dataset.lint.leaks import Names
from bot.dataset.lint.report import Hit, Ledger, Report, Table
from bot.dataset.lint.rules import Needs
from bot.dataset.lint.shapes import SHAPES, UNKNOWN, Row, Shape, recognised, row
from bot.dataset.lint.tokens import CHARACTERS_A_TOKEN, Room, counter, estimate
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bot.dataset.lint.files import DataFile

HEAD = 200
"""Rows by which a format is told."""

NEAR_ROWS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is looked at, and how strictly.

    `near` looks for near-duplicates in all rows, or in none; without it in the first 50,000
    of each table. `tokenizer` is a `tokenizer.json` or its folder; without it the number of
    tokens is estimated. `skip` are names of rules. Where `strict`, warnings count as errors.
    """

    names: tuple[str, ...] = ()
    max_tokens: int = 1024
    tokenizer: Path | None = None
    near: bool | None = None
    skip: frozenset[str] = frozenset()
    examples: int = 3
    strict: bool = False


def check(
    path: Path, options: Options | None = None, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Check a dataset's folder or one of its files; nothing is written.

    `progress` gets the bytes read and those of all files. Faults of the data are findings.
    Raises ConfigError for a path that is not there, an unknown rule, an unreadable tokenizer.
    """
    options = options or Options()
    unknown = sorted(options.skip - {rule.name for rule in rules.RULES})
    if unknown:
        raise ConfigError(
            f"There is no rule {unknown[0]}. The rules: {', '.join(r.name for r in rules.RULES)}."
        )
    if not path.is_dir() and not (path.is_file() and is_table(path)):
        raise ConfigError(
            f"{path} is neither a folder nor a file of rows (.jsonl, .jsonl.gz, .jsonl.zst, "
            ".parquet). Give the dataset's folder."
        )
    return _Check(path, options, progress or (lambda *_: None)).run()


@dataclass
class _Check:
    """One run; `rows` counts those of each file."""

    path: Path
    options: Options
    progress: Callable[[int, int], None]
    rows: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    seen: list[Needs] = field(default_factory=list)
    bytes_before: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        self.names = Names(self.options.names)
        self.skipped = set(self.options.skip)
        if not self.names:
            self.skipped.add(rules.NAMES.name)
        if self.options.near is False:
            self.skipped |= {rules.NEAR.name, rules.NEAR_LEAK.name}
        self.ledger = Ledger(self.names, frozenset(self.skipped), self.options.examples)
        tokenizer = self.options.tokenizer
        self.room = Room(self.options.max_tokens, counter(tokenizer) if tokenizer else estimate)

    def run(self) -> Report:
        """Look at every table, then at the manifest."""
        manifest = self._manifest()
        self.seen.append(of_manifest(manifest))
        if _row_for_each_vote(manifest):
            self.skipped |= {rules.DUPLICATES.name, rules.CONTRADICTIONS.name}
            self.ledger.skip = frozenset(self.skipped)
            self.notes.append("Rows may repeat and contradict: each stands for a vote.")
        found = survey(self.path)
        for file, fault in found.faults:
            self.ledger.add([Hit(rule=rules.UNREADABLE, file=file, text=f"{fault.text}.")])
        everything = tuple(chain(*found.tables.values()))
        if found.others:
            self.notes.append(f"Not read: {', '.join(found.others)}.")
        self.bytes = sum(file.path.stat().st_size for file in everything)
        read = tuple(
            self._table(name, files, raw=manifest.get("format") == "raw")
            for name, files in found.tables.items()
        )
        if not everything:
            text = "There is no file of rows: .jsonl, .jsonl.gz, .jsonl.zst or .parquet."
            self.ledger.add([Hit(rule=rules.NO_DATA, text=text)])
        if self.path.is_dir():
            self.ledger.add(told.differences(manifest, self.path, self.rows))
            self.ledger.add(told.leaning_sides(manifest))
        return self._report(read)

    def _manifest(self) -> Mapping[str, Any]:
        try:
            return told.read(self.path) if self.path.is_dir() else {}
        except (OSError, ValueError) as error:
            text = f"It cannot be read: {str(error)[:80].rstrip('.')}."
            self.ledger.add([Hit(rule=rules.MANIFEST, file=MANIFEST, text=text)])
            self.seen.append(Needs.MANIFEST)
            return {}

    def _table(self, name: str, files: tuple[DataFile, ...], *, raw: bool) -> Table:
        records = self._records(files)
        first = tuple(islice(records, HEAD))
        shape = recognised({key for _, _, values in first for key in values}, raw=raw)
        if shape is UNKNOWN and first:
            self.ledger.add([_unknown(first[0][0], set(first[0][2]))])
        head = tuple(row(file, number, values, shape) for file, number, values in first)
        sizes, coverage = tables.Sizes(shape), Coverage()
        watchers: list[tables.Watcher] = [
            sizes,
            coverage,
            tables.Consistency(),
            tables.Repeats(),
            tables.Biases(shape),
        ]
        if near := self._near(head, shape):
            watchers.append(near)
        for one in chain(head, (row(*record, shape) for record in records)):
            self._row(one, watchers)
        for watcher in watchers:
            self.ledger.add(watcher.end())
        self.seen.append(coverage.has)
        if near and near.passed:
            self.notes.append(
                f"Near-duplicates were looked for in the first {near.seen:,} of "
                f"{near.seen + near.passed:,} rows; --near looks at all."
            )
        return Table(name, shape.name, dict(sizes.splits))

    def _row(self, one: Row, watchers: list[tables.Watcher]) -> None:
        for look in ROW_CHECKS:
            self.ledger.add(look(one))
        self.ledger.add(leaked(one, self.names))
        self.ledger.add(self.room.check(one))
        for watcher in watchers:
            self.ledger.add(watcher.see(one))

    def _near(self, head: tuple[Row, ...], shape: Shape) -> tables.NearRepeats | None:
        if {rules.NEAR.name, rules.NEAR_LEAK.name} <= self.skipped or not shape.sides:
            return None
        return tables.NearRepeats(head, limit=None if self.options.near else NEAR_ROWS)

    def _records(
        self, files: tuple[DataFile, ...]
    ) -> Iterator[tuple[DataFile, int, dict[str, Any]]]:
        """The rows that can be read; the others are findings."""
        for file in files:
            self.rows[file.name] = 0
            for number, values in rows(file, self._read):
                if isinstance(values, Fault):
                    hit = Hit(
                        rule=rules.UNREADABLE,
                        file=file.name,
                        split=file.split,
                        number=number,
                        text=f"{values.text}.",
                    )
                    self.ledger.add([hit])
                else:
                    self.rows[file.name] += 1
                    yield file, number, values
            self.bytes_before += file.path.stat().st_size
            self._read(0)
            if not self.rows[file.name]:
                self.ledger.add(
                    [Hit(rule=rules.NO_DATA, file=file.name, text="There are no rows in it.")]
                )

    def _read(self, of_file: int) -> None:
        self.progress(self.bytes_before + of_file, self.bytes)

    def _report(self, read: tuple[Table, ...]) -> Report:
        options = self.options
        if not options.tokenizer:
            self.notes.append(
                f"Tokens were estimated as one for {CHARACTERS_A_TOKEN} characters; "
                "--tokenizer counts them."
            )
        if not self.names:
            self.notes.append("Names were not looked for; --names gives a list of them.")
        order = [rule.name for rule in rules.RULES]
        findings = sorted(self.ledger.findings, key=lambda one: order.index(one.rule))
        return Report(
            path=self.path.name or str(self.path),
            tables=read,
            counts=dict(self.ledger.counts),
            findings=tuple(findings),
            notes=tuple(self.notes),
            skipped=tuple(sorted(self.skipped)),
            not_looked_for=not_looked_for(self.seen, self.skipped),
            strict=options.strict,
        )


def _row_for_each_vote(manifest: Mapping[str, Any]) -> bool:
    policy = manifest.get("policy")
    return isinstance(policy, dict) and policy.get("deciding") == "every"


def _unknown(file: DataFile, columns: set[str]) -> Hit:
    known = "; ".join(f"{shape.name}: {', '.join(shape.needs)}" for shape in SHAPES)
    has = ", ".join(sorted(columns))[:80]
    text = f"No format has the columns {has}. Known are {known}."
    return Hit(rule=rules.COLUMNS, file=file.name, split=file.split, text=text)
