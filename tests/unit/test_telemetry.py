"""Logs hold no secrets, wherever they come from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import structlog

from bot.telemetry import configure

if TYPE_CHECKING:
    import pytest


def test_secrets_are_masked_in_words_arguments_and_tracebacks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(level="debug", secrets=["tok-123", ""])
    structlog.get_logger("x").info("hello tok-123", token="tok-123")
    logging.getLogger("some.library").warning("sent %s", "tok-123")
    error = RuntimeError("tok-123 was refused")
    structlog.get_logger("x").error("broken", exc_info=error)
    told = capsys.readouterr().err
    assert "tok-123" not in told
    assert told.count("[secret]") >= 4
    assert "RuntimeError" in told


def test_the_level_holds(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="error", secrets=[])
    structlog.get_logger("x").warning("a warning")
    structlog.get_logger("x").error("an error")
    told = capsys.readouterr().err
    assert "a warning" not in told
    assert "an error" in told
