"""The sums to a million members: `python -m benchmarks.sums --members 1000000 --servers 10000`.

What is assumed of a community, what was measured (`python -m benchmarks.costs`), Discord's own
limits, and what follows. docs/sums.md has the tables; `make docs` writes them anew.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400
YEAR_DAYS, MONTH_HOURS = 365, 730

GUILDS_OF_A_SHARD, RECOMMENDED = 2500, 1000
REQUESTS_PER_SECOND, SESSIONS_PER_DAY, IDENTIFY_SECONDS = 50, 1000, 5


def _is(value: float, what: str, source: str = "assumed") -> Any:  # noqa: ANN401 - as `field`
    return field(default=value, metadata={"what": what, "source": source})


MEASURED_HERE, COUNTED = "measured", "counted in the code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """What is assumed; each figure is for somebody else to change."""

    members: int
    servers: int
    active: float = _is(0.05, "share of the members who write on a day")
    messages: float = _is(20, "messages that each of them writes where the bot can read")
    battles: float = _is(4, "battles that each of them begins")
    votes: float = _is(1.5, "votes on a battle")
    peak: float = _is(4, "times as much happens in the busiest hour as on average")
    prompt: float = _is(500, "tokens that a model reads for an answer, context included")
    answer: float = _is(100, "tokens that it writes")
    drawn: float = _is(1.1, "draws for each answer; one that is empty is drawn again")
    gpu_tokens: float = _is(1000, "tokens a second that a GPU writes, of an 8B model in vLLM")
    gpu_hour: float = _is(2.5, "dollars for that GPU for an hour")
    core_hour: float = _is(0.05, "dollars for a processor core and 4 GB for an hour")
    gigabyte: float = _is(0.15, "dollars for a gigabyte of database for a month")
    api_read: float = _is(0.1, "dollars for a million tokens read, where a provider has the models")
    api_written: float = _is(0.2, "dollars for a million tokens written")

    @property
    def battles_a_day(self) -> float:
        """In all servers."""
        return self.members * self.active * self.battles

    @property
    def votes_a_day(self) -> float:
        """In all servers."""
        return self.battles_a_day * self.votes

    def at_peak(self, a_day: float) -> float:
        """What happens in a second of the busiest hour."""
        return a_day / DAY * self.peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What each costs on PostgreSQL: benchmarks/README.md, "What each costs"."""

    message_ms: float = _is(
        1.75, "ms of processor time for a message that is not for the bot", MEASURED_HERE
    )
    battle_ms: float = _is(58.5, "ms for a battle, models aside", MEASURED_HERE)
    vote_ms: float = _is(36.9, "ms for a vote and its guess", MEASURED_HERE)
    requests: float = _is(4, "requests for a battle: typing, history, ballot, reveal", COUNTED)
    writes: float = _is(
        5, "transactions for a battle: begun, stored, shown, closed, revealed", COUNTED
    )
    battle_bytes: float = _is(
        6832, "bytes of database for a battle, context and answers included", MEASURED_HERE
    )
    vote_bytes: float = _is(303, "bytes for a vote and its guess", MEASURED_HERE)
    server_kib: float = _is(12, "KiB of memory for a server of 30 channels", MEASURED_HERE)
    kept_battle: float = _is(72, "bytes of memory for a closed battle, in each process", COUNTED)
    kept_vote: float = _is(
        17, "bytes of memory for a vote on it: both are for leaderboards", COUNTED
    )


MEASURED = Measured()
BUSY = 0.5
"""How much of a core a process may take at peak, so that nobody waits for its event loop."""

SIZES = (
    Community(members=1_000, servers=5),
    Community(members=50_000, servers=500),
    Community(members=1_000_000, servers=10_000),
)


def shards(c: Community) -> int:
    """As many as Discord recommends."""
    return math.ceil(c.servers / RECOMMENDED)


def cores(c: Community) -> float:
    """Processor cores that are busy at peak, models aside."""
    ms = (
        c.members * c.active * c.messages * MEASURED.message_ms
        + c.battles_a_day * MEASURED.battle_ms
        + c.votes_a_day * MEASURED.vote_ms
    )
    return c.at_peak(ms / 1000)


def processes(c: Community) -> int:
    """As many as it takes to stay below `BUSY`; never more than there are shards."""
    return min(shards(c), max(1, math.ceil(cores(c) / BUSY)))


def requests(c: Community) -> float:
    """What counts towards Discord's limit for a bot, in a second of the busiest hour."""
    return c.at_peak(c.battles_a_day * MEASURED.requests)


def read(c: Community) -> float:
    """Tokens a day that both models read."""
    return c.battles_a_day * 2 * c.drawn * c.prompt


def written(c: Community) -> float:
    """Tokens a day that both models write."""
    return c.battles_a_day * 2 * c.drawn * c.answer


def gigabytes(c: Community) -> float:
    """What a year's battles and votes take, where all agreed to be kept."""
    a_day = c.battles_a_day * MEASURED.battle_bytes + c.votes_a_day * MEASURED.vote_bytes
    return a_day * YEAR_DAYS / 1e9


def kept(c: Community) -> float:
    """What a process keeps of a year's votes for leaderboards, in MB."""
    a_day = c.battles_a_day * MEASURED.kept_battle + c.votes_a_day * MEASURED.kept_vote
    return a_day * YEAR_DAYS / 1e6


def gpus(c: Community) -> int:
    """One for each of the two models at least."""
    return 2 * max(1, math.ceil(c.at_peak(written(c)) / 2 / c.gpu_tokens))


def month_of_gpus(c: Community) -> float:
    """Dollars."""
    return gpus(c) * c.gpu_hour * MONTH_HOURS


def month_of_api(c: Community) -> float:
    """Dollars, with a provider in place of GPUs."""
    return (read(c) * c.api_read + written(c) * c.api_written) / 1e6 * YEAR_DAYS / 12


def month_of_hosts(c: Community) -> float:
    """Dollars for the bot's processes and the database, with a core each, and a year's disk."""
    return (processes(c) + 1) * c.core_hour * MONTH_HOURS + gigabytes(c) * c.gigabyte


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, how it comes about, and how it is written."""

    what: str
    how: str
    of: Callable[[Community], float]
    written: str = ",.0f"


ROWS = (
    Row("battles a day", "members × active × battles", lambda c: c.battles_a_day),
    Row(
        "battles/s at peak",
        "battles a day ÷ 86,400 × peak",
        lambda c: c.at_peak(c.battles_a_day),
        ",.2f",
    ),
    Row("votes/s at peak", "battles/s × votes", lambda c: c.at_peak(c.votes_a_day), ",.2f"),
    Row(
        "**requests/s at peak**, of 50",
        "battles/s × requests; presses do not count",
        requests,
        ",.1f",
    ),
    Row("shards", "servers ÷ 1,000, as Discord recommends; at most 2,500 each", shards),
    Row(
        "seconds until all sessions have begun",
        "shards × 5 s",
        lambda c: shards(c) * IDENTIFY_SECONDS,
    ),
    Row("full restarts a day", "1,000 sessions ÷ shards", lambda c: SESSIONS_PER_DAY // shards(c)),
    Row(
        "messages heard/s at peak",
        "members × active × messages ÷ 86,400 × peak",
        lambda c: c.at_peak(c.members * c.active * c.messages),
        ",.1f",
    ),
    Row("**cores busy at peak**", "messages, battles and votes × their ms", cores, ",.2f"),
    Row("processes", "cores ÷ 0.5, at most one for each shard", processes),
    Row(
        "memory for servers, MB, in all",
        "servers × KiB",
        lambda c: c.servers * MEASURED.server_kib * 1024 / 1e6,
    ),
    Row(
        "memory for leaderboards, MB, in each process, after a year",
        "battles and votes × bytes of their columns",
        kept,
    ),
    Row(
        "**database, GB a year**",
        "battles and votes × their bytes, if all agreed to be kept",
        gigabytes,
        ",.1f",
    ),
    Row(
        "transactions/s at peak",
        "5 a battle, 2 a vote and its guess",
        lambda c: c.at_peak(MEASURED.writes * c.battles_a_day + 2 * c.votes_a_day),
        ",.1f",
    ),
    Row(
        "tokens a day, millions",
        "2 answers × draws × (prompt + answer)",
        lambda c: (read(c) + written(c)) / 1e6,
        ",.1f",
    ),
    Row(
        "tokens written/s at peak",
        "2 answers × draws × answer",
        lambda c: c.at_peak(written(c)),
        ",.0f",
    ),
    Row("**GPUs**", "tokens written/s ÷ 2 models ÷ a GPU's, each model one at least", gpus),
    Row("dollars a month: bot and database", "a core each, and the disk of a year", month_of_hosts),
    Row("dollars a month: GPUs", "GPUs × hour × 730", month_of_gpus),
    Row("or dollars a month: a provider", "tokens × price", month_of_api),
)


def assumptions() -> str:
    """What is assumed and what was measured, as one table."""
    rows = [
        f"| {each.metadata['what']} | {_default(each):g} | {each.metadata['source']} |"
        for kind in (Community, Measured)
        for each in fields(kind)
        if each.metadata
    ]
    return "\n".join(("| what | figure | |", "| --- | ---: | --- |", *rows))


def sums(sizes: tuple[Community, ...] = SIZES) -> str:
    """What follows, a column for each community."""
    heads = " | ".join(f"{c.members:,} members, {c.servers:,} servers" for c in sizes)
    rows = [
        f"| {row.what} | {' | '.join(format(row.of(c), row.written) for c in sizes)} | {row.how} |"
        for row in ROWS
    ]
    dashes = " | ".join("---:" for _ in sizes)
    return "\n".join((f"| | {heads} | how |", f"| --- | {dashes} | --- |", *rows))


def _default(each: Field[float]) -> float:
    return 0.0 if each.default is MISSING else each.default


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for each in fields(Community):
        kind = float if each.metadata else int
        default = getattr(SIZES[-1], each.name)
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=kind, default=default)
    print(sums((Community(**vars(parser.parse_args())),)))
