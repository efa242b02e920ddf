"""Traces tell of times and contenders, and of no texts and no sides."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot.app import open_services
from bot.battles import Ask
from bot.config import Config, ContenderConfig
from bot.errors import BattleError, ConfigError
from bot.telemetry.instruments import Instruments
from bot.telemetry.tracing import Traced, Untraced, tracing
from storage.records import Conversation, Kind, Side, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRET = "aardvarks"
ASK = Ask(
    source_message_id=1,
    guild_id=2,
    channel_id=3,
    author_id=7,
    conversation=Conversation(
        turns=(Turn(author_id=7, name="alice", text=f"what do {SECRET} do?"),), bot_name="Twofold"
    ),
)


def config(home: Path, instruct: str) -> Config:
    roster = (
        ContenderConfig(slug="plain", kind=Kind.BASE, model=f"scripted:text={SECRET}+dig"),
        ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model=f"scripted:{instruct}"),
    )
    return Config(home=home, contenders=roster)


async def battle(home: Path, instruments: Instruments, *, instruct: str = "") -> None:
    """Have one prompt answered, as the cogs do it."""
    opening = open_services(config(home, instruct), rng=random.Random(1), instruments=instruments)
    async with opening as services:
        with instruments.work("battle", guild=2, channel=3) as work:
            opened = await services.battles.open(ASK)
            assert opened is not None
            work.about(battle=opened.id)
            await services.battles.answer(opened)


async def test_a_battle_is_a_trace_of_its_stages(tmp_path: Path) -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    await battle(tmp_path, Instruments(tracing=Traced(provider)))
    spans = {span.name: span for span in kept.get_finished_spans()}
    root, answer = spans["battle"], spans["answer"]
    assert root.parent is None
    assert root.attributes == {"twofold.guild": 2, "twofold.channel": 3, "twofold.battle": 1}
    for stage in ("queue", "answer", "store"):
        assert spans[stage].parent.span_id == root.context.span_id
    sides = [span for span in kept.get_finished_spans() if span.name == "completion"]
    assert {side.attributes["twofold.contender"] for side in sides} == {"plain", "polite"}
    assert {side.parent.span_id for side in sides} == {answer.context.span_id}
    told = "".join(span.to_json() for span in kept.get_finished_spans())
    assert SECRET not in told
    assert "side" not in told


async def test_who_began_first_does_not_tell_the_side(tmp_path: Path) -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    instruments = Instruments(tracing=Traced(provider))
    first_is_a = set()
    async with open_services(
        config(tmp_path, ""), rng=random.Random(1), instruments=instruments
    ) as services:
        for number in range(1, 21):
            kept.clear()
            opened = await services.battles.open(replace(ASK, source_message_id=number))
            answered = await services.battles.answer(opened)
            spans = [span for span in kept.get_finished_spans() if span.name == "completion"]
            first = min(spans, key=lambda span: span.start_time)
            side_a = next(answer for answer in answered.answers if answer.side is Side.A)
            first_is_a.add(first.attributes["twofold.contender"] == side_a.contender)
    assert first_is_a == {True, False}


async def test_a_failure_is_told_by_its_type_alone(tmp_path: Path) -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    instruments = Instruments(tracing=Traced(provider))
    with pytest.raises(BattleError):
        await battle(tmp_path, instruments, instruct="fail=99")
    root = next(span for span in kept.get_finished_spans() if span.name == "battle")
    assert not root.status.is_ok
    assert root.attributes["error.type"] == "BattleError"
    assert root.events == ()


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector that takes OTLP over HTTP: its address, and what came."""
    came: list[ExportTraceServiceRequest] = []

    async def traces(request: web.Request) -> web.Response:
        came.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(content_type="application/x-protobuf")

    application = web.Application()
    application.router.add_post("/v1/traces", traces)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", came
    finally:
        await runner.cleanup()


async def test_traces_arrive_where_the_standard_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector() as (address, came):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address}
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        async with tracing(environment) as traces:
            await battle(tmp_path, Instruments(tracing=traces))
    sent = [resource for request in came for resource in request.resource_spans]
    named = {
        attribute.key: attribute.value.string_value for attribute in sent[0].resource.attributes
    }
    assert named["service.name"] == "twofold"
    spans = [
        span.name for resource in sent for scope in resource.scope_spans for span in scope.spans
    ]
    assert sorted(spans) == ["answer", "battle", "completion", "completion", "queue", "store"]


async def test_a_collector_without_the_extra_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"Install twofold\[tracing\], or take the variable"):
        async with tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}):
            pass


async def test_there_are_no_traces_where_no_collector_is_named() -> None:
    async with tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) as traces:
        assert isinstance(traces, Untraced)


def test_a_bot_without_a_collector_loads_nothing_of_it() -> None:
    code = "import bot.app, sys; sys.exit(any('opentelemetry' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
