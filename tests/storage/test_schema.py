"""The schema: migrated as declared, and refusing by itself what must never be stored."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from storage.database import Database, database_url
from storage.schema import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Arena


async def test_a_migrated_file_is_what_the_metadata_declares(
    database: Database, path: Path
) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_a_migrated_file_has_the_very_constraints_of_a_fresh_one(
    database: Database, path: Path, tmp_path: Path
) -> None:
    # Alembic's comparison is blind to CHECK constraints; the text of the tables is not.
    fresh = tmp_path / "fresh.db"
    engine = create_engine(f"sqlite:///{fresh}")
    metadata.create_all(engine)
    engine.dispose()
    assert _definitions(path) == _definitions(fresh)


def test_the_tables_are_also_understood_by_postgresql() -> None:
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=postgresql.dialect()))


async def test_a_second_opening_migrates_nothing(path: Path) -> None:
    for _ in range(2):
        async with Database.open(database_url(path)) as database:
            assert await database.revision() == "0001"
            await database.ping()


BATTLE = "UPDATE battles SET {} WHERE id = (SELECT min(id) FROM battles)"
VOTE = (
    "INSERT INTO votes (battle_id, voter_id, outcome, winner_answer_id, guessed_base_answer_id,"
    " blind, by_author, created_at, updated_at) VALUES ({}, 1, 0, '2026-01-01', '2026-01-01')"
)
EVENT = (
    "INSERT INTO vote_events (battle_id, voter_id, event, outcome, winner_answer_id, blind, at)"
    " VALUES ({}, 1, '2026-01-01')"
)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (BATTLE.format("state = 'over'"), "ck_battles_state"),
        (BATTLE.format("purpose = 'fun'"), "ck_battles_purpose"),
        (BATTLE.format("source_message_id = (SELECT max(source_message_id) FROM battles)"), "UNIQ"),
        ("UPDATE battles SET shown_message_id = 4", "UNIQUE"),
        ("UPDATE answers SET side = 'c'", "ck_answers_side"),
        ("UPDATE answers SET side = 'a'", "UNIQUE"),
        ("UPDATE answers SET kind = 'chat'", "ck_answers_kind"),
        ("UPDATE answers SET finish_reason = 'bored'", "ck_answers_finish_reason"),
        ("UPDATE answers SET contender_id = 99", "FOREIGN KEY"),
        ("DELETE FROM contenders", "FOREIGN KEY"),
        ("DELETE FROM battles", "FOREIGN KEY"),
        ("UPDATE contenders SET kind = 'chat'", "ck_contenders_kind"),
        ("UPDATE contenders SET slug = 'one'", "UNIQUE"),
        ("INSERT INTO members VALUES (1, 0, 'all', 1, '2026-01-01')", "ck_members_consent"),
        (VOTE.format("1, 5, 'a', NULL, NULL"), "ck_votes_outcome"),
        (VOTE.format("1, 5, 'win', NULL, NULL"), "ck_votes_winner"),
        (VOTE.format("1, 5, 'tie', 1, NULL"), "ck_votes_winner"),
        (VOTE.format("1, 5, 'win', 3, NULL"), "FOREIGN KEY"),
        (VOTE.format("1, 5, 'win', 1, 3"), "FOREIGN KEY"),
        (VOTE.format("1, 5, 'win', 77, NULL"), "FOREIGN KEY"),
        (VOTE.format("77, 5, 'tie', NULL, NULL"), "FOREIGN KEY"),
        (EVENT.format("1, 5, 'bribe', 'tie', NULL"), "ck_vote_events_event"),
        (EVENT.format("1, 5, 'cast', 'a', NULL"), "ck_vote_events_outcome"),
        (EVENT.format("1, 5, 'cast', NULL, NULL"), "ck_vote_events_withdrawn"),
        (EVENT.format("1, 5, 'withdraw', 'tie', NULL"), "ck_vote_events_withdrawn"),
        (EVENT.format("1, 5, 'withdraw', NULL, 1"), "ck_vote_events_winner"),
        (EVENT.format("1, 5, 'cast', 'win', 3"), "FOREIGN KEY"),
        (EVENT.format("77, 5, 'cast', 'tie', NULL"), "FOREIGN KEY"),
    ],
)
async def test_the_file_itself_refuses(
    statement: str, constraint: str, arena: Arena, raw: sqlite3.Connection
) -> None:
    await arena.open()
    await arena.open()
    with pytest.raises(sqlite3.IntegrityError, match=constraint):
        raw.execute(statement)


async def test_the_file_itself_refuses_a_second_vote_of_a_member(
    arena: Arena, raw: sqlite3.Connection
) -> None:
    await arena.open()
    raw.execute(VOTE.format("1, 5, 'tie', NULL, NULL"))
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        raw.execute(VOTE.format("1, 5, 'win', 1, NULL"))


async def test_the_id_of_an_erased_battle_is_never_given_again(
    arena: Arena, raw: sqlite3.Connection
) -> None:
    erased = await arena.answering()
    raw.execute("DELETE FROM battles")
    assert (await arena.answering()).id > erased.id


def _definitions(path: Path) -> dict[str, list[str]]:
    """Read the SQL of tables and indexes, spaces and the order of a table's parts aside."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        " AND name NOT IN ('alembic_version', 'sqlite_sequence')"
    )
    with closing(sqlite3.connect(path)) as connection:
        return {
            name: sorted(re.sub(r"\s+", " ", line).strip(" ,") for line in sql.splitlines())
            for name, sql in connection.execute(query)
        }
