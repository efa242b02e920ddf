"""Every metric of the program, declared once: what it means, its labels, its buckets.

Names and units follow Prometheus's conventions: base units, counters end in `_total`. No label
holds an id or a text, and none tells on which side a contender stood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args, get_type_hints

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MODELS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
"""Bounds of buckets, in seconds, for what waits for a model."""

STAGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
"""The same for stages, some of which do."""

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""The same for what nobody should have to wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The metrics by name, without the `twofold_` before it and the `_total` after it.

    Each says what it means, which labels it has, and the bounds of its buckets.
    """

    battles_begun: Annotated[Counter, "Battles that were drawn and stored.", "purpose"]
    battles: Annotated[Counter, "Battles by what came of answering them.", "outcome"]
    battles_closed: Annotated[Counter, "Battles that take no votes any more, by why.", "reason"]
    votes: Annotated[Counter, "Votes cast, changed ones included.", "outcome"]
    votes_changed: Annotated[Counter, "Votes that took the place of an earlier one."]
    votes_undone: Annotated[Counter, "Votes that were taken back."]
    refusals: Annotated[Counter, "What members were refused, by kind of refusal.", "type"]

    stage_seconds: Annotated[Histogram, "Time that a stage of work took.", "stage", STAGES]
    completion_seconds: Annotated[Histogram, "Time of one completion.", "kind", MODELS]
    first_token_seconds: Annotated[Histogram, "Time until a first token.", "kind", MODELS]

    queue_waiting: Annotated[Gauge, "Battles that wait for their turn."]
    queue_running: Annotated[Gauge, "Battles that are being answered."]

    tokens: Annotated[Counter, "Tokens read and written by models.", "contender", "type"]
    completions: Annotated[Counter, "Completions by how they ended.", "contender", "finish_reason"]
    redraws: Annotated[Counter, "Answers that were drawn again.", "contender"]
    spent: Annotated[Counter, "Money spent on tokens, in the prices' currency.", "contender"]
    contender_failures: Annotated[Counter, "Times that a contender could not answer.", "contender"]
    contender_up: Annotated[Gauge, "1 where a contender is drawn, 0 while it rests.", "contender"]
    servers_resting: Annotated[Gauge, "Servers of a contender that are not asked.", "contender"]

    discord_requests: Annotated[Counter, "Requests to Discord.", "method", "route", "status"]
    discord_request_seconds: Annotated[Histogram, "Time until Discord answered.", "route", QUICK]
    discord_rate_limits: Annotated[Counter, "Answers 429 of Discord, by whose limit.", "scope"]
    gateway_up: Annotated[Gauge, "1 where a shard is connected.", "shard"]
    gateway_latency_seconds: Annotated[Gauge, "Time of a shard's last heartbeat.", "shard"]
    gateway_events: Annotated[Counter, "What became of connections to the gateway.", "event"]
    guilds: Annotated[Gauge, "Servers that the bot is in."]

    loop_lag_seconds: Annotated[Histogram, "How late the event loop comes back.", QUICK]
    loop_lag_longest_seconds: Annotated[Gauge, "The longest lag of the last one to two minutes."]
    tasks: Annotated[Gauge, "Tasks of the event loop."]

    database_wait_seconds: Annotated[
        Histogram, "Time until a transaction could begin.", "mode", QUICK
    ]
    database_transaction_seconds: Annotated[
        Histogram, "Time of a transaction, once begun.", "mode", QUICK
    ]
    database_size_bytes: Annotated[Gauge, "Size of the database."]
    disk_free_bytes: Annotated[Gauge, "Room on the disk of the data folder."]

    errors: Annotated[Counter, "Faults, by where they showed and of which type.", "where", "type"]
    log_records: Annotated[Counter, "Lines of the log from `warning` on.", "level"]
    info: Annotated[Gauge, "Always 1; the label says what runs.", "version"]

    @classmethod
    def of(cls, registry: CollectorRegistry) -> Self:
        """Make them all."""
        hints = get_type_hints(cls, include_extras=True)
        return cls(**{name: _made(name, hint, registry) for name, hint in hints.items()})


def _made(name: str, hint: object, registry: CollectorRegistry) -> Any:  # noqa: ANN401
    kind, means, *rest = get_args(hint)
    labels = tuple(each for each in rest if isinstance(each, str))
    more = {"buckets": rest[-1]} if kind is Histogram else {}
    return kind(name, means, labels, namespace="twofold", registry=registry, **more)
