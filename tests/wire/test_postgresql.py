"""The program on PostgreSQL: what it acknowledged is there after a kill."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from .crowd import Crowd
from .driver import WireServer
from .program import Program
from .table import roster

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Server

PASSWORD = "not-to-be-shown"
CONFIG = "member_battles_per_minute = 100\nchannel_battles_per_minute = 1000\n"


async def test_no_acknowledged_vote_is_lost_by_a_kill(tmp_path: Path, postgres: Server) -> None:
    await asyncio.to_thread(
        postgres.run,
        f"CREATE ROLE voter LOGIN PASSWORD '{PASSWORD}'",
        "CREATE DATABASE votes OWNER voter",
    )
    env = {"TWOFOLD_DATABASE": postgres.url("votes", user=f"voter:{PASSWORD}")}
    config = CONFIG + roster("tokens=12&delay=0.05", "tokens=12")
    async with WireServer() as wire:
        program = Program(wire, tmp_path, config, env=env)
        crowd = Crowd(wire, program, members=20, battles=5, asked=2, rng=Random(5))
        await crowd.allow_many_votes()
        async with program:
            played = await crowd.play(seconds=3.0)
            said = program.stdout + program.stderr
    assert played.flaws == []
    assert played.untold == []
    assert played.answered > 0
    assert len({press.ballot for press in played.presses if press.confirmed}) == 20
    assert PASSWORD not in said
