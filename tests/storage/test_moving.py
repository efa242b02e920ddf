"""A database that was moved is the same, whichever way it went; half a move is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import CONTENDERS, START, Arena, Raw, past
from sqlalchemy import func, select

from storage import moving
from storage.database import Database, database_url
from storage.errors import StorageError
from storage.moving import move
from storage.records import Closing, Consent, Outcome, Purpose, Reason
from storage.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Server

ODD = "snow ☃, \\u0000, tab\t, \"quoted\", 'so', \x01, \U0001f9ca, a lone \ud800, and NUL \0."
MORE = """
INSERT INTO recounts (at) VALUES ('2026-01-01');
INSERT INTO simulations VALUES (-7, 8, 9, '2026-01-01 12:00:00.000001');
INSERT INTO imports (file, sha256, licence, battles, votes, skipped, at)
    VALUES ('a', 'b', 'c', 1, 2, 3, '2026-01-01');
INSERT INTO spending VALUES ('2026-01-02', 'b', 1, 2, 9000000000), ('2026-01-01', 'Z', 1, 2, 3);
INSERT INTO heard VALUES (0, '2026-01-01'), (1, '2026-02-03 04:05:06.789');
INSERT INTO tunings VALUES (1, 'dpo', NULL, 'ef', 1, '2026-01-01', 'entered', '{"a": 0.1}', NULL);
INSERT INTO trained_on VALUES (1, 1), (1, 2);
INSERT INTO unranked VALUES (3), (1);
"""


@pytest.fixture(params=["to-a-server", "to-a-file"])
def ends(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Server
) -> Iterator[tuple[str, str]]:
    """Name a database to move, and one that is not there yet."""
    file = database_url(tmp_path / "data" / "twofold.db")
    with postgres.another() as server:
        yield (file, server) if request.param == "to-a-server" else (server, file)


async def fill(url: str) -> None:
    async with Database.open(url) as store:
        await store.contenders.register(CONTENDERS, at=START)
        arena = Arena(store)
        for number in range(3):
            first = await arena.open(ODD, f"number {number}")
            again = await arena.open(purpose=Purpose.MIRROR, mirror_of_id=first.id)
            for voter in (2**62, 5):
                await store.votes.cast(
                    battle_id=first.id,
                    voter_id=voter,
                    outcome=Outcome.WIN,
                    winner_answer_id=first.answers[1].id,
                    by_author=False,
                    at=arena.at(3).replace(microsecond=123456),
                )
            await store.votes.guess(first.id, 5, first.answers[0].id, at=arena.at(4))
            await store.votes.remark(first.id, 5, at=arena.at(5), reason=Reason.FUNNY, comment=ODD)
            await store.battles.close(again.id, because=Closing.TIME, at=arena.at(6))
        await store.members.set_consent(5, Consent.TRAIN, version=2, at=arena.at())
        await store.guilds.update(7, "names", {"b": [1.5, None], "a": ODD[:9]}, by=5, at=START)
        await store.digests.take(8, START.date(), at=START, lost=START)
        await store.exports.record(
            format="dpo",
            purpose=Consent.TRAIN,
            manifest={"rows": 1, "share": 0.1},
            sha256="ab",
            dataset="cd",
            rows=[(1, 2**62)],
            at=START,
        )
        gone = await arena.answering()
    with past(url) as connection:
        raw = Raw(connection)
        for statement in filter(str.strip, MORE.split(";")):
            raw.execute(statement)
        raw.execute(f"DELETE FROM turns WHERE battle_id = {gone.id}")
        raw.execute(f"DELETE FROM battles WHERE id = {gone.id}")
    connection.engine.dispose()


async def test_what_was_moved_is_the_same_and_ids_go_on(
    ends: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "AT_ONCE", 7)
    source, target = ends
    await fill(source)
    heard: list[tuple[int, int]] = []
    moved = await move(source, target, advance=lambda *progress: heard.append(progress))
    assert all(one.rows for one in moved), "no table is left out of this test"
    assert heard[-1] == (2 * sum(one.rows for one in moved),) * 2
    with past(source) as old, past(target) as new:
        for table in metadata.sorted_tables:
            rows = select(table).order_by(*table.primary_key)
            assert set(map(repr, new.execute(rows))) == set(map(repr, old.execute(rows)))
    ids = []
    for url in ends:
        async with Database.open(url) as store:
            arena = Arena(store)
            arena._numbers = iter(range(900, 999))
            ids.append((await arena.open()).id)
            assert [len(page) async for page in store.voted.pages()] == [3]
    assert ids == [8, 8], "the id of the battle that is gone is not given again"


async def test_a_move_that_is_cut_off_leaves_nothing_and_can_be_made_again(
    ends: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "AT_ONCE", 7)
    source, target = ends
    await fill(source)
    total = sum(_rows(source).values())

    class Cut(BaseException): ...

    for when in (1, total, 2 * total):

        def cut(done: int, _: int, when: int = when) -> None:
            if done >= when:
                raise Cut

        with pytest.raises(Cut):
            await move(source, target, advance=cut)
        assert not any(_rows(target).values())
    await move(source, target)
    assert _rows(target) == _rows(source)


async def test_a_target_that_has_rows_is_refused(ends: tuple[str, str]) -> None:
    source, target = ends
    await fill(source)
    await move(source, target)
    before = _rows(target)
    with pytest.raises(StorageError, match="has rows already, in battles for one"):
        await move(source, target)
    with pytest.raises(StorageError, match="are both"):
        await move(source, source)
    assert _rows(target) == before


async def test_what_comes_back_otherwise_is_not_moved(
    ends: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = ends
    await fill(source)
    looked = moving._look

    async def spoiled(table, connection, progress):  # as a database would that rounds
        if table.name == "votes":
            await connection.execute(table.update().values(seconds=1.0))
        return await looked(table, connection, progress)

    monkeypatch.setattr(moving, "_look", spoiled)
    with pytest.raises(StorageError, match="gives the table votes back otherwise"):
        await move(source, target)
    assert not any(_rows(target).values())


def _rows(url: str) -> dict[str, int]:
    with past(url) as connection:
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }
    connection.engine.dispose()
    return counts
