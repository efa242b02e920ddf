"""A simulated community's votes, a tiny model to train on them, and the command that does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bot.config import Config
from bot.simulation.simulating import Wanted, simulate
from bot.training.making import dataset_for
from bot.training.recipe import Method
from tests.engines.tiny_model import save_tiny_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Twofold = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    folder = save_tiny_model(tmp_path_factory.mktemp("weights") / "tiny", positions=2048)
    (folder / "LICENSE").write_text("Do what you like.\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    """Where a community has voted."""
    import asyncio  # noqa: PLC0415

    home = tmp_path_factory.mktemp("home")
    asyncio.run(simulate(Config(home=home), Wanted(battles=160, members=8, seed=3)))
    return home


@pytest.fixture(scope="session")
def folders(home) -> dict[str, Path]:
    """Its votes as data sets by the method that they were made for."""
    return {
        method: dataset_for(method, "transcript", Config(home=home), simulated=True)
        for method in (Method.DPO, Method.KTO)
    }


@pytest.fixture
def settings(tiny, tmp_path) -> dict[str, str]:
    """The environment of a program with one base contender that can be trained here."""
    roster = [
        {"slug": "small", "kind": "base", "model": f"path:{tiny}"},
        {"slug": "far", "kind": "base", "model": "openai:far"},
        {"slug": "chatty", "kind": "instruct", "model": "scripted:"},
    ]
    return {
        "PATH": os.environ["PATH"],
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
        "TWOFOLD_HOME": str(tmp_path),
        "TWOFOLD_CONTENDERS": json.dumps(roster),
    }


@pytest.fixture
def twofold(settings) -> Twofold:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bot.cli", *arguments],
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
