"""The documentation is true: what it lists exists, what it tells to run runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from bot.cli import cli
from bot.config import Config, load
from bot.simulation.simulating import Wanted, simulate
from tests.project.readme import PAGES, README, up_to_date

ROOT = README.parent
TEXT = README.read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_what_the_code_declares(page: Path) -> None:
    assert up_to_date(page) == page.read_text("utf-8"), "run: make docs"


def test_every_file_that_is_linked_or_drawn_in_the_tree_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    tree = TEXT.split("## The house")[1].split("```")[1]
    room = ""
    for line in tree.strip().splitlines():
        name = line.split()[0]
        room = name if not line.startswith(" ") else room
        links.append(name if name == room else f"{room}{name}")
    assert not [link for link in links if not (ROOT / link).exists()]


def test_every_module_of_bot_is_in_the_tree() -> None:
    for path in (ROOT / "bot").iterdir():
        if path.suffix == ".py" and path.stem != "__init__":
            assert path.name in TEXT


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)", TEXT)) <= targets


COMMANDS = {
    "run",
    "backup",
    "migrate",
    "restore",
    "rollback",
    "encrypt",
    "demo",
    "check",
    "export",
    "import",
    "integrity",
    "leaderboard",
    "lint",
    "prompt",
    "models",
    "erase",
    "report",
    "round",
    "serve",
    "simulate",
    "stats",
    "train",
}


MODELS = {"list", "presets", "pull", "rm", "enter", "rest", "try"}


def test_every_command_that_is_named_exists() -> None:
    command = get_command(cli)
    assert set(command.commands) == COMMANDS
    assert set(command.commands["models"].commands) == MODELS
    named = set(re.findall(r"(?:\.venv/bin/|`|^)twofold ([a-z]+)", TEXT, re.MULTILINE))
    assert named <= COMMANDS


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """Where a bot has run, and a community been simulated."""
    await simulate(Config(home=tmp_path), Wanted(battles=20, members=6, seed=1))
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "--purpose", "evaluate", "--format", "dpo", "--out", "exports/dpo"],
        ["integrity"],
        ["leaderboard"],
        ["leaderboard", "--simulated"],
        ["stats"],
        ["stats", "--simulated"],
        ["report", "--out", "report"],
        ["simulate", "--battles", "20", "--members", "6", "--seed", "2"],
        ["simulate", "--remove"],
        ["check"],
        ["models", "list"],
        ["models", "presets"],
        ["prompt", "--template", "qa", "Why is the sea salty?"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_the_documented_commands_run(arguments: list[str], home: Path) -> None:
    environment = {**os.environ, "TWOFOLD_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_example_files_hold_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    example = tomllib.loads((ROOT / "twofold.example.toml").read_text("utf-8"))
    monkeypatch.chdir(ROOT / "tests")
    monkeypatch.setenv("TWOFOLD_CONFIG", str(ROOT / "twofold.example.toml"))
    config = load()
    assert config.contenders == Config().contenders
    for key, value in example.items():
        if key != "contenders":
            assert getattr(Config(), key) == value


def test_what_is_commented_out_in_the_example_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (ROOT / "twofold.example.toml").read_text("utf-8")
    _, tables = example.split("# [[contenders]]", 1)
    used = tmp_path / "twofold.toml"
    used.write_text(re.sub(r"^# (?=\[|\w+ =)", "", f"# [[contenders]]{tables}", flags=re.MULTILINE))
    monkeypatch.setenv("TWOFOLD_CONFIG", str(used))
    assert [contender.slug for contender in load().contenders] == ["my-base", "my-instruct"]


def test_the_contenders_in_the_documentation_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (ROOT / "docs" / "servers.md").read_text("utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    rosters = [block for block in blocks if block.count("[[contenders]]") > 1]
    assert len(rosters) >= 4
    monkeypatch.setenv("TWOFOLD_CONFIG", str(tmp_path / "twofold.toml"))
    for roster in rosters:
        (tmp_path / "twofold.toml").write_text(roster)
        assert all(contender.base_url for contender in load().contenders)


def test_the_example_environment_names_known_settings() -> None:
    names = re.findall(
        r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE
    )
    known = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert len(names) > 10
    assert not [name for name in names if f"`{name}`" not in known]
