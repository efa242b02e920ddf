"""A server has the database: restarted, not there yet, not heard any more."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from storage.locks import Lock
from tests.postgres import server
from tests.wire.clock import until
from tests.wire.driver import WireServer
from tests.wire.program import Program
from tests.wire.table import roster

from .database import BROKEN, refused, vote, works
from .fault import fault
from .tried import tried

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Server

AREA = "PostgreSQL"
HOLDER = f"SELECT pid FROM pg_locks WHERE granted AND classid = {Lock.WHOLE}"
UNHEARD = 45
"""Seconds after which a silent connection has been asked, and has not answered."""


def on(postgres: Server) -> dict[str, str]:
    """Have a program use the server."""
    return {"TWOFOLD_DATABASE": postgres.url()}


@fault(
    AREA,
    "the server is restarted while members vote",
    "who votes meanwhile is told that nothing was done; all works when it is back",
)
async def restarted(folder: Path) -> None:
    with server() as postgres:
        async with tried(folder, env=on(postgres)) as at:
            ballot = await at.ask()
            await vote(at, ballot, says="You chose **A**")
            await asyncio.to_thread(postgres.stop)
            press = await at.alice.press(ballot, "A is better")
            await press.says(BROKEN, within=15)
            await asyncio.to_thread(postgres.start)
            assert at.count("votes") == 1
            await works(at, ballot)


@fault(
    AREA,
    "the server is not there when the program starts",
    "the program does not start, and says to check that the server runs",
)
async def away(folder: Path) -> None:
    with server() as postgres:
        postgres.stop()
        async with WireServer() as wire:
            program = Program(wire, folder, roster(), env=on(postgres))
            await refused(program, says="does not answer; check that it runs")
            await asyncio.to_thread(postgres.start)
            async with program:
                pass


@fault(
    AREA,
    "the connection that holds the program's shards is dead, and nobody hangs up",
    "noticed within a minute; the program keeps its shards by another one",
    long=True,
)
async def unheard(folder: Path) -> None:
    with server() as postgres:
        async with tried(folder, env=on(postgres)) as at:
            ballot = await at.ask()
            before = postgres.run(HOLDER)
            ((pid,),) = before
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(UNHEARD)
            finally:
                os.kill(pid, signal.SIGCONT)
            await until(lambda: postgres.run(HOLDER) not in ([], before), lambda: "the claim", 15)
            await works(at, ballot)
