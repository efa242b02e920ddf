"""A report on the terminal and in a file."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bot import __version__
from bot.dataset.lint.rules import RULES, Rule, Severity
from bot.errors import ConfigError
from bot.wording import count, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.dataset.lint.report import Report

FILE_NAME = "lint-report.log"
"""Loaders that guess what a folder's files are pass over this ending; `.txt` they would read."""

_WIDTH = 100
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def tell(report: Report, console: Console, *, absent: str = "\N{EN DASH}") -> None:
    """Print the tables that were read, every rule with its count, the findings, the verdict.

    `absent` stands for the count of a rule that had nothing to look at.
    """
    for table in report.tables:
        splits = ", ".join(f"{split} {rows:,}" for split, rows in table.splits.items())
        name = f"{table.name}: " if table.name else ""
        _line(console, f"{name}{table.format}, rows: {splits or 'none'}")
    rows = Table("Rule", "Found", "Looked for", box=None, pad_edge=False)
    rows.columns[0].no_wrap = rows.columns[1].no_wrap = True
    for rule in RULES:
        rows.add_row(rule.name, _count(report, rule, absent), rule.help)
    console.print(rows)
    for rule in RULES:
        _examples(report, rule, console)
    console.print()
    for note in report.notes:
        _line(console, note)
    _line(console, report.verdict)


def write(report: Report, file: Path) -> None:
    """Write the report as plain text. Raises ConfigError where it cannot be."""
    try:
        with file.open("w", encoding="utf-8") as out:
            console = Console(
                file=out, width=_WIDTH, no_color=True, force_terminal=False, highlight=False
            )
            _line(console, f"twofold {__version__} lint {report.path}")
            tell(report, console, absent="not looked for")
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written: {error.strerror}. Choose another --report."
        ) from None


def beside(data: Path) -> Path | None:
    """Where a report lies by itself: in the dataset's folder, if that can be written."""
    return data / FILE_NAME if data.is_dir() and os.access(data, os.W_OK) else None


def names_in(file: Path) -> tuple[str, ...]:
    """The lines of a file of names. Raises ConfigError where it cannot be read."""
    try:
        return tuple(filter(None, map(str.strip, file.read_text("utf-8").splitlines())))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The names in {file} cannot be read ({error}). Give --names a text file, one name "
            "a line."
        ) from None


@contextmanager
def bar(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A bar of the bytes read so far, which is gone when it is done."""
    columns = (TextColumn("Checking"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    silent = not console.is_terminal
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=silent
    ) as bars:
        task = bars.add_task("", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _count(report: Report, rule: Rule, absent: str) -> Text:
    if rule.name in report.skipped:
        return Text("skipped", style="dim")
    if found := report.counts.get(rule.name, 0):
        return Text(count(found, rule.severity), style=_COLOURS[rule.severity])
    if rule.name in report.not_looked_for:
        return Text(absent, style="dim")
    return Text("ok", style="green")


def _examples(report: Report, rule: Rule, console: Console) -> None:
    found = [finding for finding in report.findings if finding.rule == rule.name]
    if not found:
        return
    console.print()
    _line(console, f"{rule.name}: {rule.fix}")
    for finding in found:
        place = f"{finding.place}  " if finding.place else ""
        excerpt = f"  “{finding.excerpt}”" if finding.excerpt else ""
        _line(console, f"  {place}{printable(finding.text)}{excerpt}")
    if more := report.counts[rule.name] - len(found):
        _line(console, f"  and {more:,} more")


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
