"""Two processes and many tasks at once: on SQLite a writer has the file, a server locks rows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from conftest import CONTENDERS, START

from bot.dataset.splits import prompt_key
from storage.database import Database
from storage.records import (
    BattleState,
    Closing,
    Consent,
    Conversation,
    Outcome,
    Purpose,
    Reason,
    Side,
    Turn,
    VoteEventKind,
    Wiped,
)
from storage.wiping import wipe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Arena, Raw

    from storage.records import Battle
    from storage.votes import CastVote

TIMES = 8
"""How often each race is run: the other order may be the usual one."""

VOTERS = 24
ERASED = range(2**60 + 100, 2**60 + 106)


@pytest.fixture
async def other(url: str, database: Database) -> AsyncIterator[Database]:
    """Open the database as another process would."""
    async with Database.open(url) as other:
        yield other


async def cast(
    store: Database, battle: Battle, voter: int, side: Side | None = None, *, at: int = 2
) -> CastVote | None:
    return await store.votes.cast(
        battle_id=battle.id,
        voter_id=voter,
        outcome=Outcome.WIN if side else Outcome.TIE,
        winner_answer_id=battle.answer(side).id if side else None,
        by_author=False,
        at=START.replace(second=at),
    )


async def test_many_votes_are_each_counted_once_and_know_those_before(
    arena: Arena, other: Database
) -> None:
    battle = await arena.open()
    stores = (arena.database, other)
    given = await asyncio.gather(
        *(cast(stores[voter % 2], battle, voter) for voter in range(VOTERS))
    )
    assert sorted(one.votes for one in given) == list(range(1, VOTERS + 1))
    votes = await other.votes.for_battle(battle.id)
    assert sorted(vote.votes_before for vote in votes) == list(range(VOTERS))
    assert len(await other.votes.events(battle.id)) == VOTERS


async def test_presses_of_every_kind_at_once_leave_log_and_votes_at_one(
    arena: Arena, other: Database
) -> None:
    for _ in range(TIMES):
        battle = await arena.open()
        said = []
        for voter in range(1, 4):
            for store, side in ((arena.database, Side.A), (other, Side.B), (other, None)):
                said.append(cast(store, battle, voter, side))
            said.append(arena.database.votes.withdraw(battle.id, voter, at=START))
            said.append(other.votes.guess(battle.id, voter, battle.answers[0].id, at=START))
            said.append(other.votes.remark(battle.id, voter, reason=Reason.OTHER, at=START))
        said.append(other.battles.close(battle.id, because=Closing.AUTHOR, at=START))
        await asyncio.gather(*said)
        votes = {v.voter_id: v for v in await other.votes.for_battle(battle.id)}
        standing: dict[int, object] = {}
        for event in await other.votes.events(battle.id):
            known = event.voter_id in standing
            if event.event is VoteEventKind.WITHDRAW:
                assert known
                del standing[event.voter_id]
                continue
            assert event.event is (VoteEventKind.CHANGE if known else VoteEventKind.CAST)
            standing[event.voter_id] = event.outcome, event.winner_answer_id, event.blind
        assert standing == {
            voter: (v.outcome, v.winner_answer_id, v.blind) for voter, v in votes.items()
        }


async def test_nobody_votes_on_what_was_closed_before(arena: Arena, other: Database) -> None:
    for _ in range(TIMES):
        battle = await arena.open()
        voting = [cast(other, battle, voter) for voter in range(6)]
        closing = arena.database.battles.close(battle.id, because=Closing.TIME, at=START)
        *given, closed = await asyncio.gather(*voting, closing)
        assert closed
        stored = await other.votes.for_battle(battle.id)
        assert len(stored) == len([one for one in given if one is not None])
        assert await cast(other, battle, 99) is None


async def test_of_two_guesses_the_first_counts(arena: Arena, other: Database) -> None:
    for _ in range(TIMES):
        battle = await arena.open()
        await cast(other, battle, 1)
        guesses = await asyncio.gather(
            *(
                store.votes.guess(battle.id, 1, answer.id, at=START)
                for store, answer in zip((arena.database, other), battle.answers, strict=True)
            )
        )
        (vote,) = await other.votes.for_battle(battle.id)
        assert {guess.guessed_base_answer_id for guess in guesses} == {vote.guessed_base_answer_id}


async def test_who_was_told_does_not_change_a_vote_blindly(arena: Arena, other: Database) -> None:
    for _ in range(TIMES):
        battle = await arena.open()
        await cast(other, battle, 1, Side.A)
        guessed, changed = await asyncio.gather(
            other.votes.guess(battle.id, 1, battle.answers[0].id, at=START),
            cast(arena.database, battle, 1, Side.B),
        )
        told_before = guessed.winner_answer_id == battle.answer(Side.A).id
        assert changed.vote.blind is not told_before


async def test_a_ballot_dealt_twice_has_the_same_sides(arena: Arena, other: Database) -> None:
    for _ in range(TIMES):
        battle = await arena.open()
        sides = await asyncio.gather(
            arena.database.sightings.shown(battle.id, 1, swapped=True, at=START),
            other.sightings.shown(battle.id, 1, swapped=False, at=START),
        )
        assert len({*sides, (await other.sightings.get(battle.id, 1)).swapped}) == 1


async def test_a_message_is_answered_by_one(arena: Arena, other: Database) -> None:
    for message in range(100, 100 + TIMES):
        made = await asyncio.gather(
            *(create(store, message, "hello") for store in (arena.database, other) * 3)
        )
        assert len([battle for battle in made if battle is not None]) == 1


async def test_one_prompt_has_one_bucket_whoever_asks_it_first(
    arena: Arena, other: Database, raw: Raw
) -> None:
    for number in range(1, TIMES + 1):
        context = Turn(author_id=1, name="a", text=f"context {number}", message_id=number * 1000)
        await create(other, number * 1000, context.text)
        prompt = f"the same {number}"
        made = await asyncio.gather(
            create(arena.database, number * 1000 + 1, prompt, context),
            create(other, number * 1000 + 2, prompt),
            create(arena.database, number * 1000 + 3, prompt),
        )
        ids = ", ".join(str(battle.id) for battle in made)
        buckets = raw.execute(f"SELECT DISTINCT bucket FROM battles WHERE id IN ({ids})")
        assert len(set(buckets) - {(None,)}) <= 1


async def test_a_battle_that_is_withdrawn_as_it_opens_keeps_no_text(
    arena: Arena, other: Database
) -> None:
    for _ in range(TIMES):
        battle = await arena.answering("a secret")
        await asyncio.gather(
            arena.database.battles.open(battle.id, arena.answers("a secret"), at=START),
            other.battles.cancel(battle.id, at=START),
        )
        ended = await other.battles.get(battle.id)
        assert ended.state is BattleState.CANCELLED
        assert "a secret" not in repr(ended)


async def test_what_is_being_wiped_is_not_copied(arena: Arena, other: Database) -> None:
    battle = await arena.open("a secret")
    async with other._transactions.write(alone=True) as connection:
        await wipe(connection, [battle.id], Wiped.DELETED, at=START)
        copying = asyncio.create_task(mirror(arena.database, battle))
        await asyncio.sleep(0.1)
        assert not copying.done()
    assert await copying is None


async def test_what_is_copied_or_said_while_somebody_is_erased_is_erased_too(
    arena: Arena, other: Database
) -> None:
    member = 2**60 + 1
    for _ in range(TIMES):
        battle = await arena.open("a secret")
        await cast(other, battle, 5)
        await asyncio.gather(
            other.erasure.erase(member, at=START),
            mirror(arena.database, battle),
            arena.database.votes.remark(battle.id, 5, comment="a secret", at=START),
        )
        everything = [await other.battles.get(number) for number in range(1, battle.id + 2)]
        assert "a secret" not in repr(everything)
        assert "a secret" not in repr(await other.votes.word(battle.id, 5))


async def test_erasing_people_in_the_midst_of_it_all_stops_nobody(
    arena: Arena, other: Database
) -> None:
    battles = [await arena.open() for _ in range(4)]
    for battle in battles:
        for voter in ERASED:
            await cast(other, battle, voter)
    doing = []
    for voter in ERASED:
        doing.append(other.erasure.erase(voter, at=START))
        doing.append(arena.database.members.set_consent(voter, Consent.TRAIN, version=1, at=START))
        for battle in battles:
            doing.append(cast(arena.database, battle, voter, Side.A))
            doing.append(other.sightings.full_text(battle.id, voter, at=START))
            doing.append(arena.database.votes.remark(battle.id, voter, comment="so", at=START))
        doing.append(arena.open())
    await asyncio.gather(*doing)
    for voter in ERASED:
        await other.erasure.erase(voter, at=START)
        assert not any((await other.people.counts(voter)).values())


async def test_processes_that_start_at_once_register_one_roster(
    arena: Arena, other: Database
) -> None:
    many = [replace(CONTENDERS[0], slug=f"slug-{number}") for number in range(12)]
    await asyncio.gather(
        *(
            store.contenders.register(roster, at=START)
            for store in (arena.database, other)
            for roster in (many, many[::-1])
        )
    )
    assert len(await other.contenders.all()) == len(many) + len(CONTENDERS)


async def create(store: Database, message: int, text: str, *before: Turn) -> Battle | None:
    said = Turn(author_id=1, name="a", text=text, message_id=message)
    conversation = Conversation(turns=(*before, said), bot_name="Twofold")
    return await store.battles.create(
        source_message_id=message,
        guild_id=7,
        channel_id=8,
        author_id=1,
        conversation=conversation,
        prompt_key=prompt_key(conversation, str),
        purpose=Purpose.LIVE,
        at=START,
    )


async def mirror(store: Database, battle: Battle) -> Battle | None:
    return await store.battles.create(
        source_message_id=battle.source_message_id + 10**9,
        guild_id=7,
        channel_id=8,
        author_id=1,
        conversation=battle.conversation,
        purpose=Purpose.MIRROR,
        mirror_of_id=battle.id,
        at=START,
    )
