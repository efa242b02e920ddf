"""What several rooms' tests share."""

from __future__ import annotations

import os

import pytest


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
