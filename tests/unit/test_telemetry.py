"""Logs hold no secrets, wherever they come from, and say what they are about."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from bot.config import Config
from bot.telemetry.instruments import Instruments
from bot.telemetry.lag import LoopLag
from bot.telemetry.logs import Counting, configure, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "pa'ss\"w/ör:d"
"""One that every way to write it down writes differently."""


@pytest.fixture(params=["console", "json"])
def form(request: pytest.FixtureRequest) -> str:
    """Either way to write a line."""
    return request.param


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def test_secrets_are_masked_in_words_arguments_and_tracebacks(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure(level="debug", secrets=["tok-123", ""], form=form)
    structlog.get_logger("x").info("hello tok-123", token="tok-123")
    logging.getLogger("some.library").warning("sent %s", "tok-123")
    error = RuntimeError("tok-123 was refused")
    structlog.get_logger("x").error("broken", exc_info=error)
    told = capsys.readouterr().err
    assert "tok-123" not in told
    assert told.count("[secret]") >= 4
    assert "RuntimeError" in told


def test_a_password_in_a_url_is_masked_however_it_is_written(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    config = Config(database="postgresql://twofold:pa%27ss%22w%2F%C3%B6r%3Ad@db/twofold")
    configure(level="debug", secrets=config.secrets, form=form)
    ways = (PASSWORD, repr(PASSWORD), json.dumps(PASSWORD), config.database)
    for way in ways:
        structlog.get_logger("x").info("no way in", given=way, listed=[way])
        logging.getLogger("a.driver").warning("refused: %s", way)
    told = capsys.readouterr().err
    assert "ss" not in told
    assert told.count("[secret]") == 3 * len(ways)


def test_what_libraries_take_from_the_environment_is_masked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    headers = "authorization=Basic%20c2VjcmV0,x-tenant=aardvark"
    environment = {"HF_TOKEN": "hf_abcdef", "OTEL_EXPORTER_OTLP_HEADERS": headers}
    configure(level="info", secrets=secrets_in(environment))
    logging.getLogger("a.library").warning("Basic c2VjcmV0, aardvark and hf_abcdef")
    assert "[secret], [secret] and [secret]" in capsys.readouterr().err


def test_a_fault_is_one_line_of_json_with_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(level="info", secrets=[], form="json")
    try:
        raise RuntimeError("it\nbroke")  # noqa: TRY301 - it needs a traceback
    except RuntimeError:
        structlog.get_logger("x").exception("broken", odd="\ud800", large=2**70, of=object)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["logger"]) == ("broken", "error", "x")
    assert told["exception"].endswith("RuntimeError: it\nbroke")


def test_lines_say_what_is_worked_on_those_of_libraries_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(level="info", secrets=[], form="json")
    instruments = Instruments()
    with instruments.work("battle", guild=None, channel=3) as work:
        logging.getLogger("a.library").warning("before it has a number")
        work.about(battle=5)
        with instruments.work("press", battle=6):
            structlog.get_logger("x").info("inside")
        logging.getLogger("a.library").warning("again")
    structlog.get_logger("x").info("after")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    about = [
        {key: line[key] for key in ("battle", "channel", "guild") if key in line} for line in lines
    ]
    assert about == [
        {"channel": 3},
        {"battle": 6, "channel": 3},
        {"battle": 5, "channel": 3},
        {},
    ]


def test_the_level_holds(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="error", secrets=[])
    structlog.get_logger("x").warning("a warning")
    structlog.get_logger("x").error("an error")
    told = capsys.readouterr().err
    assert "a warning" not in told
    assert "an error" in told


def test_lines_that_somebody_should_look_at_are_counted() -> None:
    instruments = Instruments()
    configure(level="info", secrets=[])
    logging.getLogger().addHandler(Counting(instruments.metrics))
    structlog.get_logger("x").info("all is well")
    logging.getLogger("a.library").warning("hm")
    structlog.get_logger("x").error("no")
    logging.getLogger("a.library").critical("no")
    told = instruments.registry.get_sample_value
    assert told("twofold_log_records_total", {"level": "warning"}) == 1
    assert told("twofold_log_records_total", {"level": "error"}) == 2


def test_the_longest_lag_is_that_of_the_last_one_to_two_minutes() -> None:
    now = 0.0
    lag = LoopLag(Instruments().metrics, clock=lambda: now)
    lag.note(0.5)
    lag.note(0.2)
    assert lag.longest == 0.5
    now = 61.0
    lag.note(0.1)
    assert lag.longest == 0.5
    now = 122.0
    assert lag.longest == 0.1
    now = 1000.0
    assert lag.longest == 0.0
