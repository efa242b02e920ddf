"""A PostgreSQL server of the tests' own: made in a temporary folder, gone with the process.

It is reached by a socket in that folder, so that no port is taken, and each process that runs
tests has its own. What is written is not kept safe: nothing waits for the disk.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from storage.database import Database
from storage.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

MISSING = "there is no PostgreSQL here; on Debian, `apt-get install postgresql` brings it"

# Debian keeps the programs out of the path.
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_NAMES = "local all locked scram-sha-256\nlocal all all trust\n"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "logging_collector": "off",
}
_STARTS_WITHIN = 30


class Server:
    """A running server; `url` names one of its databases."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._emptying = ""
        self._made = 0

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        return f"postgresql+asyncpg://{user}@/{database}?host={self._folder}"

    def run(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements one by one, each by itself; the rows of the last."""
        with self.connected(database) as connection:
            for statement in statements:
                found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def connected(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect past the program; each statement is a transaction."""
        options = {"host": str(self._folder), "user": "postgres", "dbname": database}
        return psycopg.connect(**options, autocommit=True)

    def emptied(self) -> str:
        """Name the database that tests share, with its tables and nothing in them."""
        if not self._emptying:
            self.run("CREATE DATABASE shared")
            _elsewhere(_migrate(self.url("shared")))
            # Faster than TRUNCATE where there is little, and rows may go in any order.
            deleting = "; ".join(f"DELETE FROM {table}" for table in metadata.tables)
            self._emptying = (
                f"SET session_replication_role = replica; {deleting};"
                " SELECT setval(seqrelid, 1, false) FROM pg_sequence"
            )
        self.run(self._emptying, database="shared")
        return self.url("shared")

    @contextmanager
    def another(self) -> Iterator[str]:
        """Name a database without tables, which is gone afterwards."""
        self._made += 1
        name = f"another_{self._made}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self) -> None:
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        self._process = self._as_nobody(
            subprocess.Popen,
            "postgres",
            "-D",
            str(self._data),
            *options,
            f"--unix_socket_directories={self._folder}",
        )
        deadline = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                self.run("SELECT 1")
            except psycopg.Error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "log").read_text()
                    raise RuntimeError(f"the server did not start:\n{log}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it as a machine would that is shut down: who is connected is cut off."""
        if self._process is not None:
            self._process.send_signal(2)
            self._process.wait()

    def make(self) -> None:
        (self._folder / "log").touch()
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        made = self._as_nobody(
            subprocess.Popen,
            "initdb",
            "--pgdata",
            str(self._data),
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--auth=trust",
        )
        if made.wait() != 0:
            raise RuntimeError(f"no cluster was made:\n{(self._folder / 'log').read_text()}")
        (self._data / "pg_hba.conf").write_text(_NAMES)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _as_nobody(self, how: type[subprocess.Popen[bytes]], program: str, *words: str) -> Any:
        """Run a program of PostgreSQL's, which root must not be."""
        if os.geteuid() == 0:
            how = partial(how, user="postgres", group="postgres", extra_groups=[])
        with (self._folder / "log").open("ab") as log:
            command = [str(self._programs / program), *words]
            return how(command, stdout=log, stderr=log, cwd=self._folder, env={"PATH": os.defpath})


@contextmanager
def server() -> Iterator[Server]:
    """A server; the test is skipped where PostgreSQL is not installed, but never in CI."""
    programs = programs_folder()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    # A socket's path may have some hundred characters only.
    folder = Path(tempfile.mkdtemp(prefix="twofold-", dir="/tmp"))
    made = Server(programs, folder)
    try:
        made.make()
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def programs_folder() -> Path | None:
    """Where `postgres` is, if anywhere."""
    found = shutil.which("postgres")
    named = [Path(found).parent] if found else []
    return next((folder for folder in (*named, *_FOLDERS) if (folder / "initdb").exists()), None)


def _elsewhere(work: Coroutine[Any, Any, None]) -> None:
    """Run something in a loop of its own, also where one is running."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _migrate(url: str) -> None:
    async with Database.open(url):
        pass
