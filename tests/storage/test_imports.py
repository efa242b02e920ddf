"""Collections of others in a database of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.errors import StorageError
from storage.records import (
    NOBODY,
    BattleState,
    Conversation,
    FinishReason,
    Import,
    ImportedAnswer,
    ImportedBattle,
    ImportedVote,
    Kind,
    Outcome,
    Purpose,
    Side,
    Turn,
    VoteEventKind,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Arena

ANSWERS = (
    ImportedAnswer(contender="wild", text="base\0 text", finish_reason=FinishReason.LENGTH),
    ImportedAnswer(contender="tame", text="a tame text", tags=("refusal",), completion_tokens=3),
)
FILE = {"file": "votes.jsonl", "sha256": "ab", "licence": "CC-BY-4.0"}


def collected(arena: Arena, number: int, *winners: Side | Outcome) -> ImportedBattle:
    said = Turn(author_id=NOBODY, name="user", text=f"question {number}")
    return ImportedBattle(
        source_message_id=number,
        prompt_key=number,
        root_key=number,
        conversation=Conversation(turns=(said,), bot_name="assistant"),
        answers=ANSWERS,
        votes=tuple(
            ImportedVote(
                voter_id=voter,
                outcome=Outcome.WIN if isinstance(winner, Side) else winner,
                winner=winner if isinstance(winner, Side) else None,
                at=arena.at(voter),
            )
            for voter, winner in enumerate(winners, start=1)
        ),
        at=arena.at(number),
    )


async def test_an_imported_battle_is_a_closed_one_of_nobody_with_its_votes(
    arena: Arena, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    store = arena.database
    added = await store.imports.add(
        **FILE, battles=[collected(arena, 600, Side.B, Outcome.TIE)], at=arena.at()
    )
    assert added == Import(id=1, **FILE, battles=1, votes=2, skipped=0, at=arena.at())
    assert await store.imports.all() == (added,)
    battle = await store.battles.by_source(600)
    assert (battle.state, battle.author_id, battle.guild_id) == (BattleState.CLOSED, NOBODY, None)
    assert battle.conversation.prompt.text == "question 600"
    assert [(a.side, a.contender, a.kind, a.shown) for a in battle.answers] == [
        (Side.A, "wild", Kind.BASE, "base text"),
        (Side.B, "tame", Kind.INSTRUCT, "a tame text"),
    ]
    assert battle.answers[0].fingerprint == "f-wild"
    assert battle.answers[1].tags == ("refusal",)
    won, tied = await store.votes.for_battle(battle.id)
    assert won.winner_answer_id == battle.answer(Side.B).id
    assert (tied.outcome, tied.winner_answer_id, tied.votes_before) == (Outcome.TIE, None, 1)
    events = await store.votes.events(battle.id)
    assert [(e.voter_id, e.event, e.winner_answer_id) for e in events] == [
        (1, VoteEventKind.CAST, won.winner_answer_id),
        (2, VoteEventKind.CAST, None),
    ]
    assert rows("SELECT prompt_key, bucket FROM battles") == [(600, 600 % 256)]
    assert rows("SELECT * FROM turns") == rows("SELECT * FROM members") == []


async def test_a_battle_of_one_contender_with_itself_is_a_control(arena: Arena) -> None:
    alone = replace(collected(arena, 600, Side.A), answers=(ANSWERS[0], ANSWERS[0]))
    for battle, purpose in ((alone, Purpose.CONTROL), (collected(arena, 601), Purpose.LIVE)):
        number = str(battle.source_message_id)
        await arena.database.imports.add(
            **FILE | {"sha256": number}, battles=[battle], at=arena.at()
        )
        stored = await arena.database.battles.by_source(battle.source_message_id)
        assert stored.purpose is purpose


async def test_a_file_is_imported_once_and_a_battle_from_one_file(arena: Arena) -> None:
    imports = arena.database.imports
    first = [collected(arena, number, Side.A) for number in (1, 2)]
    await imports.add(**FILE, battles=first, at=arena.at())
    assert await imports.add(**FILE, battles=first, at=arena.at(1)) is None
    more = [*first, *(collected(arena, number, Side.A, Side.B) for number in (3, 3))]
    added = await imports.add(**FILE | {"sha256": "cd"}, battles=more, at=arena.at(2))
    assert (added.battles, added.votes, added.skipped) == (1, 2, 3)
    assert len(await imports.all()) == 2


async def test_more_battles_than_are_held_at_a_time_keep_their_own_answers_and_votes(
    arena: Arena, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    def many() -> Iterator[ImportedBattle]:
        for number in range(1, 1202):
            texts = [replace(a, text=f"{number} {a.contender}") for a in ANSWERS]
            yield replace(
                collected(arena, number, Side.A if number % 2 else Side.B), answers=tuple(texts)
            )

    added = await arena.database.imports.add(**FILE, battles=many(), at=arena.at())
    assert (added.battles, added.votes) == (1201, 1201)
    said = rows(
        "SELECT source_message_id, shown FROM votes"
        " JOIN battles ON battles.id = votes.battle_id"
        " JOIN answers ON answers.id = winner_answer_id ORDER BY source_message_id"
    )
    names = ("tame", "wild")
    assert said == [(number, f"{number} {names[number % 2]}") for number in range(1, 1202)]


async def test_a_file_that_cannot_be_stored_leaves_nothing(
    arena: Arena, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    fine, other = collected(arena, 1, Side.A), collected(arena, 2, Side.A)
    stranger = replace(other, answers=(ANSWERS[0], replace(ANSWERS[1], contender="who")))
    twice = replace(other, votes=other.votes * 2)
    for wrong, told in ((stranger, "no contender who"), (twice, "contradicts")):
        many = [fine, *(replace(fine, source_message_id=n) for n in range(10, 600)), wrong]
        with pytest.raises(StorageError, match=told):
            await arena.database.imports.add(**FILE, battles=many, at=arena.at())
    assert rows("SELECT count(*) FROM battles") == [(0,)]
    assert await arena.database.imports.all() == ()
