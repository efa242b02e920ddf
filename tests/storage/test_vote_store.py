"""Votes on a real file: what is stored, what is logged, what it adds up to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import StorageError
from storage.records import (
    Battle,
    Closing,
    Outcome,
    Purpose,
    Side,
    Standing,
    Vote,
    VoteEvent,
    VoteEventKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Arena


async def press(
    arena: Arena,
    battle: Battle,
    choice: str,
    *,
    voter: int = 5,
    second: int = 0,
) -> tuple[Vote, bool]:
    """Vote as a member does: for a side, or `tie`, or `both_bad`."""
    wins = choice in set(Side)
    return await arena.database.votes.cast(
        battle_id=battle.id,
        voter_id=voter,
        outcome=Outcome.WIN if wins else Outcome(choice),
        winner_answer_id=battle.answer(Side(choice)).id if wins else None,
        by_author=voter == battle.author_id,
        at=arena.at(second),
    )


async def test_a_first_vote_is_stored_and_logged(arena: Arena) -> None:
    battle = await arena.open()
    vote, changed = await press(arena, battle, "b", voter=battle.author_id, second=3)
    assert not changed
    assert vote == Vote(
        battle_id=battle.id,
        voter_id=battle.author_id,
        outcome=Outcome.WIN,
        winner_answer_id=battle.answer(Side.B).id,
        blind=True,
        by_author=True,
        created_at=arena.at(3),
        updated_at=arena.at(3),
    )
    assert await arena.database.votes.for_battle(battle.id) == (vote,)
    (event,) = await arena.database.votes.events(battle.id)
    assert event == VoteEvent(
        id=event.id,
        battle_id=battle.id,
        voter_id=battle.author_id,
        event=VoteEventKind.CAST,
        outcome=Outcome.WIN,
        winner_answer_id=battle.answer(Side.B).id,
        blind=True,
        at=arena.at(3),
    )


async def test_a_changed_vote_keeps_its_first_time_and_logs_the_change(arena: Arena) -> None:
    battle = await arena.open()
    await press(arena, battle, "a", second=3)
    vote, changed = await press(arena, battle, "tie", second=9)
    assert changed
    assert (vote.outcome, vote.winner_answer_id, vote.blind) == (Outcome.TIE, None, False)
    assert (vote.created_at, vote.updated_at) == (arena.at(3), arena.at(9))
    assert await arena.database.votes.for_battle(battle.id) == (vote,)
    events = await arena.database.votes.events(battle.id)
    assert [event.event for event in events] == [VoteEventKind.CAST, VoteEventKind.CHANGE]


async def test_the_same_choice_again_changes_nothing(arena: Arena) -> None:
    battle = await arena.open()
    first = await press(arena, battle, "a", second=3)
    assert await press(arena, battle, "a", second=9) == first
    assert len(await arena.database.votes.events(battle.id)) == 1


async def test_what_the_schema_refuses_is_told_in_one_sentence(arena: Arena) -> None:
    battle, other = await arena.open(), await arena.open()
    fine = {
        "battle_id": battle.id,
        "voter_id": 5,
        "outcome": Outcome.WIN,
        "winner_answer_id": battle.answers[0].id,
        "by_author": False,
        "at": arena.at(),
    }
    for wrong in (
        {"battle_id": 77},
        {"winner_answer_id": other.answers[0].id},
        {"winner_answer_id": None},
        {"outcome": Outcome.TIE},
    ):
        with pytest.raises(StorageError) as refusal:
            await arena.database.votes.cast(**(fine | wrong))
        assert "constraint" not in refusal.value.user_message.lower()
        assert not refusal.value.retryable
    assert await arena.database.votes.for_battle(battle.id) == ()
    assert await arena.database.votes.events(battle.id) == ()


async def test_who_was_told_the_sides_of_a_battle_is_not_blind_where_it_goes_on(
    arena: Arena,
) -> None:
    first = await arena.open()
    second = await arena.open(parent_id=first.id)
    third = await arena.open(parent_id=second.id)
    elsewhere = await arena.open()
    for voted, others in ((first, (second, third)), (third, (first, second))):
        voter = 100 + voted.id
        assert (await press(arena, voted, "a", voter=voter))[0].blind
        for other in others:
            assert not (await press(arena, other, "a", voter=voter))[0].blind
        assert (await press(arena, elsewhere, "a", voter=voter))[0].blind
    assert (await press(arena, second, "a", voter=5))[0].blind


async def test_a_battle_whose_answers_went_on_is_told_once_that_was_voted_on(arena: Arena) -> None:
    first = await arena.open()
    second = await arena.open(parent_id=first.id)
    await press(arena, first, "a")
    assert [v.continued async for v in arena.database.battles.voted()] == [False]
    await press(arena, second, "a")
    assert [v.continued async for v in arena.database.battles.voted()] == [True, False]


PRESSES = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["a", "b", "tie", "both_bad"])), max_size=12
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(presses=PRESSES)
async def test_votes_are_the_last_choices_and_the_log_replays_to_them(
    arena: Arena, presses: list[tuple[int, str]]
) -> None:
    battle = await arena.open()
    last: dict[int, str] = {}
    for voter, choice in presses:
        _, changed = await press(arena, battle, choice, voter=voter)
        assert changed == (voter in last and last[voter] != choice)
        last[voter] = choice
    stored = await arena.database.votes.for_battle(battle.id)
    assert {vote.voter_id: _pressed(battle, vote) for vote in stored} == last
    events = await arena.database.votes.events(battle.id)
    assert _replayed(battle, events) == last


def _pressed(battle: Battle, vote: Vote | VoteEvent) -> str:
    for answer in battle.answers:
        if answer.id == vote.winner_answer_id:
            return answer.side.value
    assert vote.outcome is not None
    return vote.outcome.value


def _replayed(battle: Battle, events: Iterable[VoteEvent]) -> dict[int, str]:
    standing: dict[int, str] = {}
    for event in events:
        known = event.voter_id in standing
        assert event.event is (VoteEventKind.CHANGE if known else VoteEventKind.CAST)
        standing[event.voter_id] = _pressed(battle, event)
    return standing


async def test_fifty_members_press_at_once(arena: Arena) -> None:
    battle = await arena.open()
    await asyncio.gather(*(press(arena, battle, "a", voter=voter) for voter in range(50)))
    stored = await arena.database.votes.for_battle(battle.id)
    assert {vote.voter_id for vote in stored} == set(range(50))
    assert len(await arena.database.votes.events(battle.id)) == 50


async def test_one_member_presses_everything_at_once(arena: Arena) -> None:
    battle = await arena.open()
    results = await asyncio.gather(
        *(press(arena, battle, choice) for choice in ("a", "b", "tie", "both_bad"))
    )
    assert [changed for _, changed in results].count(False) == 1
    (vote,) = await arena.database.votes.for_battle(battle.id)
    events = await arena.database.votes.events(battle.id)
    assert len(events) == 4
    assert _replayed(battle, events) == {5: _pressed(battle, vote)}


async def test_a_press_that_is_abandoned_is_stored_whole_or_not_at_all(arena: Arena) -> None:
    battle = await arena.open()
    for voter in range(30):
        task = asyncio.create_task(press(arena, battle, "a", voter=voter))
        for _ in range(voter):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    stored = await arena.database.votes.for_battle(battle.id)
    events = await arena.database.votes.events(battle.id)
    assert {vote.voter_id for vote in stored} == {event.voter_id for event in events}
    _, changed = await press(arena, battle, "tie", voter=99)
    assert not changed


async def test_standings_count_the_votes_on_live_battles(arena: Arena) -> None:
    votes = arena.database.votes
    here, there = await arena.open(guild_id=7), await arena.open(guild_id=None)
    for voter, choice in enumerate(("a", "a", "b", "tie", "both_bad")):
        await press(arena, here, choice, voter=voter)
    for choice in ("a", "b"):
        await press(arena, here, choice, voter=50)
    await press(arena, there, "b")
    await arena.database.battles.close(there.id, because=Closing.TIME, at=arena.at(9))
    mirror = await arena.open(purpose=Purpose.MIRROR)
    await press(arena, mirror, "a")
    gone = await arena.open()
    await press(arena, gone, "a")
    await arena.database.battles.cancel(gone.id, at=arena.at(9))

    tame, wild = await votes.standings(None)
    assert (tame.contender, tame.kind) == ("tame", "instruct")
    assert (tame.wins, tame.losses, tame.ties, tame.both_bad) == (3, 2, 1, 1)
    assert wild == Standing(contender="wild", kind=wild.kind, wins=2, losses=3, ties=1, both_bad=1)
    tame, wild = await votes.standings(7)
    assert (tame.wins, tame.losses, wild.wins, wild.losses) == (2, 2, 2, 2)
    assert await votes.standings(8) == ()
    assert (await votes.count_not_blind(None), await votes.count_not_blind(8)) == (1, 0)
