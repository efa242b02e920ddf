"""What an operator sees of the real program: metrics, health, logs."""

from __future__ import annotations

import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from .driver import WireServer
from .people import Person
from .program import Program
from .table import roster, table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .table import Table


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


class Seen:
    """A table at which the program is asked how it is."""

    def __init__(self, at: Table, port: int) -> None:
        self.at = at
        self._port = port

    async def ask(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self._port}/{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.text()

    async def metrics(self) -> dict[str, float]:
        """Every sample by its name and labels."""
        _, text = await self.ask("metrics")
        return {
            sample.name
            + "".join(f" {k}={v}" for k, v in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@asynccontextmanager
async def seen(folder: Path, *scripts: str) -> AsyncIterator[Seen]:
    port = free_port()
    config = f'metrics_port = {port}\nlog_format = "json"\n{roster(*scripts)}'
    async with table(folder, config) as at:
        yield Seen(at, port)


async def test_a_battle_and_a_vote_are_counted_and_timed_without_telling_of_whom(
    tmp_path: Path,
) -> None:
    async with seen(tmp_path) as it:
        ballot = await it.at.ask("what is an aardvark?")
        press = await (await it.at.alice.press(ballot, "A is better")).acknowledged()
        await press.says("You chose **A**")
        told = await it.metrics()
        assert told["twofold_battles_begun_total purpose=live"] == 1
        assert told["twofold_battles_total outcome=open"] == 1
        assert told["twofold_votes_total outcome=win"] == 1
        for stage in ("open", "queue", "answer", "store", "post", "battle", "cast", "press"):
            assert told[f"twofold_stage_seconds_count stage={stage}"] == 1
        for kind in ("base", "instruct"):
            assert told[f"twofold_completion_seconds_count kind={kind}"] == 1
        assert told["twofold_tokens_total contender=gemma-x type=completion"] > 0
        assert (
            told["twofold_discord_requests_total method=POST route=channels/messages status=200"]
            == 1
        )
        assert told["twofold_gateway_up shard=0"] == 1
        assert told["twofold_guilds"] == 1
        assert told["twofold_tasks"] > 3
        assert told["twofold_queue_waiting"] == told["twofold_queue_running"] == 0
        assert told["twofold_database_size_bytes"] > 10_000
        assert told["process_resident_memory_bytes"] > 10_000_000
        _, text = await it.ask("metrics")
        people = (it.at.alice.user.id, it.at.channel.id, it.at.channel.guild.id, ballot.id)
        assert not [found for found in (*map(str, people), "aardvark", "alice") if found in text]


async def test_health_is_told_by_page_and_by_command_to_the_owner_alone(tmp_path: Path) -> None:
    async with seen(tmp_path) as it:
        status, body = await it.ask("healthz")
        told = json.loads(body)
        assert (status, told["ok"]) == (200, True), body
        assert set(told["checks"]) == {"discord", "database", "models", "loop", "disk"}
        assert (await it.ask("livez"))[0] == 200
        await it.at.ask()
        owner = Person(it.at.wire, it.at.wire.world.owner)
        shown = await (await owner.slash(it.at.channel, "health")).acknowledged()
        await shown.says("All is well")
        assert "Today** 1 battle, 0 votes" in shown.text
        refused = await it.at.boss.slash(it.at.channel, "health")
        await refused.says("Only the person who runs this bot can see that.")
        assert "**" not in refused.text
        assert shown.public + refused.public == []


async def test_lines_of_the_log_are_json_and_say_what_battle_they_are_about(tmp_path: Path) -> None:
    async with seen(tmp_path, "", "fail=99") as it:
        await it.at.ask()
        await it.at.state("failed")
        lines = [json.loads(line) for line in it.at.program.stderr.splitlines()]
        failed = [line for line in lines if line["event"] == "a contender failed"]
        about = {"battle": 1, "guild": it.at.channel.guild.id, "channel": it.at.channel.id}
        assert failed
        assert all(about.items() <= line.items() for line in failed)
        assert not [line for line in lines if line["event"] == "ready" and "battle" in line]
        told = await it.metrics()
        assert told["twofold_errors_total type=EngineUnavailable where=battle"] == 1
        assert told["twofold_contender_failures_total contender=smol-y"] == 1
        assert told["twofold_log_records_total level=warning"] > 0


async def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with WireServer() as wire:
            program = Program(wire, tmp_path, f"metrics_port = {port}\n{roster()}")
            await program.launch()
            assert await program.wait_exit() == 1
    assert f"Port {port} for metrics is in use." in program.stderr
    assert "Traceback" not in program.stderr
