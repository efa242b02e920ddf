"""Open ballots on a real file: their votes, and who could rate them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.ballots import Rateable
from storage.records import Closing, Outcome, Purpose

if TYPE_CHECKING:
    from conftest import Arena

    from storage.records import Battle

GUILD, ME = 7, 5


async def shown(arena: Arena, *, purpose: Purpose = Purpose.LIVE, guild_id: int = GUILD) -> Battle:
    battle = await arena.open(guild_id=guild_id, purpose=purpose)
    await arena.database.battles.shown(battle.id, 500 + battle.id)
    return battle


async def vote(arena: Arena, battle: Battle, voter: int, *, side: int | None = None) -> None:
    await arena.database.votes.cast(
        battle_id=battle.id,
        voter_id=voter,
        outcome=Outcome.TIE if side is None else Outcome.WIN,
        winner_answer_id=None if side is None else battle.answers[side].id,
        by_author=False,
        at=arena.at(10 + voter),
    )


async def rateable(arena: Arena) -> list[int]:
    return [one.id for one in await arena.database.ballots.rateable(GUILD, ME)]


async def test_an_open_ballot_tells_its_votes_and_whose_guess_is_missing(arena: Arena) -> None:
    store = arena.database
    one, two, closed = [await shown(arena) for _ in range(3)]
    for voter in (1, 2):
        await vote(arena, one, voter)
    await store.battles.close(closed.id, because=Closing.TIME, at=arena.at(3))
    first, second = await store.ballots.open()
    assert (first.id, first.votes, first.unguessed_at) == (one.id, 2, arena.at(12))
    assert (second.id, second.votes, second.unguessed_at) == (two.id, 0, None)
    assert first.opened_at == arena.at(1)
    await store.votes.guess(one.id, 2, None, at=arena.at(20))
    (alone,) = await store.ballots.open(one.id)
    assert alone.unguessed_at == arena.at(11)
    assert await store.ballots.open(closed.id) == ()
    assert await store.ballots.open(after=one.id) == (second,)


async def test_only_what_a_member_had_nothing_to_do_with_can_be_rated(arena: Arena) -> None:
    store = arena.database
    fresh, voted, withdrawn, closed = [await shown(arena) for _ in range(4)]
    unseen = await arena.open(guild_id=GUILD)
    await shown(arena, guild_id=8)
    await shown(arena, purpose=Purpose.MIRROR)
    control = await shown(arena, purpose=Purpose.CONTROL)
    for battle in (voted, withdrawn):
        await vote(arena, battle, ME)
    await store.votes.withdraw(withdrawn.id, ME, at=arena.at(20))
    await store.battles.close(closed.id, because=Closing.TIME, at=arena.at(3))
    assert unseen.shown_message_id is None
    assert await rateable(arena) == [fresh.id, control.id]


async def test_a_rateable_battle_tells_its_counts_and_how_it_was_dealt(arena: Arena) -> None:
    battle = await shown(arena)
    for voter, side in ((1, 0), (2, 0), (3, 1), (4, None)):
        await vote(arena, battle, voter, side=side)
    (one,) = await arena.database.ballots.rateable(GUILD, ME)
    assert sorted(one.counts) == [1, 1, 2]
    assert (one.channel_id, one.author_id, one.dealt_at) == (8, 9, None)
    await arena.database.sightings.shown(battle.id, ME, swapped=True, at=arena.at(30))
    (one,) = await arena.database.ballots.rateable(GUILD, ME)
    assert (one.swapped, one.dealt_at) == (True, arena.at(30))


async def test_the_sides_of_a_private_ballot_stay_as_they_were_dealt_first(arena: Arena) -> None:
    battle = await shown(arena)
    sightings = arena.database.sightings
    assert await sightings.shown(battle.id, ME, swapped=True, at=arena.at(1))
    assert await sightings.shown(battle.id, ME, swapped=False, at=arena.at(2))
    assert (await sightings.get(battle.id, ME)).shown_at == arena.at(2)


async def test_a_preference_can_be_mirrored_once(arena: Arena) -> None:
    store = arena.database
    won, tie, control = (
        await shown(arena),
        await shown(arena),
        await shown(arena, purpose=Purpose.CONTROL),
    )
    await vote(arena, won, ME, side=0)
    await vote(arena, tie, ME)
    await vote(arena, control, ME, side=0)
    await vote(arena, await shown(arena), 6, side=0)
    found = Rateable(id=won.id, channel_id=8, author_id=9)
    assert await store.ballots.mirrorable(GUILD, ME, before=arena.at(14)) == ()
    assert await store.ballots.mirrorable(GUILD, ME, before=arena.at(15)) == (found,)
    await store.battles.close(won.id, because=Closing.TIME, at=arena.at(20))
    assert await store.ballots.mirrorable(GUILD, ME, before=arena.at(15)) == (found,)
    mirror = await store.battles.create(
        source_message_id=1,
        guild_id=GUILD,
        channel_id=8,
        author_id=9,
        conversation=won.conversation,
        purpose=Purpose.MIRROR,
        mirror_of_id=won.id,
        at=arena.at(30),
    )
    await store.sightings.shown(mirror.id, 6, swapped=False, at=arena.at(31))
    assert await store.ballots.mirrorable(GUILD, ME, before=arena.at(15)) == (found,)
    await store.sightings.shown(mirror.id, ME, swapped=False, at=arena.at(31))
    assert await store.ballots.mirrorable(GUILD, ME, before=arena.at(15)) == ()
