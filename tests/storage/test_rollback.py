"""The way back: every released schema is reached again, with all that it held."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, inspect

from storage.database import Database, database_url
from storage.errors import StorageError
from storage.records import Outcome
from tests.storage.conftest import CONTENDERS, START, Arena
from tests.storage.test_schema import RELEASED, _restored, _rows

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.storage.conftest import Raw


def shape(file: Path) -> dict[str, Any]:
    """Columns, indexes and references of every table, in whatever order."""
    engine = create_engine(f"sqlite:///{file}")
    seen = inspect(engine)
    tables = {
        table: (
            {c["name"]: (str(c["type"]), c["nullable"]) for c in seen.get_columns(table)},
            sorted((i["name"], tuple(i["column_names"])) for i in seen.get_indexes(table)),
            sorted(map(str, seen.get_foreign_keys(table))),
        )
        for table in seen.get_table_names()
    }
    engine.dispose()
    return tables


@pytest.mark.sqlite("the released databases are SQLite files")
@pytest.mark.parametrize("dump", RELEASED, ids=lambda dump: dump.stem)
async def test_a_database_goes_back_to_the_version_that_it_came_from(
    dump: Path, path: Path, tmp_path: Path
) -> None:
    before = _restored(dump, path)
    shaped = shape(path)
    async with Database.open(database_url(path)) as database:
        await database.go_back(dump.stem)
    assert shape(path) == shaped
    with closing(sqlite3.connect(path)) as later:
        assert later.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert later.execute("PRAGMA foreign_key_check").fetchall() == []
        assert _rows(later) == before
    async with Database.open(database_url(path)) as database:
        assert [len(page) async for page in database.voted.pages()] == [1]


async def test_a_way_back_and_forth_loses_no_vote(fresh: str) -> None:
    async with Database.open(fresh) as database:
        arena = Arena(database)
        await database.contenders.register(CONTENDERS, at=START)
        battle = await arena.open()
        (answer, _) = battle.answers
        await database.votes.cast(
            battle_id=battle.id,
            voter_id=5,
            outcome=Outcome.WIN,
            winner_answer_id=answer.id,
            by_author=False,
            at=arena.at(2),
        )
        await database.go_back("0003")
    async with Database.open(fresh) as database:
        (vote,) = await database.votes.for_battle(battle.id)
        assert (vote.voter_id, vote.outcome, vote.winner_answer_id) == (
            5,
            Outcome.WIN,
            answer.id,
        )


@pytest.mark.parametrize("step", ["0008", "latest", ""])
async def test_where_there_is_no_such_step_nothing_changes(database: Database, step: str) -> None:
    with pytest.raises(StorageError, match="Choose one of: 0001, 0002"):
        await database.go_back(step)
    assert await database.revision() == "0007"


async def test_what_is_simulated_never_passes_for_real(
    database: Database, arena: Arena, raw: Raw
) -> None:
    battle = await arena.open()
    raw.execute("UPDATE battles SET simulated = true WHERE id = :id", id=battle.id)
    with pytest.raises(StorageError, match="simulate --remove"):
        await database.go_back("0004")
