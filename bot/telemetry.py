"""Logs: structured, timed, on stderr, with secrets masked."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

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


def configure(*, level: str, secrets: Iterable[str]) -> None:
    """Send structlog's and the libraries' records to stderr as one kind of line.

    `secrets` are replaced wherever they turn up, in arguments and tracebacks too.
    """
    masked = tuple(s for secret in secrets if len(s := secret.strip()) >= SHORTEST_SECRET)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _MaskingFormatter(
            secrets=masked,
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(
                    colors=sys.stderr.isatty(),
                    # The rich one prints local variables, and members' texts are among them.
                    exception_formatter=structlog.dev.plain_traceback,
                ),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy, least in NOISY.items():
        logging.getLogger(noisy).setLevel(max(least, logging.getLogger().level))
    logging.getLogger("discord.client").addFilter(_without_traceback)
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


def _without_traceback(record: logging.LogRecord) -> bool:
    """Discord.py tells of every reconnect with a traceback; the sentence is enough."""
    record.exc_info = None
    return True


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
