"""Votes on a real file: what is stored, what is logged, what it adds up to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from storage.errors import StorageError
from storage.records import (
    Battle,
    Closing,
    Outcome,
    Purpose,
    Reason,
    Side,
    Vote,
    VoteEvent,
    VoteEventKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Arena

    from storage.votes import CastVote


async def press(
    arena: Arena,
    battle: Battle,
    choice: str,
    *,
    voter: int = 5,
    second: int = 1,
    private: bool = False,
    telling: bool = False,
) -> CastVote:
    """Vote as a member does: for a side, or `tie`, or `both_bad`."""
    wins = choice in set(Side)
    cast = await arena.database.votes.cast(
        battle_id=battle.id,
        voter_id=voter,
        outcome=Outcome.WIN if wins else Outcome(choice),
        winner_answer_id=battle.answer(Side(choice)).id if wins else None,
        by_author=voter == battle.author_id,
        private=private,
        telling=telling,
        at=arena.at(second),
    )
    assert cast is not None
    return cast


async def guess(arena: Arena, battle: Battle, side: str | None, *, voter: int = 5) -> None:
    answer_id = battle.answer(Side(side)).id if side else None
    assert await arena.database.votes.guess(battle.id, voter, answer_id, at=arena.at(5))


async def test_a_first_vote_is_stored_and_logged(arena: Arena) -> None:
    battle = await arena.open()
    cast = await press(arena, battle, "b", voter=battle.author_id, second=3)
    assert not cast.changed
    assert cast.votes == 1
    assert cast.vote == Vote(
        battle_id=battle.id,
        voter_id=battle.author_id,
        outcome=Outcome.WIN,
        winner_answer_id=battle.answer(Side.B).id,
        blind=True,
        by_author=True,
        created_at=arena.at(3),
        updated_at=arena.at(3),
        seconds=2.0,
    )
    assert await arena.database.votes.for_battle(battle.id) == (cast.vote,)
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
    cast = await press(arena, battle, "tie", second=9)
    assert cast.changed
    vote = cast.vote
    assert (vote.outcome, vote.winner_answer_id, vote.blind) == (Outcome.TIE, None, True)
    assert (vote.created_at, vote.updated_at) == (arena.at(3), arena.at(9))
    assert await arena.database.votes.for_battle(battle.id) == (vote,)
    events = await arena.database.votes.events(battle.id)
    assert [event.event for event in events] == [VoteEventKind.CAST, VoteEventKind.CHANGE]


async def test_the_same_choice_again_changes_nothing(arena: Arena) -> None:
    battle = await arena.open()
    first = await press(arena, battle, "a", second=3)
    assert await press(arena, battle, "a", second=9) == first
    assert len(await arena.database.votes.events(battle.id)) == 1


async def test_the_same_choice_again_tells_who_was_not_told_before(arena: Arena) -> None:
    battle, votes = await arena.open(), arena.database.votes
    first = await press(arena, battle, "a")
    assert not first.told
    again = await press(arena, battle, "a", second=9, telling=True)
    assert (again.vote, again.changed, again.told) == (first.vote, False, True)
    assert again.vote.blind
    assert await votes.told(battle.id, 5)
    assert len(await votes.events(battle.id)) == 1


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


async def test_a_battle_that_is_not_open_takes_no_vote_and_gives_none_back(arena: Arena) -> None:
    battle = await arena.open()
    await press(arena, battle, "a")
    await arena.database.battles.close(battle.id, because=Closing.TIME, at=arena.at(9))
    late = {"voter_id": 6, "outcome": Outcome.TIE, "winner_answer_id": None, "by_author": False}
    for number in (battle.id, 77):
        assert await arena.database.votes.cast(battle_id=number, at=arena.at(9), **late) is None
    assert not await arena.database.votes.withdraw(battle.id, 5, at=arena.at(9))
    assert len(await arena.database.votes.for_battle(battle.id)) == 1


async def test_only_a_first_guess_counts_and_tells(arena: Arena) -> None:
    battle, votes = await arena.open(), arena.database.votes
    assert await votes.guess(battle.id, 5, None, at=arena.at(5)) is None
    await press(arena, battle, "a")
    assert not await votes.told(battle.id, 5)
    await guess(arena, battle, "a")
    await guess(arena, battle, "b")
    word = await votes.word(battle.id, 5)
    assert word.told
    assert word.vote is not None
    assert word.vote.guessed_base_answer_id == battle.answer(Side.A).id
    assert word.vote.guessed_at == arena.at(5)
    assert not (await press(arena, battle, "b")).vote.blind


async def test_guesses_are_counted_where_there_was_one_base_model_to_find(arena: Arena) -> None:
    for side, purpose in (("a", Purpose.LIVE), ("b", Purpose.LIVE), (None, Purpose.LIVE)):
        battle = await arena.open(purpose=purpose)
        await press(arena, battle, "tie")
        await guess(arena, battle, side)
    check = await arena.open(purpose=Purpose.CONTROL)
    await press(arena, check, "tie")
    await guess(arena, check, "a")
    word = await arena.database.votes.word(check.id, 5)
    assert (word.right, word.guesses) == (1, 2)
    nobody = await arena.database.votes.word(check.id, 6)
    assert (nobody.vote, nobody.right, nobody.guesses) == (None, 0, 0)


async def test_what_is_taken_back_goes_with_all_that_was_added(arena: Arena) -> None:
    battle, votes = await arena.open(), arena.database.votes
    await press(arena, battle, "a")
    await guess(arena, battle, "a")
    assert await votes.remark(battle.id, 5, reason=Reason.FUNNY, at=arena.at(6))
    assert await votes.withdraw(battle.id, 5, at=arena.at(7))
    assert not await votes.withdraw(battle.id, 5, at=arena.at(7))
    assert not await votes.remark(battle.id, 5, reason=Reason.SAFE, at=arena.at(8))
    word = await votes.word(battle.id, 5)
    assert (word.vote, word.remark, word.told) == (None, None, True)
    assert not (await press(arena, battle, "a")).vote.blind
    events = [event.event for event in await votes.events(battle.id)]
    assert events == [VoteEventKind.CAST, VoteEventKind.WITHDRAW, VoteEventKind.CAST]


async def test_what_is_said_of_a_choice_is_not_stored_for_another(arena: Arena) -> None:
    battle, votes = await arena.open(), arena.database.votes
    first = (await press(arena, battle, "a")).vote
    second = (await press(arena, battle, "b")).vote
    assert not await votes.remark(battle.id, 5, reason=Reason.FUNNY, of=first, at=arena.at(6))
    assert (await votes.word(battle.id, 5)).remark is None
    assert await votes.remark(battle.id, 5, reason=Reason.FUNNY, of=second, at=arena.at(6))


async def test_another_choice_takes_the_reason_away_and_leaves_the_edit(arena: Arena) -> None:
    battle, votes = await arena.open(), arena.database.votes
    await press(arena, battle, "a")
    edit = {"edited_answer_id": battle.answer(Side.A).id, "edit": "better"}
    await votes.remark(battle.id, 5, reason=Reason.OTHER, comment="so", at=arena.at(6), **edit)
    assert not (await press(arena, battle, "a")).unsaid
    assert (await press(arena, battle, "b")).unsaid
    assert not (await press(arena, battle, "a")).unsaid
    remark = (await votes.word(battle.id, 5)).remark
    assert remark is not None
    assert (remark.reason, remark.comment, remark.edit) == (None, None, "better")


async def test_a_ballot_shown_alone_has_its_own_sides_and_time(arena: Arena) -> None:
    battle, sightings = await arena.open(), arena.database.sightings
    await sightings.shown(battle.id, 5, swapped=True, at=arena.at(10))
    await sightings.full_text(battle.id, 5, at=arena.at(11))
    alone = (await press(arena, battle, "a", private=True, second=14)).vote
    assert (alone.swapped, alone.seconds, alone.full_text) == (True, 4.0, True)
    public = (await press(arena, battle, "b", second=14)).vote
    assert (public.swapped, public.seconds) == (False, 13.0)


async def test_each_vote_says_how_many_of_others_stood_before(arena: Arena) -> None:
    battle = await arena.open()
    casts = [await press(arena, battle, "a", voter=voter) for voter in (5, 6, 7, 5)]
    assert [cast.vote.votes_before for cast in casts] == [0, 1, 2, 0]
    changed = await press(arena, battle, "b", voter=5)
    assert (changed.vote.votes_before, changed.votes) == (2, 3)


async def test_who_was_told_the_sides_of_a_battle_is_not_blind_where_it_goes_on(
    arena: Arena,
) -> None:
    first = await arena.open()
    second = await arena.open(parent_id=first.id)
    third = await arena.open(parent_id=second.id)
    elsewhere = await arena.open()
    for voted, others in ((first, (second, third)), (third, (first, second))):
        voter = 100 + voted.id
        assert (await press(arena, voted, "a", voter=voter)).vote.blind
        await guess(arena, voted, None, voter=voter)
        for other in others:
            assert not (await press(arena, other, "a", voter=voter)).vote.blind
        assert (await press(arena, elsewhere, "a", voter=voter)).vote.blind
    assert (await press(arena, second, "a", voter=5)).vote.blind
    await arena.database.battles.close(first.id, because=Closing.TIME, at=arena.at(9))
    assert not (await press(arena, second, "a", voter=6)).vote.blind


async def test_a_mirror_and_its_original_are_told_as_one(arena: Arena) -> None:
    original = await arena.open()
    mirror = await arena.open(purpose=Purpose.MIRROR, mirror_of_id=original.id)
    for voter, (voted, other) in ((5, (mirror, original)), (6, (original, mirror))):
        assert (await press(arena, other, "b", voter=voter)).vote.blind
        assert (await press(arena, voted, "a", voter=voter)).vote.blind
        await guess(arena, voted, None, voter=voter)
        changed = await press(arena, other, "a", voter=voter)
        assert changed.told
        assert not changed.vote.blind


async def test_a_mirror_that_closes_tells_only_who_got_it(arena: Arena) -> None:
    original = await arena.open()
    mirror = await arena.open(purpose=Purpose.MIRROR, mirror_of_id=original.id)
    store = arena.database
    await store.sightings.shown(mirror.id, 5, swapped=False, at=arena.at(2))
    await store.battles.close(mirror.id, because=Closing.TIME, at=arena.at(9))
    assert not (await press(arena, original, "a", voter=5)).vote.blind
    assert (await press(arena, original, "a", voter=6)).vote.blind
    await store.battles.close(original.id, because=Closing.TIME, at=arena.at(9))
    assert await store.votes.told(mirror.id, 6)


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
    assert [cast.changed for cast in results].count(False) == 1
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
    assert not (await press(arena, battle, "tie", voter=99)).changed
