"""A real SQLite file for each test, and the few records that go into it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from storage.database import Database, database_url
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

START = datetime(2026, 1, 1, tzinfo=UTC)

CONTENDERS = (
    Contender(slug="wild", kind=Kind.BASE, model="wheel:gemma==1", fingerprint="f-wild"),
    Contender(slug="tame", kind=Kind.INSTRUCT, model="wheel:smol==1", fingerprint="f-tame"),
)


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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "twofold.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with Database.open(database_url(path)) as database:
        await database.contenders.register(CONTENDERS, at=START)
        yield database


@pytest.fixture
def arena(database: Database) -> Arena:
    return Arena(database)


@pytest.fixture
def raw(database: Database, path: Path) -> Iterator[sqlite3.Connection]:
    """Write SQL past the program, as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


@pytest.fixture
def rows(path: Path) -> Callable[[str], list[tuple[object, ...]]]:
    """Read rows past the program."""

    def read(statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(statement).fetchall()

    return read


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Read every file of a folder, by name."""

    def read(folder: Path) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

    return read
