"""What is kept too long without consent, on a real file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.members import EVERYWHERE
from storage.records import (
    NOBODY,
    BattleState,
    Closing,
    Consent,
    Conversation,
    Purpose,
    Reason,
    Turn,
    Vote,
    Wiped,
)
from storage.retention import Window, Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Arena, Raw

    from storage.records import Battle
    from storage.votes import CastVote

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


async def cast(arena: Arena, battle: Battle, voter_id: int) -> CastVote | None:
    return await arena.database.votes.cast(
        battle_id=battle.id,
        voter_id=voter_id,
        outcome="win",
        winner_answer_id=battle.answers[0].id,
        by_author=False,
        at=arena.at(1),
    )


async def vote(arena: Arena, battle: Battle, voter_id: int) -> Vote:
    return (await cast(arena, battle, voter_id)).vote


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
    await arena.database.retention.wipe([battle.id], Wiped.RETENTION, at=arena.at(3))
    await arena.database.retention.wipe([battle.id], Wiped.ERASED, at=arena.at(3))
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
    await arena.database.retention.wipe(lapsed, Wiped.RETENTION, at=arena.at(3))
    assert await arena.database.retention.lapsed(window(arena)) == ()
    for battle_id in lapsed:
        stored = await arena.database.battles.get(battle_id)
        assert [turn.author_id for turn in stored.conversation.turns] == [NOBODY]


async def outcomes(arena: Arena) -> list[list[int]]:
    """What rankings read of the votes on closed battles."""
    return [page.votes["outcome"] async for page in arena.database.arena.pages()]


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
    before = await outcomes(arena)
    assert await retention.lapsed_voters(window(arena)) == (battle.id,)
    assert await retention.forget_voters([battle.id], window(arena)) == 1
    assert await retention.lapsed_voters(window(arena)) == ()
    kept, nobodys = await votes.for_battle(battle.id)
    assert (kept.voter_id, nobodys.voter_id < 0) == (KEEPS, True)
    events = await votes.events(battle.id)
    assert [event.voter_id for event in events] == [KEEPS, nobodys.voter_id]
    assert (await votes.word(battle.id, KEEPS)).remark
    for voter in (nobodys.voter_id, GOES):
        assert (await votes.word(battle.id, voter)).remark is None
    assert await outcomes(arena) == before


async def test_a_word_for_one_guild_keeps_no_votes_of_another(arena: Arena) -> None:
    here, there = [await closed_with(arena, guild_id=guild) for guild in (7, 8)]
    await agree(arena, KEEPS, guild_id=7)
    assert await arena.database.retention.forget_voters([here.id, there.id], window(arena)) == 1
    voters = [(await arena.database.votes.for_battle(b.id))[0].voter_id for b in (here, there)]
    assert voters[0] == KEEPS
    assert voters[1] < 0


async def closed_with(arena: Arena, **facts: object) -> Battle:
    battle = await arena.open(**facts)
    await vote(arena, battle, KEEPS)
    await arena.database.battles.close(battle.id, because=Closing.TIME, at=arena.at(2))
    return battle


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
    assert await retention.deleted({1}, Wiped.DELETED, at=arena.at(6)) == (), "one is answering"
    assert await retention.deleted({99}, Wiped.DELETED, at=arena.at(6)) is None
    for wiped in (context, prompt):
        stored = await battles.get(wiped.id)
        assert (stored.state, stored.wiped_because) == (BattleState.CANCELLED, Wiped.DELETED)
    assert (await battles.get(answering.id)).conversation == answering.conversation


async def test_nobody_votes_on_a_battle_whose_context_was_deleted(arena: Arena) -> None:
    battle = await arena.open("a message", "the prompt")
    assert await arena.database.retention.deleted({1}, Wiped.DELETED, at=arena.at(5)) == ()
    stored = await arena.database.battles.get(battle.id)
    assert (stored.state, stored.wiped_because) == (BattleState.CLOSED, Wiped.DELETED)
    assert (stored.closed_because, stored.closed_at) == (Closing.RETENTION, arena.at(5))
    assert stored.revealed_at is None, "its message is edited as at any closing"
    assert await cast(arena, battle, KEEPS) is None


async def test_a_deleted_ballot_takes_its_battle_and_its_mirror_with_it(arena: Arena) -> None:
    retention, battles = arena.database.retention, arena.database.battles
    opened, ended = await arena.open("one"), await closed(arena, "two")
    mirror = await battles.create(
        source_message_id=3,
        guild_id=7,
        channel_id=8,
        author_id=9,
        conversation=opened.conversation,
        purpose=Purpose.MIRROR,
        mirror_of_id=opened.id,
        at=arena.at(3),
    )
    await battles.open(mirror.id, arena.answers(), at=arena.at(3))
    for number, battle in enumerate((opened, ended), start=4):
        await battles.shown(battle.id, number)
    gone = await retention.deleted({4, 5}, Wiped.DELETED, at=arena.at(5))
    assert [(one.battle_id, one.message_id) for one in gone] == [
        (opened.id, None),
        (mirror.id, None),
    ]
    stored = [await battles.get(battle.id) for battle in (opened, ended, mirror)]
    assert {battle.wiped_because for battle in stored} == {Wiped.DELETED}
    assert [battle.state for battle in stored] == [
        BattleState.CANCELLED,
        BattleState.CLOSED,
        BattleState.CANCELLED,
    ]


async def test_the_first_edit_of_a_message_is_noted_wherever_it_is_held(arena: Arena) -> None:
    held = [await arena.open("a message", "the prompt"), await arena.open("a message")]
    apart = await closed(arena, "a", "b", "c")
    for seconds in (5, 6):
        await arena.database.retention.edited(1, at=arena.at(seconds))
        await arena.database.retention.edited(3, at=arena.at(seconds + 2))
    edited = [(await arena.database.battles.get(b.id)).edited_at for b in (*held, apart)]
    assert edited == [arena.at(5)] * 3


async def copy(arena: Arena, battle: Battle, **facts: object) -> Battle | None:
    return await arena.database.battles.create(
        source_message_id=10**17 + next(arena._numbers),
        guild_id=7,
        channel_id=8,
        author_id=9,
        conversation=battle.conversation,
        purpose=Purpose.LIVE,
        at=arena.at(5 * HOUR),
        **facts,
    )


async def test_copies_are_kept_for_no_longer_than_what_they_are_made_of(arena: Arena) -> None:
    battle = await arena.open()
    copies = [
        await copy(arena, battle, **{how: battle.id})
        for how in ("copy_of_id", "parent_id", "mirror_of_id")
    ]
    copies.append(await copy(arena, copies[0], copy_of_id=copies[0].id))
    for one in copies:
        await arena.database.battles.open(one.id, arena.answers(), at=arena.at(5 * HOUR))
    assert {one.texts_since for one in copies} == {battle.created_at}
    due = await arena.database.retention.lapsed_open(window(arena))
    assert due == tuple(one.id for one in (battle, *copies))


async def test_what_was_wiped_is_not_copied(arena: Arena) -> None:
    battle = await arena.open()
    await arena.database.retention.wipe([battle.id], Wiped.ERASED, at=arena.at(2))
    assert await copy(arena, battle, copy_of_id=battle.id) is None


async def test_what_the_bot_said_is_kept_as_words_of_those_whom_it_answered(
    arena: Arena, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    first = await arena.open("what she said")
    await arena.database.battles.shown(first.id, 4)
    answered = Turn(author_id=1, name="Twofold", text="an answer", is_bot=True, message_id=4)
    asks = Turn(author_id=KEEPS, name="Bob", text="what?", message_id=5)
    second = await copy(
        arena, replace(first, conversation=Conversation(turns=(answered, asks), bot_name="x"))
    )
    held = f"SELECT author_id, message_id FROM turns WHERE battle_id = {second.id}"
    assert rows(held) == [(KEEPS, 5), (SPEAKERS[0], 1)]
    await arena.database.retention.wipe([first.id], Wiped.RETENTION, at=arena.at(6))
    third = await copy(arena, second, copy_of_id=second.id)
    assert rows(held.replace(str(second.id), str(third.id))) == [(KEEPS, 5), (SPEAKERS[0], 1)]
    for battle in (second, third):
        await arena.database.battles.open(battle.id, arena.answers(), at=arena.at(7))
    await arena.database.retention.deleted({1}, Wiped.DELETED, at=arena.at(8))
    for battle in (second, third):
        assert (await arena.database.battles.get(battle.id)).wiped_because is Wiped.DELETED


async def test_a_long_talk_does_not_add_up_the_words_of_all_who_ever_spoke(
    arena: Arena, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    battle = await arena.open("at first")
    for number in range(10, 50, 10):
        await arena.database.battles.shown(battle.id, number)
        said = Turn(author_id=1, name="Twofold", text="so", is_bot=True, message_id=number)
        asks = Turn(author_id=KEEPS, name="Bob", text="and?", message_id=number + 1)
        talk = Conversation(turns=(said, asks), bot_name="x")
        battle = await copy(arena, replace(battle, conversation=talk))
        held = rows(f"SELECT message_id FROM turns WHERE battle_id = {battle.id}")
    assert held == [(41,), (31,)]


async def test_an_open_battle_is_closed_for_its_voters_as_well(arena: Arena) -> None:
    await agree(arena, *SPEAKERS, KEEPS)
    kept, voted = await arena.open(), await arena.open()
    await vote(arena, kept, KEEPS)
    await vote(arena, voted, GOES)
    assert await arena.database.retention.lapsed_open(window(arena)) == (voted.id,)
    await arena.database.votes.withdraw(voted.id, GOES, at=arena.at(2))
    assert await arena.database.retention.lapsed_open(window(arena)) == (voted.id,)


async def test_being_asked_takes_nothing_back(arena: Arena) -> None:
    members = arena.database.members
    await agree(arena, SPEAKERS[0], guild_id=EVERYWHERE)
    await members.ask(SPEAKERS[0], 7, at=arena.at())
    assert await members.said({SPEAKERS[0]}, 7) == {SPEAKERS[0]: (None, Consent.EVALUATE)}
    await arena.open()
    assert await arena.database.retention.lapsed_open(window(arena)) == ()


@pytest.mark.sqlite("its log of writes holds what was wiped as long as somebody reads")
async def test_what_was_wiped_is_overwritten_once_nobody_reads_it(
    arena: Arena, path: Path, raw: Raw, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    def left() -> int:
        return b"".join(contents(path.parent).values()).count(b"a secret")

    battle = await closed(arena, "a secret")
    raw.execute("BEGIN")
    assert raw.execute("SELECT count(*) FROM battles") == [(1,)]
    await arena.database.retention.wipe([battle.id], Wiped.RETENTION, at=arena.at(3))
    assert not await arena.database.retention.overwrite()
    assert left()
    raw.execute("COMMIT")
    assert await arena.database.retention.overwrite()
    assert not left()


async def test_guilds_with_rules_of_their_own_are_named(arena: Arena) -> None:
    for guild, key in ((7, "template"), (8, "retention_hours"), (9, "consent_cap")):
        await arena.database.guilds.update(guild, key, 1, by=5, at=arena.at())
    assert sorted(await arena.database.retention.guilds_with_rules()) == [8, 9]
