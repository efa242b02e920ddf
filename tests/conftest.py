"""What several rooms' tests share."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, started once for all tests of a process that ask for it."""
    from tests.postgres import server  # noqa: PLC0415 - most tests need no database

    with server() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests must not see the settings of the person or machine that runs them."""
    for name in list(os.environ):
        if name.startswith("TWOFOLD_") or name in {
            "DISCORD_TOKEN",
            "OPENAI_API_KEY",
            "OPENAI_BASE_URL",
        }:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """What a command under test set up for its own process is not for those after it."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield
    structlog.reset_defaults()
    level, root.handlers[:] = before
    root.setLevel(level)
