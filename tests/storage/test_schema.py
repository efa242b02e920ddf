"""The schema: migrated as declared, and refusing by itself what must never be stored."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from conftest import Raw, past
from sqlalchemy import MetaData, insert, select
from sqlalchemy.exc import IntegrityError

from bot.dataset.splits import prompt_key
from storage.database import Database, database_url
from storage.schema import metadata
from storage.style import style_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Arena
    from sqlalchemy import Connection

    from tests.postgres import Server


async def test_what_was_migrated_is_what_the_metadata_declares(raw: Raw) -> None:
    context = MigrationContext.configure(
        raw.connection, opts={"compare_type": True, "compare_server_default": True}
    )
    assert compare_metadata(context, metadata) == []


async def test_what_was_migrated_has_the_very_constraints_of_what_is_made_at_once(
    raw: Raw, fresh: str
) -> None:
    # Alembic's comparison is blind to CHECK constraints; the text of the tables is not.
    with past(fresh) as made:
        metadata.create_all(made)
        assert _definitions(raw.connection) == _definitions(made)
    made.engine.dispose()


async def test_a_second_opening_migrates_nothing(fresh: str) -> None:
    for _ in range(2):
        async with Database.open(fresh) as database:
            assert await database.revision() == "0007"
            await database.ping()


RELEASED = sorted((Path(__file__).parent / "databases").glob("*.sql"))


FILES = pytest.mark.sqlite("earlier versions left files; PostgreSQL is compared with them below")


@FILES
@pytest.mark.parametrize("dump", RELEASED, ids=lambda dump: dump.stem)
async def test_a_database_of_an_earlier_version_keeps_all_that_it_held(
    dump: Path, path: Path, tmp_path: Path
) -> None:
    before = _restored(dump, path)
    async with Database.open(database_url(path)) as database:
        assert [len(page) async for page in database.voted.pages()] == [1]
    with closing(sqlite3.connect(path)) as later:
        after = _rows(later)
        assert later.execute("PRAGMA foreign_key_check").fetchall() == []
    fresh = database_url(tmp_path / "fresh.db")
    with past(fresh) as made, past(database_url(path)) as migrated:
        metadata.create_all(made)
        assert _definitions(migrated) == _definitions(made)
    assert after.keys() >= before.keys()
    for table in before.keys() - {"alembic_version"}:
        kept = [{name: row[name] for name in before[table][0]} for row in after[table]]
        assert kept == before[table]


@FILES
async def test_the_first_databases_learn_whose_words_they_hold_and_who_was_told(
    path: Path, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    _restored(RELEASED[0], path)
    async with Database.open(database_url(path)) as database:
        battle = await database.battles.get(1)
        assert battle is not None
        said = [(1, turn.author_id, turn.message_id) for turn in battle.conversation.turns]
        assert said == rows(
            "SELECT battle_id, author_id, message_id FROM turns WHERE battle_id = 1"
        )
        assert await database.votes.told(1, 5)
        assert not await database.votes.told(1, 7)


@FILES
async def test_the_first_databases_learn_whose_words_the_bot_had_answered(
    path: Path, tmp_path: Path, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    _restored(RELEASED[1], path)
    with closing(sqlite3.connect(path)) as connection:
        answered = {"author_id": "99", "name": "Twofold", "text": "an answer", "is_bot": True}
        asks = {"author_id": "5", "name": "Eve", "text": "what?", "is_bot": False}
        said = [answered | {"message_id": "501"}, asks | {"message_id": "3"}]
        connection.execute(
            "UPDATE battles SET conversation = ? WHERE id = 3", [json.dumps({"turns": said})]
        )
        connection.commit()
    async with Database.open(database_url(path)):
        pass
    assert rows("SELECT author_id, message_id FROM turns WHERE battle_id = 3 ORDER BY id") == [
        (5, 3),
        (2**60 + 1, 1),
        (2**60 + 2, 2),
    ]


@FILES
async def test_databases_learn_what_their_battles_are_split_by(
    path: Path, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    _restored(RELEASED[2], path)
    async with Database.open(database_url(path)) as database:
        alone = await database.battles.get(10)
    found = rows("SELECT id, prompt_key, bucket FROM battles")
    keys = {number: key for number, key, _ in found}
    buckets = {number: bucket for number, _, bucket in found}
    assert keys[10] == prompt_key(alone.conversation, str) == keys[11], "but for capitals"
    assert buckets[10] == buckets[11] == keys[10] % 256
    assert buckets[1] == buckets[4] == buckets[6] == buckets[8] == keys[1] % 256, "one conversation"
    assert buckets[5] == keys[5] % 256 != buckets[1]
    assert (keys[7] is None, buckets[7]) == (False, None), "it holds two conversations"
    assert {keys[gone] for gone in (2, 9)} == {buckets[gone] for gone in (2, 9)} == {None}


@FILES
async def test_databases_learn_what_the_style_of_their_answers_was(
    path: Path, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    _restored(RELEASED[3], path)
    shown = "# Sum\n\n1. **one**\n- two\n\n```\nthree\n```"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE answers SET shown = ? WHERE id = 1", [shown])
        connection.execute("UPDATE answers SET shown = '' WHERE id = 2")
        connection.commit()
    async with Database.open(database_url(path)):
        pass
    measured = rows("SELECT characters, markup FROM answers ORDER BY id")
    assert measured == [(len(shown), 7), (None, None)], "what is gone was not measured"
    assert measured[0] == style_of(shown)
    assert rows("SELECT DISTINCT topic, language, simulated FROM battles") == [(None, None, 0)]


@pytest.mark.parametrize("dump", RELEASED, ids=lambda dump: dump.stem)
async def test_a_servers_database_of_an_earlier_version_becomes_what_a_file_becomes(
    dump: Path, tmp_path: Path, postgres: Server
) -> None:
    path = tmp_path / "data" / "twofold.db"
    _restored(dump, path)
    with postgres.another() as url:
        with past(database_url(path)) as file, past(url) as server:
            _upgrade(server, dump.stem)
            there = MetaData()
            there.reflect(server)
            for table in metadata.sorted_tables:
                if table.name in there.tables:
                    columns = [table.c[column.name] for column in there.tables[table.name].columns]
                    values = [dict(row) for row in file.execute(select(*columns)).mappings()]
                    server.execute(insert(table), values) if values else None
        for opened in (database_url(path), url):
            async with Database.open(opened):
                pass
        with past(database_url(path)) as file, past(url) as server:
            for table in metadata.sorted_tables:
                rows = select(table).order_by(*table.primary_key)
                assert server.execute(rows).all() == file.execute(rows).all(), table.name


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _restored(dump: Path, path: Path) -> dict[str, list[dict[str, object]]]:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text("utf-8"))
        return _rows(connection)


def _rows(connection: sqlite3.Connection) -> dict[str, list[dict[str, object]]]:
    """Read every row of every table, by column."""
    connection.row_factory = sqlite3.Row
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1")]
        for (name,) in names
    }


BATTLE = "UPDATE battles SET {} WHERE id = (SELECT min(id) FROM battles)"
VOTE = (
    "INSERT INTO votes (battle_id, voter_id, outcome, winner_answer_id, guessed_base_answer_id,"
    " blind, by_author, created_at, updated_at)"
    " VALUES ({}, true, false, '2026-01-01', '2026-01-01')"
)
EVENT = (
    "INSERT INTO vote_events (battle_id, voter_id, event, outcome, winner_answer_id, blind, at)"
    " VALUES ({}, true, '2026-01-01')"
)

REMARK = (
    "INSERT INTO remarks (battle_id, voter_id, reason, edited_answer_id, edit, at)"
    " VALUES (1, 6, {}, '2026-01-01')"
)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (BATTLE.format("state = 'over'"), "ck_battles_state"),
        (BATTLE.format("purpose = 'fun'"), "ck_battles_purpose"),
        (BATTLE.format("source_message_id = (SELECT max(source_message_id) FROM battles)"), "UNIQ"),
        ("UPDATE battles SET shown_message_id = 4", "UNIQUE"),
        (BATTLE.format("closed_because = 'boredom'"), "ck_battles_closed_because"),
        (BATTLE.format("wiped_because = 'boredom'"), "ck_battles_wiped_because"),
        (BATTLE.format("mirror_of_id = 77"), "FOREIGN KEY"),
        (
            "INSERT INTO remarks (battle_id, voter_id, at) VALUES (1, 5, '2026-01-01')",
            "FOREIGN KEY",
        ),
        (REMARK.format("'bored', NULL, NULL"), "ck_remarks_reason"),
        (REMARK.format("NULL, 1, NULL"), "ck_remarks_edit"),
        (REMARK.format("NULL, 3, 'better'"), "FOREIGN KEY"),
        ("UPDATE answers SET side = 'c'", "ck_answers_side"),
        ("UPDATE answers SET side = 'a'", "UNIQUE"),
        ("UPDATE answers SET kind = 'chat'", "ck_answers_kind"),
        ("UPDATE answers SET finish_reason = 'bored'", "ck_answers_finish_reason"),
        ("UPDATE answers SET contender_id = 99", "FOREIGN KEY"),
        ("DELETE FROM contenders", "FOREIGN KEY"),
        ("DELETE FROM battles", "FOREIGN KEY"),
        ("UPDATE contenders SET kind = 'chat'", "ck_contenders_kind"),
        ("UPDATE contenders SET slug = 'one'", "UNIQUE"),
        ("INSERT INTO members VALUES (1, 0, 'all', 1, '2026-01-01', false)", "ck_members_consent"),
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
async def test_the_database_itself_refuses(
    statement: str, constraint: str, arena: Arena, raw: Raw
) -> None:
    await arena.open()
    await arena.open()
    raw.execute(VOTE.format("1, 6, 'tie', NULL, NULL"))
    with pytest.raises(IntegrityError, match=f"(?i){constraint}"):
        raw.execute(statement)


async def test_the_database_itself_refuses_a_second_vote_of_a_member(
    arena: Arena, raw: Raw
) -> None:
    await arena.open()
    raw.execute(VOTE.format("1, 5, 'tie', NULL, NULL"))
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        raw.execute(VOTE.format("1, 5, 'win', 1, NULL"))


async def test_the_id_of_an_erased_battle_is_never_given_again(arena: Arena, raw: Raw) -> None:
    erased = await arena.answering()
    raw.execute("DELETE FROM turns")
    raw.execute("DELETE FROM battles")
    assert (await arena.answering()).id > erased.id


def _definitions(connection: Connection) -> dict[str, object]:
    """Read what a database says of its tables and indexes: their parts, and to what they refer."""
    if connection.dialect.name == "postgresql":
        return {str(row): None for query in _CATALOGUE for row in Raw(connection).execute(query)}
    query = (
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        " AND name NOT IN ('alembic_version', 'sqlite_sequence')"
    )
    return {
        name: (
            # A column that was added later states its reference itself, a fresh table at its end.
            sorted(_parts(sql)),
            # Without the number of the reference, which is the order of its making.
            sorted(
                row[1:] for row in connection.exec_driver_sql(f"PRAGMA foreign_key_list({name})")
            ),
        )
        for name, sql in Raw(connection).execute(query)
    }


_CATALOGUE = (
    # A reference that was added with its column has the server's own name.
    """SELECT conrelid::regclass::text, CASE contype WHEN 'f' THEN '' ELSE conname END,
    pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conname <> 'alembic_version_pkc'""",
    """SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> 'alembic_version'""",
    """SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'alembic_version'""",
)
"""Constraints, indexes and columns of PostgreSQL's tables."""


def _parts(sql: str) -> Iterator[str]:
    """Split the body of a statement at its own commas, references left out."""
    head, _, body = re.sub(r"\s+", " ", sql).partition("(")
    yield head.strip()
    parts, depth = [""], 0
    for character in body.rstrip().removesuffix(")"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    reference = r"(CONSTRAINT fk_\w+ FOREIGN KEY ?\([^)]*\) )?REFERENCES .*"
    yield from filter(None, (re.sub(reference, "", part).strip() for part in parts))
