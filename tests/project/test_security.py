"""SECURITY.md names tests that exist, all there are; and what `make lint` and `make audit` find."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.project import audit, scan

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in TEXT.split("## Threats")[1].splitlines()
    if line.startswith("|") and not line.startswith(("| ---", "| threat |"))
]


@cache
def written_in(path: Path) -> frozenset[str]:
    """The tests of a file, those of its classes too."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    functions = (n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(f.name for f in functions if f.name.startswith("test_"))


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 80
    missing = [
        f"{path}::{name}"
        for path, name in NAMED
        if not (ROOT / path).is_file() or name not in written_in(ROOT / path)
    ]
    assert not missing


def test_every_threat_has_a_defence_and_a_test() -> None:
    assert len(ROWS) > 40
    for threat, defence, tests in ROWS:
        assert threat, tests
        assert defence, threat
        assert re.fullmatch(r"`[^`]+`(, `[^`]+`)*", tests), threat


def test_no_test_of_security_is_left_out() -> None:
    there = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "tests" / "security").glob("test_*.py")
        for name in written_in(path)
    }
    assert there <= set(NAMED)


def test_every_page_that_is_linked_exists() -> None:
    assert not [link for link in re.findall(r"\]\(([^)#:]+)\)", TEXT) if not (ROOT / link).exists()]


def package(name: str, *fixes: tuple[str, ...]) -> dict[str, object]:
    """What pip-audit says of a package; `fixes` are the versions that mend each fault."""
    vulns = [{"id": f"PYSEC-{n}", "fix_versions": list(fix)} for n, fix in enumerate(fixes)]
    return {"name": name, "version": "1.0", "vulns": vulns}


SKIPPED = {"name": "x", "skip_reason": "Dependency not found and could not be audited"}


@pytest.mark.parametrize(
    ("told", "usual", "strict", "said"),
    [
        ([package("a"), package("b")], 0, 0, "2 of 2 packages were audited"),
        ([package("a", ("1.1",)), package("b")], 1, 1, "a 1.0: PYSEC-0, mended in 1.1"),
        ([package("a", ()), package("b")], 0, 0, "a 1.0: PYSEC-0, mended in no version yet"),
        ([SKIPPED, SKIPPED, package("a")], 0, 1, "could NOT be audited"),
        ([], 0, 1, "could NOT be audited"),
    ],
)
def test_an_audit_says_what_it_could_not_ask(
    capsys: pytest.CaptureFixture[str],
    told: list[dict[str, object]],
    usual: int,
    strict: int,
    said: str,
) -> None:
    """pip-audit itself takes a package that nobody answers for as one in order."""
    assert audit.main([], ask=lambda _: told) == usual
    assert said in capsys.readouterr().out
    assert audit.main(["--strict"], ask=lambda _: told) == strict


def test_what_looks_like_a_secret_is_found(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text('key = "AKIA' + "Q3EGWZTPLXVN7ABC" + '"\n')  # in two, as this file is scanned
    ((_, kind, _),) = [one for one in scan.found_in([str(file)]) if "AWS" in one[1]]
    assert kind == "AWS Access Key"
