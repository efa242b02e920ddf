"""What first aid finds of the machine: room, memory, clock, the port for metrics."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import psutil

from bot.engines.weights import installed, parse_source
from bot.health import LEAST_FREE, free_on, grows_in

if TYPE_CHECKING:
    from datetime import datetime

    from bot.config import Config

SKEW_SECONDS = 5
"""How wrong a clock may be: Discord says when something was in whole seconds."""

MODEL_OVERHEAD = 1.2
ASK_SECONDS = 5.0
GB = 1e9


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `ok` is None where it is for a person to judge, or not needed here."""

    what: str
    ok: bool | None
    how: str


def disk(config: Config) -> Finding:
    """Whether there is room for votes."""
    folder = grows_in(config)
    free = free_on(folder)
    how = f"{free / GB:.1f} GB are free in {folder}"
    if free < LEAST_FREE:
        return Finding("disk", ok=False, how=f"{how}. Make room, or move the database elsewhere")
    return Finding("disk", ok=True, how=how)


def memory(config: Config) -> Finding:
    """Whether the weights that are here fit in."""
    used = {parse_source(contender.model) for contender in config.contenders}
    sizes = [entry.size for entry in installed(config.models_folder) if entry.source in used]
    needed, free = MODEL_OVERHEAD * sum(sizes), psutil.virtual_memory().available
    how = f"{free / GB:.1f} GB are free"
    if not sizes:
        return Finding("memory", ok=True, how=how)
    how = f"{how}, the models take about {needed / GB:.1f} GB"
    if needed > free:
        advice = "Where no GPU takes them, close other programs or choose a smaller preset"
        return Finding("memory", ok=None, how=f"{how}. {advice}")
    return Finding("memory", ok=True, how=how)


def clock(date: str, *, now: datetime) -> Finding:
    """Whether this machine's clock agrees with the Date header of an answer of Discord's."""
    ahead = (now - parsedate_to_datetime(date)).total_seconds()
    if abs(ahead) <= SKEW_SECONDS:
        return Finding("clock", ok=True, how="agrees with Discord's")
    way = "ahead of" if ahead > 0 else "behind"
    how = f"is {abs(ahead):.0f} s {way} Discord's. Turn on time synchronisation"
    return Finding("clock", ok=False, how=how)


def metrics(config: Config) -> Finding:
    """Whether the port for metrics is free, or a bot answers there."""
    host, port = config.metrics_host, config.metrics_port
    if not port:
        return Finding("metrics", ok=None, how="are off; TWOFOLD_METRICS_PORT turns them on")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except OSError as error:
        if _answers(config) is not None:
            return Finding("metrics", ok=True, how=f"a Twofold serves them at {host}:{port}")
        how = f"cannot be served at {host}:{port} ({error.strerror}). Set another port or host"
        return Finding("metrics", ok=False, how=how)
    return Finding("metrics", ok=True, how=f"will be served at {host}:{port}")


def running(config: Config) -> list[Finding]:
    """What a bot that runs says of itself; one finding that is not ok where none answers."""
    if not config.metrics_port:
        how = "cannot be asked: set TWOFOLD_METRICS_PORT, and start it again"
        return [Finding("the bot", ok=False, how=how)]
    told = _answers(config)
    if told is None:
        where = f"{config.metrics_host}:{config.metrics_port}"
        how = f"does not answer at {where}. It is not running, or still starting"
        return [Finding("the bot", ok=False, how=how)]
    return [Finding(name, ok=each["ok"], how=each["how"]) for name, each in told.items()]


def _answers(config: Config) -> dict[str, Any] | None:
    """The checks of /healthz; None where no Twofold answers."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared only
    host = here.get(config.metrics_host, config.metrics_host)
    asking = http.client.HTTPConnection(host, config.metrics_port, timeout=ASK_SECONDS)
    try:
        asking.request("GET", "/healthz")
        checks = json.loads(asking.getresponse().read())["checks"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        asking.close()
    return dict(checks)
