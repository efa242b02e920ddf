"""Many members press while answers are made and the program is killed: no vote is lost."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from .crowd import Crowd
from .driver import WireServer
from .program import Program
from .table import roster

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "member_battles_per_minute = 100\nchannel_battles_per_minute = 1000\n" + roster(
    "tokens=12&delay=0.05", "tokens=12"
)


async def test_what_was_acknowledged_is_on_the_disk_after_a_kill(tmp_path: Path) -> None:
    async with WireServer() as wire:
        program = Program(wire, tmp_path, CONFIG)
        crowd = Crowd(wire, program, members=60, battles=10, asked=4, rng=Random(4))
        await crowd.allow_many_votes()
        async with program:
            played = await crowd.play(seconds=4.0)
        assert played.flaws == []
        assert played.untold == []
        assert played.late == 0
        assert played.answered > 0
        assert len({press.ballot for press in played.presses if press.confirmed}) == 60
        assert len(played.presses) > 60
