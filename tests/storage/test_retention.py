"""What is kept too long without consent, on a real file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.members import EVERYWHERE
from storage.records import NOBODY, BattleState, Closing, Consent, Reason, Vote, Wiped
from storage.retention import Window, Withdrawn

if TYPE_CHECKING:
    from conftest import Arena

    from storage.records import Battle

HOUR = 3600
SPEAKERS = (2**60 + 1, 2**60 + 2)
"""Whose words two texts of an arena's conversation are."""

KEEPS, GOES = 71, 72


def window(arena: Arena, **changes: object) -> Window:
    """Everywhere; a battle of the arena's start is past it."""
    usual = {
        "made_before": arena.at(HOUR),
        "unrevealed_before": arena.at(HOUR),
        "guilds": frozenset(),
        "elsewhere": True,
    }
    return Window(**usual | changes)


async def agree(arena: Arena, *member_ids: int, guild_id: int = 7) -> None:
    await say(arena, Consent.EVALUATE, *member_ids, guild_id=guild_id)


async def say(arena: Arena, word: Consent, *member_ids: int, guild_id: int = 7) -> None:
    for member_id in member_ids:
        await arena.database.members.set_consent(
            member_id, word, guild_id=guild_id, version=1, at=arena.at()
        )


async def closed(arena: Arena, *texts: str, **facts: object) -> Battle:
    battle = await arena.open(*texts, **facts)
    await arena.database.battles.close(battle.id, because=Closing.TIME, at=arena.at(2))
    return battle


async def vote(arena: Arena, battle: Battle, voter_id: int) -> Vote:
    cast = await arena.database.votes.cast(
        battle_id=battle.id,
        voter_id=voter_id,
        outcome="win",
        winner_answer_id=battle.answers[0].id,
        by_author=False,
        at=arena.at(1),
    )
    return cast.vote


async def test_a_battle_stays_only_where_all_whose_words_it_holds_agreed(arena: Arena) -> None:
    lapsed = arena.database.retention.lapsed
    battle = await closed(arena, "first", "second")
    assert await lapsed(window(arena)) == (battle.id,)
    await agree(arena, SPEAKERS[0])
    assert await lapsed(window(arena)) == (battle.id,)
    await agree(arena, SPEAKERS[1], guild_id=EVERYWHERE)
    assert await lapsed(window(arena)) == ()
    await say(arena, Consent.NONE, SPEAKERS[1])
    assert await lapsed(window(arena)) == (battle.id,), "what was said here counts first"


async def test_younger_battles_and_those_at_work_are_left(arena: Arena) -> None:
    retention = arena.database.retention
    await arena.answering()
    opened = await arena.open()
    unrevealed = await closed(arena)
    assert await retention.lapsed(window(arena, made_before=arena.at())) == ()
    await arena.database.battles.shown(opened.id, 4)
    assert await retention.lapsed(window(arena)) == (unrevealed.id,)
    assert await retention.lapsed_open(window(arena)) == (opened.id,)
    assert await retention.lapsed_open(window(arena, made_before=arena.at())) == ()


async def test_a_closed_battle_waits_some_time_for_its_message_to_say_so(arena: Arena) -> None:
    battle = await arena.open()
    await arena.database.battles.shown(battle.id, 4)
    await arena.database.battles.close(battle.id, because=Closing.TIME, at=arena.at(2))
    soon = window(arena, unrevealed_before=arena.at(2))
    assert await arena.database.retention.lapsed(soon) == ()
    assert await arena.database.retention.lapsed(window(arena)) == (battle.id,)


async def test_guilds_have_rules_of_their_own(arena: Arena) -> None:
    here, elsewhere, private = [await closed(arena, guild_id=guild) for guild in (7, 8, None)]
    await agree(arena, SPEAKERS[0], guild_id=EVERYWHERE)
    lapsed = arena.database.retention.lapsed
    assert await lapsed(window(arena, may_ask=False, guilds=frozenset({7}))) == (
        elsewhere.id,
        private.id,
    )
    only = {"may_ask": False, "guilds": frozenset({7}), "elsewhere": False}
    assert await lapsed(window(arena, **only)) == (here.id,)


async def test_wiping_leaves_counts_and_the_ids_of_messages(arena: Arena) -> None:
    battle = await closed(arena, "a secret", "another")
    await vote(arena, open_one := await arena.open("kept"), KEEPS)
    await arena.database.retention.wipe([battle.id], Wiped.RETENTION)
    await arena.database.retention.wipe([battle.id], Wiped.ERASED)
    wiped = await arena.database.battles.get(battle.id)
    assert wiped.wiped_because is Wiped.RETENTION
    assert wiped.author_id == NOBODY
    assert wiped.source_message_id == battle.source_message_id
    assert [(a.shown, a.raw, a.rendered) for a in wiped.answers] == [("", "", "")] * 2
    assert [a.tags for a in wiped.answers] == [a.tags for a in battle.answers]
    assert "secret" not in repr(wiped)
    assert (await arena.database.battles.get(open_one.id)).conversation == open_one.conversation


async def test_battles_that_were_given_up_lose_the_ids_of_people_whoever_agreed(
    arena: Arena,
) -> None:
    await agree(arena, *SPEAKERS)
    failed, cancelled = await arena.answering(), await arena.open()
    await arena.database.battles.fail(failed.id, reason="test", at=arena.at(1))
    await arena.database.battles.cancel(cancelled.id, at=arena.at(1))
    lapsed = await arena.database.retention.lapsed(window(arena))
    assert sorted(lapsed) == [failed.id, cancelled.id]
    await arena.database.retention.wipe(lapsed, Wiped.RETENTION)
    assert await arena.database.retention.lapsed(window(arena)) == ()
    for battle_id in lapsed:
        stored = await arena.database.battles.get(battle_id)
        assert [turn.author_id for turn in stored.conversation.turns] == [NOBODY]


async def test_votes_of_members_who_did_not_agree_become_nobodys(arena: Arena) -> None:
    votes, retention = arena.database.votes, arena.database.retention
    await agree(arena, KEEPS)
    battle = await arena.open()
    for voter in (KEEPS, GOES, 73):
        await vote(arena, battle, voter)
        await votes.remark(battle.id, voter, reason=Reason.FUNNY, at=arena.at(2))
        await votes.guess(battle.id, voter, None, at=arena.at(2))
    await votes.withdraw(battle.id, 73, at=arena.at(3))
    assert await retention.lapsed_voters(window(arena)) == (), "it is open yet"
    await arena.database.battles.close(battle.id, because=Closing.TIME, at=arena.at(4))
    before = await votes.standings(None)
    assert await retention.lapsed_voters(window(arena)) == (battle.id,)
    assert await retention.forget_voters([battle.id], window(arena)) == 1
    assert await retention.lapsed_voters(window(arena)) == ()
    kept, nobodys = await votes.for_battle(battle.id)
    assert (kept.voter_id, nobodys.voter_id < 0) == (KEEPS, True)
    events = await votes.events(battle.id)
    assert [event.voter_id for event in events] == [KEEPS, nobodys.voter_id]
    assert await votes.remark_on(battle.id, KEEPS)
    for voter in (nobodys.voter_id, GOES):
        assert await votes.remark_on(battle.id, voter) is None
    assert await votes.standings(None) == before


@pytest.mark.parametrize("word", [Consent.NONE, None])
async def test_a_word_that_is_taken_back_is_heard_at_the_next_round(
    arena: Arena, word: Consent | None
) -> None:
    await agree(arena, SPEAKERS[0], KEEPS)
    battle = await arena.open()
    await vote(arena, battle, KEEPS)
    await arena.database.battles.close(battle.id, because=Closing.TIME, at=arena.at(2))
    if word is not None:
        await say(arena, word, SPEAKERS[0], KEEPS)
    expected = () if word is None else (battle.id,)
    assert await arena.database.retention.lapsed(window(arena)) == expected
    assert await arena.database.retention.lapsed_voters(window(arena)) == expected


async def test_a_deleted_message_is_wiped_wherever_it_is_held(arena: Arena) -> None:
    retention, battles = arena.database.retention, arena.database.battles
    context = await arena.open("the message", "an answer to it")
    prompt = await arena.open("the message")
    answering = await arena.answering("the message")
    await battles.shown(prompt.id, 4)
    assert await retention.deleted({2, 99}, Wiped.DELETED, at=arena.at(5)) == (
        Withdrawn(battle_id=context.id, channel_id=8, message_id=None),
    )
    assert (await battles.get(prompt.id)).conversation == prompt.conversation
    assert await retention.deleted({1}, Wiped.DELETED, at=arena.at(5)) == (
        Withdrawn(battle_id=prompt.id, channel_id=8, message_id=4),
    )
    assert await retention.deleted({1}, Wiped.DELETED, at=arena.at(6)) == ()
    for wiped in (context, prompt):
        stored = await battles.get(wiped.id)
        assert (stored.state, stored.wiped_because) == (BattleState.CANCELLED, Wiped.DELETED)
    assert (await battles.get(answering.id)).conversation == answering.conversation


async def test_a_battle_outlives_a_deleted_message_of_its_context(arena: Arena) -> None:
    battle = await arena.open("a message", "the prompt")
    assert await arena.database.retention.deleted({1}, Wiped.DELETED, at=arena.at(5)) == ()
    stored = await arena.database.battles.get(battle.id)
    assert (stored.state, stored.wiped_because) == (BattleState.OPEN, Wiped.DELETED)
    again = {battle.source_message_id}
    (withdrawn,) = await arena.database.retention.deleted(again, Wiped.DELETED, at=arena.at(6))
    assert withdrawn.battle_id == battle.id


async def test_only_the_first_edit_of_a_prompt_is_noted(arena: Arena) -> None:
    context = await arena.open("a message", "the prompt")
    prompt = await arena.open("a message")
    for seconds in (5, 6):
        await arena.database.retention.edited(1, at=arena.at(seconds))
    assert (await arena.database.battles.get(prompt.id)).edited_at == arena.at(5)
    assert (await arena.database.battles.get(context.id)).edited_at is None


async def test_guilds_with_rules_of_their_own_are_named(arena: Arena) -> None:
    for guild, key in ((7, "template"), (8, "retention_hours"), (9, "consent_cap")):
        await arena.database.guilds.update(guild, key, 1, by=5, at=arena.at())
    assert sorted(await arena.database.retention.guilds_with_rules()) == [8, 9]
