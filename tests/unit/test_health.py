"""What a bot that runs says of itself, on real services whose world goes wrong."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from discord import ui

from bot.app import open_services
from bot.config import Config, ContenderConfig
from bot.errors import EngineUnavailable, VoteRefused
from bot.health import Check, HealthService, Verdict, free_on
from bot.roster import FAILURES
from bot.telemetry.gateway import Gateway
from bot.telemetry.instruments import Instruments
from cogs._render import health as health_views
from storage.database import Database, database_url
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.app import Services
    from bot.health import HealthReport


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    roster = (
        ContenderConfig(slug="plain", kind=Kind.BASE, model="scripted:"),
        ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model="scripted:"),
    )
    async with open_services(
        Config(home=tmp_path, contenders=roster), rng=random.Random(1)
    ) as opened:
        yield opened


def check(verdict: Verdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)


def shown(report: HealthReport) -> str:
    view = health_views.report(report)
    return "\n".join(i.content for i in view.walk_children() if isinstance(i, ui.TextDisplay))


async def test_a_bot_is_well_once_it_is_connected(services: Services) -> None:
    assert not (await services.health.verdict()).ok
    services.gateway.heard("connect", 0)
    verdict = await services.health.verdict()
    assert verdict.ok, verdict


def test_a_break_is_no_alarm_until_it_lasts() -> None:
    now = 0.0
    gateway = Gateway(Instruments().metrics, clock=lambda: now)
    gateway.heard("connect", 0)
    gateway.heard("connect", 1)
    gateway.heard("disconnect", 1)
    now = 50.0
    gateway.heard("disconnect", 1)  # another try that came to nothing
    assert gateway.down == {1: 50.0}
    gateway.heard("resumed", 1)
    assert gateway.down == {}


def test_shards_that_were_never_connected_are_missing() -> None:
    instruments = Instruments()
    gateway = Gateway(instruments.metrics)
    assert gateway.missing == (0,)
    gateway.follow(shards=lambda: (4, 5, 6), latencies=dict, guilds=lambda: 0)
    gateway.heard("connect", 5)
    gateway.measure()
    assert gateway.missing == (4, 6)
    up = [
        instruments.registry.get_sample_value("twofold_gateway_up", {"shard": shard})
        for shard in "456"
    ]
    assert up == [0, 1, 0]


async def test_contenders_that_all_rest_are_named(services: Services) -> None:
    plain = services.roster.contenders[0]
    for _ in range(FAILURES):
        services.roster.failed(plain, EngineUnavailable("no"))
    models = check(await services.health.verdict(), "models")
    assert (models.ok, models.how) == (
        False,
        "every base contender rests: plain. The log says why",
    )
    await services.health.measure()
    told = services.instruments.registry.get_sample_value
    assert told("twofold_contender_up", {"contender": "plain"}) == 0
    assert told("twofold_contender_up", {"contender": "polite"}) == 1


async def test_a_loop_that_is_held_up_for_longer_than_discord_waits_is_an_alarm(
    services: Services,
) -> None:
    services.health.lag.note(3.5)
    assert check(await services.health.verdict(), "loop").ok is False


async def test_a_database_that_does_not_answer_is_an_alarm_and_not_a_fault(
    services: Services, tmp_path: Path
) -> None:
    async with Database.open(database_url(tmp_path / "other.db")) as gone:
        health = HealthService(
            store=gone,
            roster=services.roster,
            admission=services.health._admission,
            gateway=services.gateway,
            lag=services.health.lag,
            instruments=services.instruments,
            folder=tmp_path,
            clock=services.health._clock,
        )
        async with gone._transactions.write() as connection:
            await connection.exec_driver_sql("DROP TABLE alembic_version")
            await connection.exec_driver_sql("DROP TABLE votes")
        database = check(await health.verdict(), "database")
        told = shown(await health.report())
    assert database.ok is False
    assert database.how.startswith(f"The database {tmp_path / 'other.db'} ")
    assert f"- **database**: {database.how}" in told
    assert "**Today** battles unknown, votes unknown" in told


def test_room_is_told_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_on(tmp_path / "a" / "b") == pytest.approx(free_on(tmp_path), rel=0.1)


async def test_the_owner_reads_what_is_wrong_and_which_faults_there_were(
    services: Services,
) -> None:
    services.instruments.failed("battle", EngineUnavailable("a text that must not show"))
    services.instruments.failed("battle", EngineUnavailable("another"))
    services.instruments.failed("interaction", VoteRefused("that is no fault"))
    told = shown(await services.health.report())
    assert "### Something is wrong" in told
    assert "- **discord**: not connected yet: shard 0" in told
    assert "**Today** 0 battles, 0 votes" in told
    assert "EngineUnavailable in battle, 2 times, last <t:" in told
    assert "VoteRefused" not in told
    assert "must not show" not in told
