"""The database: locked, full, read-only, damaged, newer, gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
from typing import TYPE_CHECKING

from tests.wire.driver import WireServer
from tests.wire.program import Program
from tests.wire.table import roster

from .fault import fault
from .tried import tried

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.wire.table import Table
    from tests.wire.world import Message

AREA = "Database"
BUSY, BROKEN = "The database is busy", "The database does not work just now"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock, as another program would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def vote(at: Table, ballot: Message, *, says: str) -> None:
    """Press as somebody new, and read what comes of it."""
    member = at.wire.person(f"voter-{at.wire.world.new_id()}", at.channel.guild)
    press = await member.press(ballot, "A is better")
    await press.says(says, within=15)
    stored = at.program.rows("SELECT 1 FROM votes WHERE voter_id = ?", member.user.id)
    assert bool(stored) is (says == "You chose **A**"), "told one thing, stored another"


async def works(at: Table, ballot: Message) -> None:
    """A vote is taken on what stood before, and a message is answered."""
    await vote(at, ballot, says="You chose **A**")
    await at.ask("does it work?")
    await at.state("open")


async def refused(program: Program, *, says: str) -> None:
    """Start the program, and see it end with one sentence."""
    await program.launch()
    assert await program.wait_exit() != 0
    told = [line for line in program.stderr.splitlines() if line.startswith("twofold: ")]
    assert len(told) == 1
    assert says in " ".join(program.stderr.split()), program.stderr
    assert "Traceback" not in program.stderr


@contextlib.asynccontextmanager
async def left_behind(folder: Path) -> AsyncIterator[Table]:
    """What a program leaves that ran, had battles voted on, and ended in good order."""
    async with tried(folder) as at:
        for _ in range(6):  # pages enough that some are in the middle
            await vote(at, await at.ask("a fold? " * 200), says="You chose **A**")
        at.program.terminate()
        assert await at.program.wait_exit() == 0
        assert not list(at.program.home.glob("*-wal")), "all is in the file after a good end"
        yield at


@fault(
    AREA,
    "another program keeps it locked for seconds",
    "votes wait, are stored and confirmed",
)
async def locked_briefly(folder: Path) -> None:
    async with tried(folder) as at:
        ballot = await at.ask()
        with locked(at.program.database):
            press = await at.alice.press(ballot, "A is better")
            await press.acknowledged()
            assert at.count("votes") == 0
        await press.says("You chose **A**")
        await works(at, ballot)


@fault(
    AREA,
    "another program keeps it locked for long",
    "who votes or asks is told that nothing was done; all works when it is free again, and the "
    "program does not start before",
    long=True,
)
async def locked_for_long(folder: Path) -> None:
    async with tried(folder) as at:
        ballot = await at.ask()
        with locked(at.program.database):
            await asyncio.gather(*(vote(at, ballot, says=BUSY) for _ in range(8)))
            assert BUSY in (await at.ask()).text
        await works(at, ballot)
        at.program.terminate()
        assert await at.program.wait_exit() == 0
        with locked(at.program.database):
            await refused(at.program, says="is in use elsewhere; try again in a moment")
        await at.program.start()
        await works(at, ballot)


class Disk:
    """A folder on a small disk of its own, or on any; there, no file can be made to grow."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "twofold.db"
        self._ballast = folder / "ballast"

    def fill(self, program: Program) -> None:  # noqa: ARG002
        """Leave no room; `program` is what runs on it."""
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)

    def free(self, program: Program) -> None:  # noqa: ARG002
        """Make room again."""
        self._ballast.unlink()


class CappedDisk(Disk):
    """Where none can be mounted: what the program writes to is as large as it may be."""

    def fill(self, program: Program) -> None:
        self._limit(program, self.file.with_name("twofold.db-wal").stat().st_size)

    def free(self, program: Program) -> None:
        self._limit(program, resource.RLIM_INFINITY)

    def _limit(self, program: Program, size: int) -> None:
        limits = (size, resource.RLIM_INFINITY)
        resource.prlimit(program._process.pid, resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Make a disk of four megabytes."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        yield CappedDisk(folder)
        return
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@fault(
    AREA,
    "its disk is full",
    "who votes or asks is told that nothing was done, and the log says to free some space; "
    "nothing that was stored is lost, and all works when there is room again",
)
async def full(folder: Path) -> None:
    with small_disk(folder / "disk") as disk:
        async with tried(folder / "home", env={"TWOFOLD_DATABASE": str(disk.file)}) as at:
            ballot = await at.ask()
            await vote(at, ballot, says="You chose **A**")
            disk.fill(at.program)
            await vote(at, ballot, says=BROKEN)
            assert BROKEN in (await at.ask()).text
            assert "space" in at.program.stderr
            assert at.count("votes") == 1
            disk.free(at.program)
            await works(at, ballot)


UNPRIVILEGED = """
import ctypes

# Not even root may write then what its mode says nobody may.
ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)())
"""
"""Runs in the program under test before anything of its own. The number is version 3 of capset."""


@fault(
    AREA,
    "the file, or its folder, may not be written",
    "the program does not start, and says what to make writable",
    long=True,
)
async def read_only(folder: Path) -> None:
    place = folder / "place"
    place.mkdir()
    (place / "sitecustomize.py").write_text(UNPRIVILEGED, "utf-8")
    async with left_behind(folder / "home") as at:
        file = shutil.move(at.program.database, place / "twofold.db")
        at.program.extra |= {"PYTHONPATH": str(place), "TWOFOLD_DATABASE": str(file)}
        file.chmod(0o444)
        await refused(at.program, says="cannot be written; make the file and its folder writable")
        place.chmod(0o555)
        file.chmod(0o644)
        await refused(at.program, says="cannot be written")
        place.chmod(0o755)
        await at.program.start()
        await works(at, at.said()[-1])


def damage(file: Path) -> None:
    """Overwrite the middle of a file, as a failing disk would."""
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 3)
        opened.write(os.urandom(size // 3))


@fault(
    AREA,
    "the machine goes down, and the file is damaged in its middle",
    "the program does not start, leaves the file as it is, and says to restore a backup",
)
async def damaged(folder: Path) -> None:
    async with left_behind(folder) as at:
        await at.program.start()
        await at.program.kill9()
        damage(at.program.database)
        before = at.program.database.read_bytes()
        await refused(at.program, says="is damaged; restore a backup, or move the file away")
        assert at.program.database.read_bytes() == before


@fault(
    AREA,
    "the file is damaged while the program runs",
    "what can be read and written goes on; the rest is told, with what to do in the log; "
    "`twofold check` says it again",
    long=True,
)
async def damaged_meanwhile(folder: Path) -> None:
    async with left_behind(folder) as at:
        await at.program.start()
        damage(at.program.database)
        replies = [(await at.ask("a fold? " * 200)).text for _ in range(3)]
        told = [said for said in replies if BROKEN in said or "could not be stored" in said]
        assert all("Vote" in said for said in replies if said not in told), replies
        log = " ".join(at.program.stderr.split())
        assert ("is damaged; restore a backup" in log) >= bool(told), log
        at.program.terminate()
        assert await at.program.wait_exit() == 0
        await at.program.launch("check")
        assert await at.program.wait_exit() == 1
        assert "is damaged; restore a backup" in " ".join(at.program.stdout.split())


@fault(
    AREA,
    "a newer Twofold wrote the file",
    "the program does not start, leaves the file as it is, and says to install the newest version",
    long=True,
)
async def newer(folder: Path) -> None:
    async with left_behind(folder) as at:
        file = at.program.database
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        before = file.read_bytes()
        await refused(at.program, says="A newer Twofold wrote the database")
        assert file.read_bytes() == before


@fault(
    AREA,
    "the file is no database, or belongs to another program",
    "the program does not start, leaves the file as it is, and says to name another",
)
async def foreign(folder: Path) -> None:
    async with WireServer() as wire:
        program = Program(wire, folder, roster())
        program.database.write_text("my diary\n" * 1000, "utf-8")
        await refused(
            program,
            says="or is not a database; set TWOFOLD_DATABASE_KEY to its key, move the file away",
        )
        assert program.database.read_text("utf-8").startswith("my diary")


@fault(
    AREA,
    "the file is removed or replaced while the program runs",
    "no vote is taken that would be lost: who votes is told, the log says to put it back, and "
    "all works when it is back",
)
async def removed(folder: Path) -> None:
    async with tried(folder) as at:
        ballot = await at.ask()
        aside = at.program.database.rename(folder / "aside.db")
        member = at.wire.person("carol", at.channel.guild)
        press = await member.press(ballot, "B is better")
        await press.says(BROKEN)
        assert BROKEN in (await at.ask()).text
        assert "was removed or replaced while it was open" in at.program.stderr
        aside.rename(at.program.database)
        await works(at, ballot)
