"""How the bot is doing, for its owner alone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from discord import ui

from bot.wording import count
from cogs._render import layout

if TYPE_CHECKING:
    from bot.health import HealthReport
    from bot.telemetry.instruments import Failure

NOT_YOURS = "Only the person who runs this bot can see that."

UNKNOWN = "unknown"

MOST_FAULTS = 5
MINUTE, HOUR, DAY = 60, 3600, 86400


def report(told: HealthReport) -> ui.LayoutView:
    """What is wrong first, then how things stand."""
    wrong = [check for check in told.verdict.checks if not check.ok]
    head = "### All is well" if told.verdict.ok else "### Something is wrong"
    alarms = [f"- **{check.name}**: {check.how}" for check in wrong]
    up = f"-# Twofold {told.version}, up for {_span(told.up_for)}"
    today = f"{_counted(told.battles_today, 'battle')}, {_counted(told.votes_today, 'vote')}"
    held_up = f"held up for {told.longest_lag * 1000:.0f} ms at most"
    size = UNKNOWN if told.database is None else _size(told.database)
    room = f"database {size}, {_size(told.free)} free on disk"
    stands = (
        f"**Discord** {_shards(told)}",
        f"**Now** {told.running} being answered, {told.waiting} waiting, {held_up}",
        f"**Today** {today}",
        f"**Models** {_models(told)}",
        f"**Machine** {_size(told.memory)} of memory, {room}",
        f"**Faults** {_faults(told.failures)}",
    )
    texts = ("\n".join((head, up, *alarms)), "\n".join(stands))
    return layout.layout(layout.container(*(ui.TextDisplay(text) for text in texts)))


def _counted(number: int | None, noun: str) -> str:
    return f"{noun}s {UNKNOWN}" if number is None else count(number, noun)


def _shards(told: HealthReport) -> str:
    if not told.latencies:
        return "no heartbeat yet"
    slowest = max(told.latencies.values()) * 1000
    if len(told.latencies) == 1:
        return f"heartbeat in {slowest:.0f} ms"
    return f"{count(len(told.latencies), 'shard')}, slowest heartbeat in {slowest:.0f} ms"


def _models(told: HealthReport) -> str:
    said = f"all {told.contenders} are up"
    if told.resting:
        up = told.contenders - len(told.resting)
        said = f"resting: {', '.join(told.resting)}; {up} are up"
    return "".join((said, *(f"\n- {slug} is not: {why}" for slug, why in told.kept_out.items())))


def _faults(failures: tuple[Failure, ...]) -> str:
    """The latest kinds, with how often and when last."""
    if not failures:
        return "none since the start"
    often = Counter((failure.where, failure.type) for failure in failures)
    last = {(failure.where, failure.type): failure.at for failure in reversed(failures)}
    told = [
        f"\n- {type_} in {where}, {count(often[where, type_], 'time')}, last <t:{at:.0f}:R>"
        for (where, type_), at in sorted(last.items(), key=lambda kind: -kind[1])
    ]
    return f"the last {len(failures)}:{''.join(told[:MOST_FAULTS])}"


def _span(seconds: float) -> str:
    if seconds < MINUTE:
        return count(int(seconds), "second")
    if seconds < HOUR:
        return count(int(seconds // MINUTE), "minute")
    if seconds < DAY:
        return count(int(seconds // HOUR), "hour")
    return count(int(seconds // DAY), "day")


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"  # noqa: PLR2004
