"""Battles on a real file: every step of their life, and what an export reads."""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.database import Database
from storage.errors import StorageError
from storage.records import BattleState, Closing, Outcome, Purpose
from storage.schema import answers, battles, votes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Arena, Raw


async def test_a_battle_comes_back_as_it_was_created(arena: Arena) -> None:
    battle = await arena.answering("first", "second", guild_id=None, purpose=Purpose.CONTROL)
    assert battle.conversation == arena.conversation("first", "second")
    assert (battle.state, battle.purpose) == (BattleState.ANSWERING, Purpose.CONTROL)
    assert (battle.guild_id, battle.answers) == (None, ())
    assert battle.created_at == arena.at()
    assert battle.created_at.utcoffset() is not None
    battles = arena.database.battles
    assert await battles.get(battle.id) == battle
    assert await battles.by_source(battle.source_message_id) == battle
    assert await battles.get(99) is None
    assert await battles.by_source(99) is None


async def test_a_message_is_answered_once(arena: Arena) -> None:
    battle = await arena.answering()
    again = await arena.database.battles.create(
        source_message_id=battle.source_message_id,
        guild_id=1,
        channel_id=2,
        author_id=3,
        conversation=arena.conversation("another"),
        purpose=Purpose.LIVE,
        at=arena.at(),
    )
    assert again is None
    assert await arena.database.battles.get(battle.id) == battle


async def test_opening_stores_both_answers(arena: Arena) -> None:
    battle = await arena.answering()
    opened = await arena.database.battles.open(battle.id, arena.answers(), at=arena.at(2))
    assert opened is not None
    assert (opened.state, opened.opened_at) == (BattleState.OPEN, arena.at(2))
    assert tuple(replace(answer, id=0) for answer in opened.answers) == arena.answers()
    assert all(answer.id for answer in opened.answers)
    assert await arena.database.battles.get(battle.id) == opened


async def test_a_battle_that_was_cancelled_meanwhile_does_not_open(
    arena: Arena, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    battle = await arena.answering()
    await arena.database.battles.cancel(battle.id, at=arena.at(1))
    assert await arena.database.battles.open(battle.id, arena.answers(), at=arena.at(2)) is None
    assert rows("SELECT count(*) FROM answers") == [(0,)]


async def test_a_contender_that_is_not_registered_stores_nothing(arena: Arena) -> None:
    battle = await arena.answering()
    stranger = replace(arena.answers()[1], contender="nobody")
    with pytest.raises(StorageError, match="register the roster"):
        await arena.database.battles.open(battle.id, (arena.answers()[0], stranger), at=arena.at())
    assert await arena.database.battles.get(battle.id) == battle


async def test_a_battle_is_found_by_the_message_that_shows_it(arena: Arena) -> None:
    battles = arena.database.battles
    one, two = await arena.open(), await arena.open()
    assert await battles.shown(one.id, 501)
    assert await battles.shown(two.id, 502)
    many = await battles.by_shown_many([501, 502, 503])
    assert many[501] == replace(one, shown_message_id=501)
    assert {message: battle.id for message, battle in many.items()} == {501: one.id, 502: two.id}
    assert await battles.by_shown_many([]) == {}


async def test_a_battle_that_has_ended_is_shown_by_no_message(arena: Arena) -> None:
    battle = await arena.open()
    await arena.database.battles.cancel(battle.id, at=arena.at(1))
    assert not await arena.database.battles.shown(battle.id, 501)
    assert await arena.database.battles.by_shown_many([501]) == {}


async def test_each_step_is_taken_once_and_in_order(arena: Arena) -> None:
    battles = arena.database.battles
    battle = await arena.answering()
    assert not await battles.close(battle.id, because=Closing.TIME, at=arena.at(1))
    await battles.open(battle.id, arena.answers(), at=arena.at(2))
    assert await battles.close(battle.id, because=Closing.TIME, at=arena.at(4))
    assert not await battles.close(battle.id, because=Closing.TIME, at=arena.at(5))
    assert not await battles.fail(battle.id, reason="late", at=arena.at(6))
    assert not await battles.cancel(battle.id, at=arena.at(6))
    closed = await battles.get(battle.id)
    assert closed is not None
    assert (closed.state, closed.closed_at) == (BattleState.CLOSED, arena.at(4))


async def test_a_battle_can_be_closed_as_it_opens(arena: Arena) -> None:
    battles, ballots = arena.database.battles, arena.database.ballots
    battle = await arena.answering()
    why = Closing.SAME_TEXT
    opened = await battles.open(battle.id, arena.answers(), at=arena.at(2), closing=why)
    assert opened is not None
    assert (opened.state, opened.closed_because) == (BattleState.CLOSED, Closing.SAME_TEXT)
    assert opened.opened_at == opened.closed_at == arena.at(2)
    assert len(opened.answers) == 2
    assert await battles.shown(battle.id, 501)
    assert await ballots.open() == ()


async def test_what_is_closed_is_unrevealed_until_it_is_noted(arena: Arena) -> None:
    battles, ballots = arena.database.battles, arena.database.ballots
    one, two, still_open = [await arena.open() for _ in range(3)]
    for battle in (one, two):
        await battles.close(battle.id, because=Closing.TIME, at=arena.at(5))
    assert await ballots.unrevealed() == (one.id, two.id)
    for battle in (one, still_open):
        await battles.revealed(battle.id, at=arena.at(6))
    assert await ballots.unrevealed() == (two.id,)
    assert (await battles.get(one.id)).revealed_at == arena.at(6)
    assert (await battles.get(still_open.id)).revealed_at is None


async def test_whose_words_a_battle_holds_can_be_looked_up(
    arena: Arena, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    battle = await arena.answering("first", "second")
    assert rows("SELECT battle_id, author_id, message_id FROM turns ORDER BY id") == [
        (battle.id, turn.author_id, turn.message_id) for turn in battle.conversation.turns
    ]


async def test_an_open_battle_that_could_not_be_shown_can_fail(arena: Arena) -> None:
    battle = await arena.open()
    assert await arena.database.battles.fail(battle.id, reason="not shown", at=arena.at(3))


async def test_a_failed_battle_says_why(arena: Arena) -> None:
    battle = await arena.answering()
    assert await arena.database.battles.fail(battle.id, reason="no answer", at=arena.at(3))
    failed = await arena.database.battles.get(battle.id)
    assert failed is not None
    assert (failed.state, failed.failure) == (BattleState.FAILED, "no answer")


async def test_start_up_finds_what_a_crash_left_answering(arena: Arena) -> None:
    battles = arena.database.battles
    await arena.open()
    left = tuple([await arena.answering() for _ in range(2)])
    assert await battles.left_answering(at=arena.at(5)) == left


async def test_what_no_message_shows_is_found_the_latest_first(arena: Arena) -> None:
    battles = arena.database.battles
    shown, closed, opened = [await arena.answering() for _ in range(3)]
    await battles.placed(closed.id, 76)
    for battle, closing in ((shown, None), (closed, Closing.SAME_TEXT), (opened, None)):
        await battles.open(battle.id, arena.answers(), closing=closing, at=arena.at(2))
    await battles.shown(shown.id, 77)
    await battles.placed(opened.id, 78)
    assert [battle.id for battle in await battles.unshown()] == [opened.id, closed.id]


@pytest.mark.sqlite("what a file holds is to be seen")
@pytest.mark.sqlite("its file is searched")
async def test_cancelling_leaves_no_word_in_the_file(
    path: Path, arena: Arena, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    secret = "the-secret-of-the-member"
    battle = await arena.answering("before", secret * 300)
    await arena.database.battles.open(battle.id, arena.answers(secret), at=arena.at(1))
    assert await arena.database.battles.cancel(battle.id, at=arena.at(2))
    cancelled = await arena.database.battles.get(battle.id)
    assert cancelled is not None
    assert cancelled.state is BattleState.CANCELLED
    assert [turn.text for turn in cancelled.conversation.turns] == ["", ""]
    assert {(a.rendered, a.raw, a.shown) for a in cancelled.answers} == {("", "", "")}
    # With the last connection the log is folded into the file, and the log removed.
    await arena.database._transactions.dispose()
    files = contents(path.parent)
    assert list(files) == [path.name]
    assert secret.encode() not in files[path.name]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(st.characters(exclude_categories=())))
async def test_any_text_can_be_said(arena: Arena, text: str) -> None:
    battle = await arena.answering(text)
    opened = await arena.database.battles.open(battle.id, arena.answers(text), at=arena.at())
    assert opened is not None
    kept = text.replace("\0", "").encode("utf-8", "replace").decode()
    assert opened.conversation.prompt.text == battle.conversation.prompt.text == kept
    assert opened.answers[0].raw == f"raw {kept}"


async def vote(arena: Arena, battle_id: int, *, voter: int = 5) -> None:
    await arena.database.votes.cast(
        battle_id=battle_id,
        voter_id=voter,
        outcome=Outcome.TIE,
        winner_answer_id=None,
        by_author=False,
        at=arena.at(),
    )


async def test_an_export_reads_voted_battles_newest_first_as_they_were_when_it_began(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [(await arena.open()).id for _ in range(4)]
    for battle_id in (ids[3], ids[0], ids[2]):
        for voter in (6, 5):
            await vote(arena, battle_id, voter=voter)
    monkeypatch.setattr("storage.pages.PAGE", 1)
    seen = []
    async for page in arena.database.voted.pages():
        # Writers neither wait for the reader nor show up in its view.
        await asyncio.wait_for(vote(arena, ids[1]), timeout=2)
        seen += page
    assert [voted.id for voted in seen] == [ids[3], ids[2], ids[0]]
    assert all({vote.voter_id for vote in voted.votes} == {5, 6} for voted in seen)
    assert all(len(voted.answers) == 2 for voted in seen)


async def test_an_export_of_any_size_takes_the_same_memory(arena: Arena, raw: Raw) -> None:
    battle = await arena.open("word " * 1000)
    await vote(arena, battle.id)
    small = await _peak(arena.database)
    _multiply(raw, battle.id, 3000)
    count = 0
    async for page in arena.database.voted.pages():
        count += len(page)
    assert count == 3001
    # One page of 128 such battles is about 2 MB; all of them would be about 45 MB.
    assert await _peak(arena.database) - small < 6_000_000


async def _peak(database: Database) -> int:
    tracemalloc.start()
    try:
        async for _ in database.voted.pages():
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _multiply(raw: Raw, battle_id: int, times: int) -> None:
    """Copy a battle with its answers and votes, in plain SQL."""
    series = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :times) "
        "INSERT INTO {table} ({names}) SELECT {columns} FROM {table} AS t, n WHERE t.{key} = :id"
    )
    for table, key in ((battles, "id"), (answers, "battle_id"), (votes, "battle_id")):
        names = [column.name for column in table.columns if column.name != "id"]
        names += ["id"] if table is battles else []
        moved = {
            "id": "t.id + i",
            "battle_id": "t.battle_id + i",
            "source_message_id": "t.source_message_id + i",
        }
        columns = ", ".join(moved.get(name, f"t.{name}") for name in names)
        copying = series.format(table=table, names=", ".join(names), columns=columns, key=key)
        raw.execute(copying, times=times, id=battle_id)


async def test_everything_is_there_after_reopening(url: str, arena: Arena) -> None:
    battle = await arena.open("kept")
    await vote(arena, battle.id)
    async with Database.open(url) as again:
        assert await again.battles.get(battle.id) == battle
        assert len(await again.votes.for_battle(battle.id)) == 1
