"""Traces of battles and presses, sent to where OpenTelemetry's own variables say.

Spans hold ids, times and contenders; never a text, and not on which side a contender stood.
Nothing of them is passed on to the servers of models.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from bot import __version__
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Value = str | int | float | bool


class Noted(Protocol):
    """A span that is being written."""

    def note(self, **attributes: Value | None) -> None:
        """Add what became known; None is left out."""


class Tracing(Protocol):
    """Where spans go."""

    def root(self, name: str) -> AbstractContextManager[Noted]:
        """A trace of its own, which spans that begin inside belong to."""

    def span(self, name: str) -> AbstractContextManager[Noted]:
        """A part of the trace that this is inside of."""


class Untraced:
    """No traces."""

    def root(self, name: str) -> AbstractContextManager[Noted]:
        """Nothing."""
        return self.span(name)

    def span(self, name: str) -> AbstractContextManager[Noted]:  # noqa: ARG002 - as the protocol
        """Nothing."""
        return nullcontext(self)

    def note(self, **attributes: Value | None) -> None:
        """Nothing."""


class Traced:
    """Spans of OpenTelemetry's, by a provider that nobody else knows."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.context import Context  # noqa: PLC0415 - an extra
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        self._tracer = provider.get_tracer("twofold", __version__)
        self._nowhere = Context()
        self._error = StatusCode.ERROR

    def root(self, name: str) -> AbstractContextManager[Noted]:
        """See `Tracing`."""
        return self._span(name, self._nowhere)

    def span(self, name: str) -> AbstractContextManager[Noted]:
        """See `Tracing`."""
        return self._span(name, None)

    @contextmanager
    def _span(self, name: str, inside: Context | None) -> Iterator[Noted]:
        # What an exception says may hold a text, so only its type is kept.
        with self._tracer.start_as_current_span(
            name, inside, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield _Noted(span)
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                if isinstance(error, Exception):
                    span.set_status(self._error)
                raise


class _Noted:
    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, **attributes: Value | None) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(f"twofold.{name}", value)


@asynccontextmanager
async def tracing(environment: Mapping[str, str]) -> AsyncIterator[Tracing]:
    """Send traces where the standard variables name a collector; what is left is sent at the end.

    Raises ConfigError where they do and the extra is not installed.
    """
    if not any(environment.get(name) for name in ENDPOINTS):
        yield Untraced()
        return
    provider = _provider()
    try:
        yield Traced(provider)
    finally:
        await asyncio.to_thread(provider.shutdown)


def _provider() -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import (  # noqa: PLC0415
            OTELResourceDetector,
            Resource,
        )
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            f"{ENDPOINTS[0]} is set, and the extra for traces is not installed. Install "
            "twofold[tracing], or take the variable away."
        ) from None
    ours = Resource({"service.name": "twofold", "service.version": __version__})
    resource = ours.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
