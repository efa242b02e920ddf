"""What rankings read: closed battles and the votes on them, as columns of plain numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.dialects import sqlite

from storage import arena as storage
from storage.arena import BATTLE, VOTE, Extent
from storage.records import Closing, Consent, Kind, Outcome, Purpose, Side
from storage.retention import Window
from storage.style import style_of

if TYPE_CHECKING:
    from conftest import Arena, Raw

    from storage.records import Answer, Battle


async def read(arena: Arena, **which: Any) -> tuple[list[dict], list[dict]]:
    """All battles and votes, a row each."""
    battles: list[dict] = []
    votes: list[dict] = []
    async for page in arena.database.arena.pages(**which):
        assert (tuple(page.battles), tuple(page.votes)) == (BATTLE, VOTE)
        battles += _rows(page.battles)
        votes += _rows(page.votes)
    return battles, sorted(votes, key=lambda vote: (vote["battle_id"], vote["voter_id"]))


def _rows(columns: dict[str, list]) -> list[dict]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


async def press(arena: Arena, battle: Battle, choice: str, voter: int, **more: Any) -> None:
    winner = None
    if choice in {"a", "b"}:
        winner, choice = battle.answer(Side(choice)).id, Outcome.WIN.value
    facts = {"by_author": False, "at": arena.at(31)} | more
    await arena.database.votes.cast(
        battle_id=battle.id,
        voter_id=voter,
        outcome=Outcome(choice),
        winner_answer_id=winner,
        **facts,
    )


async def close(arena: Arena, *battles: Battle, seconds: int = 60) -> None:
    for battle in battles:
        at = arena.at(seconds)
        assert await arena.database.battles.close(battle.id, because=Closing.TIME, at=at)


async def told(arena: Arena, battle: Battle, voter: int, side: Side | None) -> None:
    answer_id = None if side is None else battle.answer(side).id
    await arena.database.votes.guess(battle.id, voter, answer_id, at=arena.at(32))


async def met(arena: Arena, **columns: Any) -> Battle:
    """An open battle whose answers have these columns, side by side."""
    battle = await arena.answering()
    answers: list[Answer] = [
        replace(answer, **{name: values[at] for name, values in columns.items()})
        for at, answer in enumerate(arena.answers())
    ]
    opened = await arena.database.battles.open(battle.id, answers, at=arena.at(1))
    assert opened is not None
    return opened


async def test_votes_say_by_side_what_was_pressed(arena: Arena) -> None:
    battle = await arena.open()
    for voter, choice in enumerate(("a", "b", "tie", "both_bad"), start=1):
        await press(arena, battle, choice, voter, by_author=voter == 2)
    await close(arena, battle)
    _, votes = await read(arena)
    assert [vote["outcome"] for vote in votes] == [0, 1, 2, 3]
    assert [vote["by_author"] for vote in votes] == [0, 1, 0, 0]
    assert votes[0] == {
        "battle_id": battle.id,
        "voter_id": 1,
        "outcome": 0,
        "blind": 1,
        "by_author": 0,
        "swapped": 0,
        "guess": -1,
        "seconds": 30.0,
    }


async def test_a_battle_says_where_and_what_it_was(arena: Arena, raw: Raw) -> None:
    shown = ("**bold**\n- one", "plain")
    battle = await met(arena, shown=shown, seconds=(1.5, 4.0), template=("irc", "chat"))
    raw.execute("UPDATE battles SET topic = 'code', language = 'de'")
    await close(arena, battle)
    (found,), _ = await read(arena)
    wild, tame = await arena.database.arena.contenders(), {"wild": 1, "tame": 2}
    assert wild == {1: ("wild", Kind.BASE, None), 2: ("tame", Kind.INSTRUCT, None)}
    styles = list(map(style_of, shown))
    assert found == {
        "id": battle.id,
        "guild_id": 7,
        "channel_id": 8,
        "purpose": "live",
        "day": "2026-01-01",
        "contender_a": tame["wild"],
        "contender_b": tame["tame"],
        "kind_a": "base",
        "kind_b": "instruct",
        "template_a": "irc",
        "template_b": "chat",
        "topic": "code",
        "language": "de",
        "characters_a": styles[0].characters,
        "characters_b": styles[1].characters,
        "markup_a": 3,
        "markup_b": 0,
        "seconds_a": 1.5,
        "seconds_b": 4.0,
        "mirror_of_id": 0,
        "goes_on": 0,
        "unranked": 0,
    }


@pytest.mark.parametrize(
    ("guess", "said"), [(Side.A, 1), (Side.B, 2), (None, 0)], ids=["right", "wrong", "not sure"]
)
async def test_guesses_are_right_or_wrong_by_the_base_models_side(
    arena: Arena, guess: Side | None, said: int
) -> None:
    battle = await arena.open()
    await press(arena, battle, "b", 1)
    await told(arena, battle, 1, guess)
    await press(arena, battle, "a", 2)
    await close(arena, battle)
    _, votes = await read(arena)
    assert [vote["guess"] for vote in votes] == [said, -1]
    turned = await met(arena, kind=(Kind.INSTRUCT, Kind.BASE), contender=("tame", "wild"))
    await press(arena, turned, "b", 1)
    await told(arena, turned, 1, guess)
    await close(arena, turned)
    _, votes = await read(arena)
    assert votes[-1]["guess"] == {1: 2, 2: 1, 0: 0}[said]


async def test_nothing_is_to_be_guessed_where_there_is_not_one_base_model(arena: Arena) -> None:
    battle = await met(arena, kind=(Kind.BASE, Kind.BASE))
    await press(arena, battle, "b", 1)
    await told(arena, battle, 1, Side.A)
    await close(arena, battle)
    _, votes = await read(arena)
    assert [vote["guess"] for vote in votes] == [-1]


async def test_a_vote_after_the_reveal_is_not_blind(arena: Arena) -> None:
    battle = await arena.open()
    await press(arena, battle, "a", 1)
    await told(arena, battle, 1, Side.A)
    await press(arena, battle, "b", 1)
    await close(arena, battle)
    _, votes = await read(arena)
    assert [(vote["outcome"], vote["blind"]) for vote in votes] == [(1, 0)]


async def test_who_saw_the_sides_exchanged_voted_for_the_stored_side(arena: Arena) -> None:
    battle = await arena.open()
    await arena.database.sightings.shown(battle.id, 1, swapped=True, at=arena.at(20))
    await press(arena, battle, "a", 1, private=True)
    await close(arena, battle)
    _, votes = await read(arena)
    assert [(vote["outcome"], vote["swapped"], vote["seconds"]) for vote in votes] == [(0, 1, 11)]


async def test_what_is_not_closed_is_nowhere(arena: Arena) -> None:
    await arena.answering()
    kept, shown, gone = [await arena.open() for _ in range(3)]
    for battle in (kept, shown, gone):
        await press(arena, battle, "a", 1)
    await close(arena, kept)
    await arena.database.battles.cancel(gone.id, at=arena.at(60))
    battles, votes = await read(arena)
    assert (
        [battle["id"] for battle in battles] == [vote["battle_id"] for vote in votes] == [kept.id]
    )
    assert (await arena.database.arena.extent()).closed == 1


async def test_copies_and_mirrors_and_controls_say_that_they_are(arena: Arena) -> None:
    first = await arena.open()
    mirror = await arena.open(purpose=Purpose.MIRROR, mirror_of_id=first.id)
    control = await arena.open(purpose=Purpose.CONTROL, guild_id=None)
    more = await arena.open(parent_id=first.id)
    await close(arena, first, mirror, control, more)
    battles, votes = await read(arena)
    assert votes == []
    assert [battle["purpose"] for battle in battles] == ["live", "mirror", "control", "live"]
    assert [battle["mirror_of_id"] for battle in battles] == [0, first.id, 0, 0]
    assert [battle["goes_on"] for battle in battles] == [0, 0, 0, 1]
    assert [battle["guild_id"] for battle in battles] == [7, 7, 0, 7]


async def test_simulated_battles_are_read_by_themselves(arena: Arena, raw: Raw) -> None:
    real, imagined = await arena.open(), await arena.open()
    for battle in (real, imagined):
        await press(arena, battle, "a", 1)
    await close(arena, real)
    await close(arena, imagined, seconds=90)
    raw.execute("UPDATE battles SET simulated = true WHERE id = :id", id=imagined.id)
    for simulated, battle, seconds in ((False, real, 60), (True, imagined, 90)):
        battles, votes = await read(arena, simulated=simulated)
        assert [one["id"] for one in battles] == [one["battle_id"] for one in votes] == [battle.id]
        extent = await arena.database.arena.extent(simulated=simulated)
        assert extent == Extent(recounts=0, closed=1, newest=arena.at(seconds))


async def test_only_what_closed_since_is_read_again(arena: Arena) -> None:
    early, late, later = [await arena.open() for _ in range(3)]
    for battle in (early, late, later):
        await press(arena, battle, "a", 1)
    await close(arena, late, seconds=100)
    await close(arena, early, seconds=200)
    await close(arena, later, seconds=99)
    battles, votes = await read(arena, since=arena.at(100))
    assert [one["id"] for one in battles] == [one["battle_id"] for one in votes]
    assert [one["id"] for one in battles] == [early.id, late.id]


async def test_pages_hold_each_battle_once_with_all_of_its_votes(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.arena.PAGE", 3)
    for number in range(8):
        battle = await arena.open()
        for voter in range(1, number + 1):
            await press(arena, battle, "tie", voter)
        if number != 4:
            await close(arena, battle, seconds=60 + number)
    pages = [page async for page in arena.database.arena.pages()]
    assert [page.battles["id"] for page in pages] == [[1, 2, 3], [4, 6, 7], [8]]
    assert [len(page.votes["battle_id"]) for page in pages] == [0 + 1 + 2, 3 + 5 + 6, 7]
    assert all({*page.votes["battle_id"]} <= {*page.battles["id"]} for page in pages)


async def test_wiped_battles_still_count_without_what_they_were_about(
    arena: Arena, raw: Raw
) -> None:
    battle = await arena.open()
    raw.execute("UPDATE battles SET topic = 'code', language = 'en'")
    await press(arena, battle, "a", 1)
    await close(arena, battle)
    ((before,), votes) = await read(arena)
    await arena.database.erasure.erase(2**60 + 1, at=arena.at(99))
    ((after,), same) = await read(arena)
    assert same == votes
    assert after == before | {"topic": None, "language": None}
    assert after["characters_a"] == len("shown a text")


async def test_an_erased_voters_votes_are_gone_and_that_is_told(arena: Arena) -> None:
    battle = await arena.open()
    await press(arena, battle, "a", 1)
    await press(arena, battle, "b", 2)
    await close(arena, battle)
    before = await arena.database.arena.extent()
    await arena.database.erasure.erase(1, at=arena.at(99))
    _, votes = await read(arena)
    assert [vote["voter_id"] for vote in votes] == [2]
    assert await arena.database.arena.extent() == before._replace(recounts=before.recounts + 1)


async def test_votes_of_who_did_not_agree_are_each_of_somebody_else(arena: Arena) -> None:
    battles = [await arena.open(), await arena.open()]
    for battle in battles:
        await press(arena, battle, "a", 1)
        await press(arena, battle, "b", 2)
    await arena.database.members.set_consent(
        2, Consent.EVALUATE, guild_id=0, version=1, at=arena.at()
    )
    await close(arena, *battles)
    await _forget(arena, *battles)
    _, votes = await read(arena)
    assert sorted(vote["voter_id"] for vote in votes if vote["voter_id"] > 0) == [2, 2]
    assert len({vote["voter_id"] for vote in votes}) == 3


async def _forget(arena: Arena, *battles: Battle) -> None:
    window = Window(
        made_before=arena.at(99),
        unrevealed_before=arena.at() - timedelta(days=9),
        guilds=frozenset({7}),
    )
    await arena.database.retention.forget_voters([battle.id for battle in battles], window)


@pytest.mark.sqlite("its planner tells what it scans, however little there is")
async def test_long_texts_are_not_read(arena: Arena, raw: Raw) -> None:
    conditions = storage._closed(simulated=False)
    for statement in (storage._battles("sqlite", conditions), storage._votes("sqlite", conditions)):
        compiled = statement.compile(dialect=sqlite.dialect())
        values = compiled.params | {"after": 0, "last": 9}
        plan = raw.connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(values[name] for name in compiled.positiontup)
        )
        steps = [step for *_, step in plan if "battles" in step or " a " in step or " b " in step]
        assert len(steps) == 3
        assert all("COVERING INDEX" in step for step in steps), steps
