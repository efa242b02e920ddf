"""The real program as a child process, with its log at hand and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

from storage.database import Database, database_url, file_of
from storage.guilds import FRESH

from .clock import until

if TYPE_CHECKING:
    from types import TracebackType

    from .driver import WireServer
    from .world import Guild

ROOT = Path(__file__).resolve().parents[2]
# What a developer has set must not reach the program under test.
FOREIGN = ("DISCORD_", "TWOFOLD_", "OPENAI_")
LOG_TAIL = 4000


class Program:
    """`twofold run` against a wire server, in a process group of its own."""

    def __init__(
        self, wire: WireServer, home: Path, config: str, *, env: dict[str, str] | None = None
    ) -> None:
        self.wire = wire
        self.home = home
        self.config = home / "twofold.toml"
        self.extra = env or {}
        home.mkdir(parents=True, exist_ok=True)
        self.config.write_text(config, encoding="utf-8")
        self._process: asyncio.subprocess.Process | None = None
        self._starts = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill9()
        if error is not None:
            error.add_note(self.log_tail())

    @property
    def url(self) -> str:
        """The database, which is a file where nothing else was set."""
        return database_url(self.extra.get("TWOFOLD_DATABASE", self.home / "twofold.db"))

    @property
    def database(self) -> Path:
        """The SQLite file."""
        file = file_of(self.url)
        if file is None:
            raise AssertionError("a server has the database")
        return file

    @property
    def stderr(self) -> str:
        """What the latest start wrote to stderr."""
        return self._output("stderr").read_text(encoding="utf-8", errors="replace")

    @property
    def stdout(self) -> str:
        """What the latest start wrote to stdout."""
        return self._output("stdout").read_text(encoding="utf-8", errors="replace")

    def _output(self, stream: str) -> Path:
        return self.home / f"{self._starts}.{stream}.log"

    def log_tail(self) -> str:
        """Return the end of both outputs, for a failing test's message."""
        tails = {"stdout": self.stdout[-LOG_TAIL:], "stderr": self.stderr[-LOG_TAIL:]}
        return "\n".join(f"--- the program's {name} ---\n{text}" for name, text in tails.items())

    async def launch(self, command: str = "run") -> None:
        """Start the process, or another one of its commands, and wait for nothing."""
        self._starts += 1
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        env = self.wire.env(
            {"TWOFOLD_HOME": str(self.home), "TWOFOLD_CONFIG": str(self.config), **self.extra}
        )
        with self._output("stdout").open("wb") as out, self._output("stderr").open("wb") as err:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bot.cli", command),
                cwd=ROOT,
                env=kept | env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    async def start(self, *, within: float = 60.0) -> None:
        """Start the process and wait until the bot is on the gateway."""
        before = self.wire.gateway.identified
        await self.launch()

        def up() -> bool:
            if self._process is not None and self._process.returncode is not None:
                code = self._process.returncode
                raise AssertionError(f"the program ended with {code}\n{self.log_tail()}")
            return self.wire.gateway.identified > before

        await until(up, lambda: f"the bot on the gateway\n{self.log_tail()}", within)

    async def wait_exit(self, *, within: float = 30.0) -> int:
        """Wait for the end and return the exit code."""
        process = self._require_process()
        try:
            return await asyncio.wait_for(process.wait(), within)
        except TimeoutError:
            raise AssertionError(f"still running\n{self.log_tail()}") from None

    def terminate(self) -> None:
        """Ask the program to end, as an init system does."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self._require_process().send_signal(number)

    async def kill9(self) -> None:
        """End the whole process group at once, whatever it does."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    def _require_process(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise AssertionError("the program was not started")
        return self._process

    async def set(self, guild: Guild, setting: str, value: object) -> None:
        """Set something for a server without asking who may; the program knows it then."""
        async with Database.open(self.url) as store:
            by, at = self.wire.world.owner.id, datetime.now(UTC)
            await store.guilds.update(guild.id, setting, value, by=by, at=at)
        await asyncio.sleep(FRESH)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Read the program's database without being able to change it."""
        if file_of(self.url) is None:
            server = self.url.replace("+asyncpg", "")
            with psycopg.connect(server) as connection:
                connection.read_only = True
                return connection.execute(query.replace("?", "%s"), parameters).fetchall()
        uri = f"{self.database.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as connection:
            return connection.execute(query, parameters).fetchall()
