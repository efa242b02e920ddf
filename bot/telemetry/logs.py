"""Logs: structured, timed, on stderr, with what they are about, and with secrets masked.

Lines that are written while a battle or a press is worked on hold its ids (see
`Instruments.work`), those of libraries too.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Final, Literal

    from bot.telemetry.metrics import Metrics

MASK = "[secret]"
SHORTEST_SECRET = 6
"""Anything shorter is no secret, and masking it would eat words."""

NOISY = {
    "discord": logging.WARNING,
    "discord.state": logging.ERROR,  # warns about SimCord's own probe, which has no intents
    "httpx": logging.WARNING,
    "httpx2": logging.WARNING,
    "stamina": logging.ERROR,
    "openai": logging.WARNING,
    "alembic": logging.WARNING,
    "transformers": logging.WARNING,
    "ContinuousBatchingLogger": logging.WARNING,
}
"""Libraries whose everyday records say nothing to an operator, with their least level."""


KEYS = ("HF_TOKEN", "PGPASSWORD")
HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
"""Variables that libraries read, and that no setting of Twofold's has."""


def secrets_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """What libraries take from the environment and nobody may see."""
    pairs = (pair for name in HEADERS for pair in environment.get(name, "").split(","))
    headers = (unquote(pair.partition("=")[2]) for pair in pairs)
    return (*(environment.get(key, "") for key in KEYS), *headers)


def configure(
    *, level: str, secrets: Iterable[str], form: Literal["console", "json"] = "console"
) -> None:
    """Send structlog's and the libraries' records to stderr as one kind of line.

    As JSON, each is an object on a line of its own, with a traceback under `exception`.
    `secrets` are replaced wherever they turn up, in arguments and tracebacks too.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _MaskingFormatter(
            secrets=_written(secrets),
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_as_json() if form == "json" else _for_people()),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy, least in NOISY.items():
        logging.getLogger(noisy).setLevel(max(least, logging.getLogger().level))
    for reconnecting in ("discord.client", "discord.shard"):
        logging.getLogger(reconnecting).addFilter(_without_traceback)
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _for_people() -> list[structlog.typing.Processor]:
    return [
        _in_one_line,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The rich one prints local variables, and members' texts are among them.
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _in_one_line(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """What is logged may come from others: it forges no line and commands no terminal."""
    told = str(event["event"])
    event["event"] = "".join(c if c.isprintable() else repr(c)[1:-1] for c in told)
    return event


def _as_json() -> list[structlog.typing.Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


_WAYS: Final[tuple[Callable[[str], str], ...]] = (
    # As `repr` has it, whichever quotes are around.
    lambda s: s.replace("\\", "\\\\"),
    lambda s: s.replace("\\", "\\\\").replace("'", "\\'"),
    lambda s: json.dumps(s)[1:-1],
    lambda s: quote(s, safe=""),
)


def _written(secrets: Iterable[str]) -> tuple[str, ...]:
    """The secrets in every way in which a line may have them, long ones before their parts."""
    ways = {s for secret in secrets if len(s := secret.strip()) >= SHORTEST_SECRET}
    for _ in range(2):  # a fault's repr may be shown as a repr again
        ways |= {way(s) for s in ways for way in _WAYS}
    return tuple(sorted(ways, key=len, reverse=True))


def _without_traceback(record: logging.LogRecord) -> bool:
    """Discord.py tells of every reconnect with a traceback; the sentence is enough."""
    record.exc_info = None
    return True


class Counting(logging.Handler):
    """Counts the lines that somebody should look at."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.WARNING)
        self._lines = {name: metrics.log_records.labels(name) for name in ("warning", "error")}

    def emit(self, record: logging.LogRecord) -> None:
        """Count one; what is worse than an error counts as one."""
        self._lines["error" if record.levelno >= logging.ERROR else "warning"].inc()


class _MaskingFormatter(structlog.stdlib.ProcessorFormatter):
    """Masks in the finished line, so that no way around it is left."""

    def __init__(self, *, secrets: tuple[str, ...], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, MASK)
        return line
