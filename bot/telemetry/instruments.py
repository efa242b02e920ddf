"""What the program tells of itself while it works: one line for each place that has news.

Each takes microseconds, and none raises. Where no registry is given, nobody reads what is counted.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from bot.errors import BattleError, ConfigError, ConsentError, VoteRefused
from bot.telemetry.metrics import Metrics
from bot.telemetry.tracing import Untraced
from storage.records import Closing, Outcome, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.engines.completion import Completion
    from bot.telemetry.tracing import Noted, Tracing
    from storage.records import Contender

STAGES = ("open", "queue", "answer", "store", "post", "battle", "cast", "press")
OUTCOMES = ("open", "same_text", "failed", "cancelled", "interrupted")
MODES = ("read", "write")

REMEMBERED = 20
"""The latest faults, for the one who asks how it is."""

_REFUSALS = (BattleError, ConfigError, ConsentError, VoteRefused)
"""What members are told in the course of things; anything else that is raised is a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A fault: where it showed, of which type, and when, in seconds since 1970."""

    where: str
    type: str
    at: float


class Work:
    """A battle or a press that is being worked on."""

    def __init__(self, span: Noted) -> None:
        self._span = span

    def about(self, **ids: int | None) -> None:
        """Say what it is about: the log's lines from here on hold that, and its trace."""
        bind_contextvars(**{name: value for name, value in ids.items() if value is not None})
        self._span.note(**ids)


class Instruments:
    """Metrics, traces, and what lines of the log are about."""

    def __init__(
        self,
        *,
        registry: CollectorRegistry | None = None,
        tracing: Tracing | None = None,
        timer: Callable[[], float] = time.perf_counter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self.metrics = Metrics.of(self.registry)
        self._tracing = tracing or Untraced()
        self._timer = timer
        self._clock = clock
        self._latest: deque[Failure] = deque(maxlen=REMEMBERED)
        self._stages = {stage: self.metrics.stage_seconds.labels(stage) for stage in STAGES}
        metrics = self.metrics
        self._waits = {m: metrics.database_wait_seconds.labels(m) for m in MODES}
        self._transactions = {m: metrics.database_transaction_seconds.labels(m) for m in MODES}
        # A series that begins at 0 has a rate from its first event on.
        for counter, values in (
            (metrics.battles, OUTCOMES),
            (metrics.battles_begun, Purpose),
            (metrics.battles_closed, Closing),
            (metrics.votes, Outcome),
        ):
            for value in values:
                counter.labels(value)

    def expect(self, contender: Contender) -> None:
        """A contender is on the roster."""
        slug, metrics = contender.slug, self.metrics
        for counter in (metrics.redraws, metrics.contender_failures):
            counter.labels(slug)
        for type_ in ("prompt", "completion"):
            metrics.tokens.labels(slug, type_)

    @contextmanager
    def work(self, name: str, **ids: int | None) -> Iterator[Work]:
        """Work on a battle or a press: a trace of its own, and timed as a stage."""
        before, began = get_contextvars(), self._timer()
        try:
            with self._tracing.root(name) as span:
                work = Work(span)
                work.about(**ids)
                yield work
        finally:
            self._stages[name].observe(self._timer() - began)
            clear_contextvars()
            bind_contextvars(**before)

    @contextmanager
    def stage(self, name: str) -> Iterator[Noted]:
        """Time a stage of the work, and make it a part of its trace."""
        began = self._timer()
        try:
            with self._tracing.span(name) as span:
                yield span
        finally:
            self._stages[name].observe(self._timer() - began)

    @contextmanager
    def sampling(self, contender: Contender) -> Iterator[Callable[[Completion], None]]:
        """A contender answers once; what this gives is told of what came."""
        with self._tracing.span("completion") as span:
            span.note(contender=contender.slug, kind=contender.kind.value)

            def completed(completion: Completion) -> None:
                self._completed(contender, completion)
                span.note(
                    prompt_tokens=completion.prompt_tokens,
                    completion_tokens=completion.completion_tokens,
                    seconds_to_first_token=completion.seconds_to_first_token,
                    finish_reason=completion.finish_reason.value,
                )

            yield completed

    def begun(self, purpose: Purpose) -> None:
        """A battle was drawn and stored."""
        self.metrics.battles_begun.labels(purpose.value).inc()

    def ended(self, outcome: str) -> None:
        """A battle was answered, or not: one of OUTCOMES."""
        self.metrics.battles.labels(outcome).inc()

    def closed(self, because: Closing) -> None:
        """A battle takes no votes any more."""
        self.metrics.battles_closed.labels(because.value).inc()

    def voted(self, outcome: Outcome, *, changed: bool) -> None:
        """A vote is on the disk."""
        self.metrics.votes.labels(outcome.value).inc()
        if changed:
            self.metrics.votes_changed.inc()

    def undone(self) -> None:
        """A vote was taken back."""
        self.metrics.votes_undone.inc()

    def redrawn(self, contender: Contender) -> None:
        """An answer was drawn again."""
        self.metrics.redraws.labels(contender.slug).inc()

    def gave_up(self, contender: Contender) -> None:
        """A contender could not answer."""
        self.metrics.contender_failures.labels(contender.slug).inc()

    def spent(self, contender: str, money: float) -> None:
        """Tokens of a contender that has a price were paid."""
        self.metrics.spent.labels(contender).inc(money)

    def failed(self, where: str, error: BaseException) -> None:
        """Something was raised: a fault, or what members are told in the course of things."""
        name = type(error).__name__
        if isinstance(error, _REFUSALS):
            self.metrics.refusals.labels(name).inc()
        else:
            self.metrics.errors.labels(where, name).inc()
            self._latest.append(Failure(where=where, type=name, at=self._clock()))

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The latest faults, newest first."""
        return tuple(reversed(self._latest))

    def transacted(self, mode: str, waited: float, took: float) -> None:
        """A transaction ended; both are in seconds."""
        self._waits[mode].observe(waited)
        self._transactions[mode].observe(took)

    def _completed(self, contender: Contender, completion: Completion) -> None:
        slug, kind = contender.slug, contender.kind.value
        metrics = self.metrics
        metrics.completions.labels(slug, completion.finish_reason.value).inc()
        metrics.tokens.labels(slug, "prompt").inc(completion.prompt_tokens)
        metrics.tokens.labels(slug, "completion").inc(completion.completion_tokens)
        metrics.completion_seconds.labels(kind).observe(completion.seconds)
        metrics.first_token_seconds.labels(kind).observe(completion.seconds_to_first_token)
