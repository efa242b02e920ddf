"""What was found: kept by rule, told as a table, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bot.dataset.lint.leaks import Names, masked
from bot.dataset.lint.rules import RULES, Rule, Severity
from bot.wording import count, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.dataset.lint.shapes import Row

EXCERPT = 60
_MASKED_BEFORE_CUT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a check found, and where: in a row, a file, a split, or in all of it."""

    rule: Rule
    text: str
    row: Row | None = None
    file: str = ""
    split: str = ""
    number: int | None = None
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """An example of what a rule found; `row` counts from 1, in JSONL it is the line."""

    rule: str
    text: str
    split: str
    file: str
    row: int | None
    excerpt: str

    @property
    def place(self) -> str:
        """Where it is, as people write it."""
        return f"{self.file}:{self.row}" if self.row else self.file or self.split


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was read: its format and the rows of each split."""

    name: str
    format: str
    splits: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`counts` are findings by rule, `findings` the first few of each, `skipped` rules not run.

    `not_looked_for` are rules for which nothing there has what they look at; `notes` tell what
    was estimated or looked at in part.
    """

    path: str
    tables: tuple[Table, ...]
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]
    not_looked_for: tuple[str, ...]
    strict: bool

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return self._of(Severity.ERROR)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return self._of(Severity.WARNING)

    @property
    def ok(self) -> bool:
        """Whether there is no error, and where warnings count, none of these."""
        return not (self.errors or (self.strict and self.warnings))

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return sum(sum(table.splits.values()) for table in self.tables)

    @property
    def verdict(self) -> str:
        """All of it in one sentence."""
        found = f"{count(self.errors, 'error')}, {count(self.warnings, 'warning')}"
        return f"{count(self.rows, 'row')}: {found}. {self._advice()}"

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON may hold it."""
        return {
            "ok": self.ok,
            "errors": self.errors,
            "warnings": self.warnings,
            "rows": self.rows,
            **asdict(self),
        }

    def _of(self, severity: Severity) -> int:
        return sum(self.counts.get(rule.name, 0) for rule in RULES if rule.severity is severity)

    def _advice(self) -> str:
        if self.errors:
            return "Do not publish or train on this before the errors are gone."
        if self.warnings:
            return "It can be used; look at the warnings first."
        return "Nothing to object to."


@dataclass
class Ledger:
    """Counts findings and keeps the first few of each rule, their excerpts masked."""

    names: Names
    skip: frozenset[str]
    examples: int
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, hits: Iterable[Hit]) -> None:
        """Take down what a check found."""
        for hit in hits:
            if hit.rule.name in self.skip:
                continue
            self.counts[hit.rule.name] += 1
            if self.counts[hit.rule.name] <= self.examples:
                self.findings.append(self._finding(hit))

    def _finding(self, hit: Hit) -> Finding:
        row = hit.row
        return Finding(
            rule=hit.rule.name,
            text=hit.text,
            split=row.file.split if row else hit.split,
            file=printable(row.file.name if row else hit.file),
            row=row.number if row else hit.number,
            excerpt=shown(masked(hit.excerpt[:_MASKED_BEFORE_CUT], self.names)),
        )


def shown(text: str) -> str:
    """The beginning of a text on one line."""
    text = " ".join(printable(text).split())
    return text if len(text) <= EXCERPT else f"{text[: EXCERPT - 1]}…"
