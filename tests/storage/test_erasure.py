"""Erasing a person from a real file, down to its bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import BigInteger

from storage.people import personal_columns
from storage.records import NOBODY, BattleState, Consent, Outcome, Purpose, Turn, Wiped
from storage.schema import RowId, UtcDateTime, metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Arena, Raw

    from storage.records import Battle, Conversation

GONE, STAYS = 81985529216486895, 92985529216486811
ID = str(GONE).encode()
SECRET, MINE, OTHERS = "the oak tree", "hidden by me", "never to be lost"

NO_PERSONS = {
    "answers.seed",
    "battles.channel_id",
    "battles.guild_id",
    "battles.prompt_key",
    "battles.shown_message_id",
    "battles.source_message_id",
    "digests.channel_id",
    "digests.message_id",
    "exported.digest",
    "guilds.id",
    "members.guild_id",
    "setting_changes.guild_id",
    "simulations.guild_id",
    "simulations.last_id",
    "simulations.seed",
    "spending.completion_tokens",
    "spending.micros",
    "spending.prompt_tokens",
    "turns.message_id",
}
"""The numbers of Discord's, or as large, that are no person's id."""


def test_every_column_with_a_persons_id_says_what_erasing_does_to_it() -> None:
    large = {
        f"{column.table.name}.{column.name}": column.info.get("erasing")
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, BigInteger) and column.type is not RowId
    }
    assert {name for name, erasing in large.items() if erasing is None} == NO_PERSONS
    assert set(large.values()) == {None, "delete", "forget"}


def talk(arena: Arena, *said: tuple[int, str]) -> Conversation:
    turns = tuple(
        Turn(author_id=author, name=f"name of {author}", text=text, message_id=None)
        for author, text in said
    )
    return replace(arena.conversation(), turns=turns)


async def battle(arena: Arena, *said: tuple[int, str], text: str = "an answer") -> Battle:
    """One by whoever spoke last, with answers that are made of `text`."""
    store = arena.database.battles
    conversation = talk(arena, *said)
    opened = await store.create(
        source_message_id=next(arena._numbers),
        guild_id=7,
        channel_id=8,
        author_id=said[-1][0],
        conversation=conversation,
        purpose=Purpose.LIVE,
        at=arena.at(),
    )
    return await store.open(opened.id, arena.answers(text), at=arena.at(1))


async def vote(arena: Arena, on: Battle, voter_id: int, *, comment: str = "because") -> None:
    votes, winner = arena.database.votes, on.answers[0].id
    choice = {"outcome": Outcome.WIN, "winner_answer_id": winner, "by_author": False}
    await votes.cast(battle_id=on.id, voter_id=voter_id, **choice, at=arena.at(1))
    fixed = {"comment": comment, "edited_answer_id": winner, "edit": f"{comment} {MINE}"}
    await votes.remark(on.id, voter_id, **fixed, at=arena.at(2))
    await votes.guess(on.id, voter_id, winner, at=arena.at(2))


async def fill(arena: Arena) -> dict[str, Battle]:
    """Put both people into every table."""
    database = arena.database
    for member in (GONE, STAYS):
        await database.members.set_consent(member, Consent.TRAIN, version=1, at=arena.at())
        await database.guilds.update(7, "redaction", member == GONE, by=member, at=arena.at())
    made = {
        "own": await battle(arena, (STAYS, OTHERS), (GONE, SECRET), text=SECRET),
        "context": await battle(arena, (GONE, SECRET), (STAYS, "so what"), text=SECRET),
        "named": await battle(arena, (STAYS, f"hello <@{GONE}>"), text=f"of <@{GONE}>"),
        "voted": await battle(arena, (STAYS, OTHERS), text=OTHERS),
        "noted": await battle(arena, (STAYS, OTHERS)),
        "apart": await battle(arena, (STAYS, f"{OTHERS} {GONE}0"), text=OTHERS),
    }
    await vote(arena, made["voted"], GONE, comment=SECRET)
    for name in ("own", "voted", "apart"):
        await vote(arena, made[name], STAYS, comment=OTHERS)
    await vote(arena, made["noted"], STAYS, comment=f"<@{GONE}> said so")
    return made


@pytest.mark.sqlite("its file is searched")
async def test_nothing_of_an_erased_person_is_left_in_the_file(
    arena: Arena, path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    made = await fill(arena)
    before = b"".join(contents(path.parent).values())
    traces = (ID, GONE.to_bytes(8, "big"), SECRET.encode(), MINE.encode())
    assert all(trace in before for trace in traces)
    report = await arena.database.erasure.erase(GONE, at=arena.at(9))
    assert report.wiped == 4
    assert report.rows == {
        "members": 1, "battles": 1, "turns": 2, "votes": 1, "vote_events": 1, "remarks": 1,
        "sightings": 1, "setting_changes": 1,
    }  # fmt: skip
    await arena.database.erasure.rewrite_file()
    after = b"".join(contents(path.parent).values())
    apart = f"{OTHERS} {GONE}0".encode()
    assert after.count(apart) >= 1
    for trace in (ID, GONE.to_bytes(8, "big"), SECRET.encode()):
        assert trace not in after.replace(apart, b"")
    assert after.count(MINE.encode()) == 2, "what the other one wrote on two battles stays"
    assert STAYS.to_bytes(8, "big") in after
    kept = await arena.database.battles.get(made["apart"].id)
    assert kept == made["apart"]


async def test_others_keep_what_is_theirs(arena: Arena) -> None:
    made = await fill(arena)
    before = await arena.database.people.counts(STAYS)
    await arena.database.erasure.erase(GONE, at=arena.at(9))
    after = await arena.database.people.counts(STAYS)
    # A wiped battle is nobody's any more, for it says nothing.
    changed = {table for table in before if before[table] != after[table]}
    assert changed == {"battles", "turns"}
    for name in ("own", "voted"):
        (kept,) = await arena.database.votes.for_battle(made[name].id)
        assert kept.voter_id == STAYS
    assert not any((await arena.database.people.counts(GONE)).values())


async def test_what_cannot_go_on_is_cancelled(arena: Arena) -> None:
    made = await fill(arena)
    battles = arena.database.battles
    await battles.shown(made["own"].id, 4)
    answering = await battles.create(
        source_message_id=10**18,
        guild_id=7,
        channel_id=8,
        author_id=STAYS,
        conversation=talk(arena, (GONE, SECRET), (STAYS, "and now")),
        purpose=Purpose.LIVE,
        at=arena.at(),
    )
    report = await arena.database.erasure.erase(GONE, at=arena.at(9))
    assert [(one.battle_id, one.message_id) for one in report.withdrawn] == [
        (made["own"].id, 4),
        (answering.id, None),
    ]
    states = [(await battles.get(b.id)).state for b in (made["own"], answering, made["context"])]
    assert states == [BattleState.CANCELLED, BattleState.CANCELLED, BattleState.CLOSED]
    wiped = await battles.get(made["context"].id)
    assert (wiped.wiped_because, wiped.author_id) == (Wiped.ERASED, NOBODY)


@pytest.mark.sqlite("its log of writes holds what was erased as long as somebody reads")
async def test_an_erasure_tells_of_a_reader_who_is_in_its_way(
    arena: Arena, path: Path, raw: Raw, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    await battle(arena, (GONE, SECRET), text=SECRET)
    raw.execute("BEGIN")
    assert raw.execute("SELECT count(*) FROM battles") == [(1,)]
    assert not (await arena.database.erasure.erase(GONE, at=arena.at(9))).overwritten
    assert not await arena.database.erasure.rewrite_file()
    raw.execute("COMMIT")
    assert (await arena.database.erasure.erase(GONE, at=arena.at(9))).overwritten
    assert SECRET.encode() not in b"".join(contents(path.parent).values())


async def test_exports_that_have_rows_of_an_erased_person_are_named(arena: Arena) -> None:
    made = await fill(arena)
    for names in (("own", "apart"), ("apart",), ("voted",)):
        await arena.database.exports.record(
            format="dpo",
            purpose=Consent.TRAIN,
            manifest={},
            sha256="ab",
            dataset="cd",
            rows=[(made[name].id, 1) for name in names],
            at=arena.at(len(names)),
        )
    report = await arena.database.erasure.erase(GONE, at=arena.at(9))
    assert [(e.id, e.created_at) for e in report.exports] == [(1, arena.at(2)), (3, arena.at(1))]


async def test_all_that_is_stored_of_a_person_comes_out_and_nothing_of_others(
    arena: Arena,
) -> None:
    await fill(arena)
    found = await arena.database.people.everything(GONE)
    counts = await arena.database.people.counts(GONE)
    assert {table: len(rows) for table, rows in found.items()} == counts
    assert set(found) == {column.table.name for column in personal_columns()}
    text = json.dumps(found)
    assert text.count(SECRET) >= 3
    assert OTHERS not in text
    assert str(STAYS) not in text
    assert (await arena.database.people.counts(GONE, 8))["votes"] == 0
    assert (await arena.database.people.counts(GONE, 7))["votes"] == 1


async def test_of_everybody_there_is_when_their_oldest_row_is_of(arena: Arena) -> None:
    await fill(arena)
    since = await arena.database.people.since()
    assert since == {GONE: arena.at(), STAYS: arena.at()}
    await arena.database.erasure.erase(GONE, at=arena.at(9))
    assert GONE not in await arena.database.people.since()
    later = await battle(arena, (STAYS, OTHERS))
    await arena.database.sightings.full_text(later.id, GONE, at=arena.at(9))
    assert (await arena.database.people.since())[GONE] == arena.at(9)


@pytest.mark.parametrize("where", sorted({c.table.name for c in personal_columns()}))
def test_each_row_of_a_person_has_a_time(where: str) -> None:
    """Of its own or of its battle: by it whoever was erased is told from who came back."""
    columns = metadata.tables[where].columns
    assert any(isinstance(c.type, UtcDateTime) for c in columns) or where == "turns"


async def test_erasing_somebody_unknown_changes_nothing(
    arena: Arena, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    await fill(arena)
    tables = [table.name for table in metadata.sorted_tables]
    before = {table: rows(f"SELECT * FROM {table}") for table in tables}
    report = await arena.database.erasure.erase(GONE + 1, at=arena.at(9))
    assert report.wiped == 0
    assert not any(report.rows.values())
    assert {table: rows(f"SELECT * FROM {table}") for table in tables} == before
