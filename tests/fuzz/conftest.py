"""Tells the run of each entry: cases, seconds, those of the processor, faults."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.cases import RAN, wanted

TALLY = "FUZZ_TALLY"
"""The variable with the file for it."""

_told: dict[str, tuple[int, float, float, int]] = {}
_before: Counter[str] = Counter()
_begun = [0.0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ten thousand cases take longer than a test may."""
    if wanted():
        for item in items:
            item.add_marker(pytest.mark.timeout(0))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write after each test, so that a run that is killed has told of those before."""
    if report.when == "setup":
        _begun[0] = time.process_time()
    if report.when != "call" or not (file := os.environ.get(TALLY)):
        return
    spent = time.process_time() - _begun[0]
    for entry, cases in (RAN - _before).items():
        _told[entry] = (cases, report.duration, spent, _faults(report))
    _before.update(RAN - _before)
    written = Path(f"{file}.new")
    written.write_text(json.dumps(_told))
    written.replace(file)


def _faults(report: pytest.TestReport) -> int:
    """Hypothesis tells of several at once, each with its smallest case."""
    if not report.failed:
        return 0
    return max(1, len(re.findall("Failing test case:", report.longreprtext)))
