"""A real database for each test, and the few records that go into it.

Every test is run twice: on an SQLite file, and on a PostgreSQL server of the tests' own. One
that is about the file says so: `@pytest.mark.sqlite("why")`. Those in ENCRYPTED are run on an
encrypted file as well; with `pytest tests/storage --encrypted` all are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text

from storage import cipher
from storage.database import Database, database_url, file_of
from storage.records import (
    Answer,
    Battle,
    Contender,
    Conversation,
    FinishReason,
    Kind,
    Purpose,
    Side,
    Turn,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.postgres import Server

START = datetime(2026, 1, 1, tzinfo=UTC)

CONTENDERS = (
    Contender(slug="wild", kind=Kind.BASE, model="wheel:gemma==1", fingerprint="f-wild"),
    Contender(slug="tame", kind=Kind.INSTRUCT, model="wheel:smol==1", fingerprint="f-tame"),
)


ENCRYPTED = {
    "test_at_once",
    "test_brief",
    "test_durability",
    "test_transactions",
    "test_vote_store",
}
"""Modules that try what is particular to a driver: waiting, rolling back, faults, kills."""
KEY = SecretStr("5eed" * 16)


class Arena:
    """Makes battles in an open database, with message ids that never repeat."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._numbers = count(1)

    def at(self, seconds: int = 0) -> datetime:
        return START + timedelta(seconds=seconds)

    def conversation(self, *texts: str) -> Conversation:
        turns = (
            Turn(author_id=2**60 + number, name=f"Member {number}", text=text, message_id=number)
            for number, text in enumerate(texts or ("hello",), start=1)
        )
        return Conversation(turns=tuple(turns), bot_name="Twofold")

    def answers(self, text: str = "a text") -> tuple[Answer, Answer]:
        first, second = (
            Answer(
                side=side,
                contender=contender.slug,
                kind=contender.kind,
                fingerprint=contender.fingerprint,
                template="raw",
                rendered=f"rendered {text}",
                raw=f"raw {text}",
                shown=f"shown {text}",
                finish_reason=FinishReason.STOP,
                tags=("run-on", "leak"),
                prompt_tokens=3,
                completion_tokens=5,
                seconds_to_first_token=0.25,
                seconds=1.5,
                seed=2**62,
                retries=1,
            )
            for side, contender in zip(Side, CONTENDERS, strict=True)
        )
        return first, second

    async def answering(
        self,
        *texts: str,
        guild_id: int | None = 7,
        purpose: Purpose = Purpose.LIVE,
        parent_id: int | None = None,
        mirror_of_id: int | None = None,
    ) -> Battle:
        battle = await self.database.battles.create(
            source_message_id=10**18 + next(self._numbers),
            guild_id=guild_id,
            channel_id=8,
            author_id=9,
            conversation=self.conversation(*texts),
            purpose=purpose,
            parent_id=parent_id,
            mirror_of_id=mirror_of_id,
            at=START,
        )
        assert battle is not None
        return battle

    async def open(
        self,
        *texts: str,
        guild_id: int | None = 7,
        purpose: Purpose = Purpose.LIVE,
        parent_id: int | None = None,
        mirror_of_id: int | None = None,
    ) -> Battle:
        battle = await self.answering(
            *texts,
            guild_id=guild_id,
            purpose=purpose,
            parent_id=parent_id,
            mirror_of_id=mirror_of_id,
        )
        opened = await self.database.battles.open(battle.id, self.answers(), at=self.at(1))
        assert opened is not None
        return opened


class Raw:
    """SQL past the program, as another program would write it; `:name` stands for a value."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def execute(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        result = self.connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--encrypted", action="store_true", help="try all on an encrypted file too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("sqlite")
        if only is not None and not only.args:
            raise ValueError(f"{metafunc.function.__name__} does not say why it is about SQLite")
        everything = metafunc.config.getoption("--encrypted", default=False)
        also = everything or metafunc.module.__name__ in ENCRYPTED
        backends = ["sqlite", *(["encrypted"] if also else []), "postgresql"]
        metafunc.parametrize("backend", ["sqlite"] if only else backends)


@pytest.fixture
def key(backend: str, monkeypatch: pytest.MonkeyPatch) -> SecretStr | None:
    """The key that every database of a test is opened with, however that is done."""
    if backend != "encrypted":
        return None
    monkeypatch.setattr(Database, "open", partial(Database.open, key=KEY))
    monkeypatch.setenv("KEY", KEY.get_secret_value())  # for processes that a test starts
    return KEY


@pytest.fixture
def renew(
    backend: str, key: SecretStr | None, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[], str]:
    """Name a database that nothing is in, as often as one is needed; those of before are over."""
    if backend != "postgresql":
        numbers = count()
        return lambda: database_url(tmp_path / f"data{next(numbers)}" / "twofold.db")
    server: Server = request.getfixturevalue("postgres")
    return server.emptied


@pytest.fixture
def url(renew: Callable[[], str]) -> str:
    """Name a database that nothing is in."""
    return renew()


@pytest.fixture
def fresh(
    backend: str, key: SecretStr | None, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """Name a database of this test's own, without tables, which it may do anything to."""
    if backend != "postgresql":
        yield database_url(tmp_path / "fresh.db")
        return
    server: Server = request.getfixturevalue("postgres")
    with server.another() as url:
        yield url


@pytest.fixture
def path(url: str) -> Path:
    """Find the file, for tests that are marked to be about it."""
    found = file_of(url)
    assert found is not None, "a test with a path is about SQLite: mark it, and say why"
    return found


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database.open(url) as database:
        await database.contenders.register(CONTENDERS, at=START)
        yield database


@pytest.fixture
def arena(database: Database) -> Arena:
    return Arena(database)


def past(url: str, key: SecretStr | None = None) -> Connection:
    """Connect past the program; each statement is a transaction."""
    drivers = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
    parsed = make_url(url)
    how: dict[str, Any] = {}
    if key:
        opening = partial(cipher.connect, parsed.database, key=key)
        how = {"module": cipher.module(key), "creator": opening}
    engine = create_engine(parsed.set(drivername=drivers[parsed.get_backend_name()]), **how)
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    if parsed.get_backend_name() == "sqlite":
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
    return connection


@pytest.fixture
def raw(database: Database, url: str, key: SecretStr | None) -> Iterator[Raw]:
    with past(url, key) as connection:
        yield Raw(connection)
    connection.engine.dispose()


@pytest.fixture
def rows(url: str, key: SecretStr | None) -> Callable[[str], list[tuple[object, ...]]]:
    """Read rows past the program."""

    def read(statement: str) -> list[tuple[object, ...]]:
        with past(url, key) as connection:
            found = Raw(connection).execute(statement)
        connection.engine.dispose()
        return found

    return read


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Read every file of a folder, by name."""

    def read(folder: Path) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

    return read
