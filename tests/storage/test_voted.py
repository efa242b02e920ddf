"""What decides about an export, read with the battles and votes that it is about."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from storage.records import (
    Consent,
    Conversation,
    Outcome,
    Purpose,
    Reason,
    Side,
    Turn,
    VoteEventKind,
    Written,
)

if TYPE_CHECKING:
    import pytest
    from conftest import Arena, Raw

    from storage.records import Battle, SeenVote, VotedBattle

NONE, EVALUATE, TRAIN, PUBLISH = Consent
SPEAKER = 2**60 + 1
VOTER = 40


async def press(
    arena: Arena,
    battle: Battle,
    side: Side | None,
    *,
    voter: int = VOTER,
    at: int = 9,
    private: bool = False,
) -> None:
    await arena.database.votes.cast(
        battle_id=battle.id,
        voter_id=voter,
        outcome=Outcome.WIN if side else Outcome.TIE,
        winner_answer_id=battle.answer(side).id if side else None,
        by_author=False,
        at=arena.at(at),
        private=private,
    )


async def agree(arena: Arena, member: int, consent: Consent, guild: int = 0) -> None:
    await arena.database.members.set_consent(
        member, consent, guild_id=guild, version=1, at=arena.at()
    )


async def voted(arena: Arena, **of: object) -> list[VotedBattle]:
    return [one async for page in arena.database.voted.pages(**of) for one in page]


async def seen(arena: Arena) -> list[SeenVote]:
    return [vote async for vote in arena.database.seen.all()]


async def test_a_battle_comes_with_the_words_of_its_people_here_and_everywhere(
    arena: Arena,
) -> None:
    battle, direct = await arena.open("hi"), await arena.open("hi", guild_id=None)
    for one in (battle, direct):
        await press(arena, one, Side.A)
    await agree(arena, SPEAKER, TRAIN)
    await agree(arena, SPEAKER, NONE, guild=7)
    await agree(arena, SPEAKER, PUBLISH, guild=8)
    await agree(arena, VOTER, EVALUATE, guild=7)
    await agree(arena, 99, TRAIN)
    alone, here = await voted(arena)
    assert (here.said[SPEAKER], here.said[VOTER]) == ((NONE, TRAIN), (EVALUATE, None))
    assert (alone.said[SPEAKER], alone.said[VOTER]) == ((TRAIN, TRAIN), (None, None))


async def test_a_battle_comes_with_what_its_admins_set(arena: Arena) -> None:
    for guild in (7, None):
        await press(arena, await arena.open(guild_id=guild), Side.A)
    await arena.database.guilds.update(7, "consent_cap", "none", by=1, at=arena.at())
    assert [battle.settings for battle in await voted(arena)] == [{}, {"consent_cap": "none"}]


async def test_what_an_export_of_the_same_sort_has_is_marked_and_comes_without_votes_too(
    arena: Arena,
) -> None:
    first, second = await arena.open(), await arena.open()
    await press(arena, second, Side.A)
    await arena.database.exports.record(
        format="dpo",
        purpose=TRAIN,
        manifest={},
        sha256="",
        dataset="",
        rows=[(first.id, 1)],
        at=arena.at(),
    )
    same = await voted(arena, format="dpo", purpose=TRAIN)
    assert [(one.id, one.exported) for one in same] == [(second.id, False), (first.id, True)]
    for other in ({}, {"format": "kto", "purpose": TRAIN}, {"format": "dpo", "purpose": EVALUATE}):
        assert [(one.id, one.exported) for one in await voted(arena, **other)] == [
            (second.id, False)
        ]


async def test_pages_have_every_battle_once_the_newest_first(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those without answers are no reason to stop, however many come one after another."""
    monkeypatch.setattr("storage.pages.PAGE", 2)
    kept = []
    for number in range(12):
        if number in {3, 4, 5, 6, 7, 9}:
            await arena.answering()
            continue
        battle = await arena.open()
        kept.append(battle.id)
        if number % 2:
            await press(arena, battle, Side.A)
    every = [one.id for one in await voted(arena, unvoted=True)]
    assert every == kept[::-1]
    with_votes = [one.id for one in await voted(arena)]
    assert with_votes == [number for number in every if number % 2 == 0]


async def test_a_page_that_nobody_reads_on_from_lets_the_database_go(arena: Arena) -> None:
    for _ in range(3):
        await press(arena, await arena.open(), Side.A)
    async with aclosing(arena.database.voted.pages()) as pages:
        assert len(await anext(pages)) == 3
    await arena.open()


async def test_votes_are_read_as_they_stand_with_their_log_where_it_is_wanted(
    arena: Arena, raw: Raw
) -> None:
    battle = await arena.open()
    a, b = battle.answers
    for voter, side in ((1, Side.A), (2, Side.A), (3, None), (4, Side.B)):
        await press(arena, battle, side, voter=voter, private=voter == 4)
    store = arena.database.votes
    await store.withdraw(battle.id, 2, at=arena.at(20))
    await store.guess(battle.id, 1, b.id, at=arena.at(21))
    await press(arena, battle, Side.B, voter=1, at=86_400)
    said = {"reason": Reason.SHORT, "comment": "why", "edited_answer_id": a.id, "edit": "anew"}
    await store.remark(battle.id, 1, at=arena.at(30), **said)
    (plain,) = await voted(arena)
    fell = {v[0]: (v.outcome, v.winner_answer_id, bool(v.blind), v.about) for v in plain.votes}
    assert fell == {
        1: ("win", b.id, False, None),
        3: ("tie", None, True, None),
        4: ("win", b.id, True, None),
    }
    assert plain.remarks == (Written(1, Reason.SHORT, "why", a.id, "anew"),)
    assert plain.events == ()
    (one,) = await voted(arena, details=True, log=True)
    about = {vote.voter_id: vote.about for vote in one.votes}
    assert (about[1].day, about[1].guessed, about[1].guessed_base_answer_id) == (
        *("2026-01-02", 1),
        b.id,
    )
    assert (about[4].day, about[4].seconds, about[4].votes_before) == ("2026-01-01", 8, 3)
    events = [(event.voter_id, event.event, event.winner_answer_id) for event in one.events]
    assert sorted(events, key=str) == [
        (1, VoteEventKind.CAST, a.id),
        (1, VoteEventKind.CHANGE, b.id),
        (2, VoteEventKind.CAST, a.id),
        (2, VoteEventKind.WITHDRAW, None),
        (3, VoteEventKind.CAST, None),
        (4, VoteEventKind.CAST, b.id),
    ]


async def test_an_answer_has_the_texts_that_are_asked_for(arena: Arena) -> None:
    battle = await arena.open("hi")
    await press(arena, battle, Side.A)
    (bare,) = await voted(arena, texts=())
    (whole,) = await voted(arena, details=True)
    for stored, less, all_of_it in zip(battle.answers, bare.answers, whole.answers, strict=True):
        assert (less.rendered, less.raw, less.shown) == ("", "", stored.shown)
        assert all_of_it._asdict() == {name: getattr(stored, name) for name in less._fields}
    assert whole.conversation == battle.conversation
    assert (whole.day, whole.guild_id, whole.state) == ("2026-01-01", 7, battle.state)


async def test_only_the_guilds_that_are_asked_for_are_read(arena: Arena) -> None:
    for guild in (7, 8, None):
        await press(arena, await arena.open(guild_id=guild), Side.A)
    assert [one.guild_id for one in await voted(arena, guild_ids=(8, 9))] == [8]
    assert [one.guild_id for one in await voted(arena)] == [None, 8, 7]


async def test_a_battle_comes_with_those_whom_the_bot_had_answered_in_it(arena: Arena) -> None:
    """Their words may stand in the bot's; asked only is no word of theirs."""
    first = await arena.open("hi")
    await arena.database.battles.shown(first.id, 900)
    answered = Turn(author_id=99, name="Bot", text="hi yourself", is_bot=True, message_id=900)
    mine = Turn(author_id=VOTER, name="voter", text="and me?")
    second = await arena.database.battles.create(
        source_message_id=901,
        guild_id=7,
        channel_id=8,
        author_id=VOTER,
        conversation=Conversation(turns=(answered, mine), bot_name="Bot"),
        purpose=Purpose.LIVE,
        at=arena.at(),
    )
    second = await arena.database.battles.open(second.id, arena.answers(), at=arena.at())
    await press(arena, second, Side.A)
    await agree(arena, SPEAKER, TRAIN)
    await arena.database.members.ask(SPEAKER, 7, at=arena.at())
    (one,) = await voted(arena)
    assert one.speakers == {SPEAKER, VOTER}
    assert (one.said[SPEAKER], one.said[VOTER]) == ((None, TRAIN), (None, None))


async def test_votes_are_seen_by_voter_and_in_the_order_of_the_last_choices(arena: Arena) -> None:
    battles = [await arena.open() for _ in range(3)]
    for voter, battle, at in ((2, 0, 10), (1, 2, 11), (2, 2, 12), (1, 0, 13), (2, 0, 15)):
        await press(arena, battles[battle], (Side.A, Side.B)[at % 2], voter=voter, at=at)
    order = [(vote.voter_id, vote.seconds, vote.side) for vote in await seen(arena)]
    assert order == [(1, 10, Side.B), (1, 12, Side.B), (2, 11, Side.A), (2, 14, Side.B)]


async def test_a_side_is_seen_as_it_was_drawn_for_the_voter(arena: Arena) -> None:
    battle = await arena.open()
    await arena.database.sightings.shown(battle.id, 2, swapped=True, at=arena.at(4))
    await arena.database.sightings.shown(battle.id, 3, swapped=True, at=arena.at(4))
    for voter, side in ((1, Side.A), (2, Side.A), (3, None)):
        await press(arena, battle, side, voter=voter, private=voter > 1)
    sides = [(vote.side, vote.seconds) for vote in await seen(arena)]
    assert sides == [(Side.A, 8), (Side.B, 5), (None, 5)]
    assert {vote.tokens for vote in await seen(arena)} == {(5, 5)}


async def test_where_answers_went_on_no_coin_drew_the_sides_and_half_was_known(
    arena: Arena,
) -> None:
    short = await arena.open()
    for battle in (short, await arena.open(parent_id=short.id)):
        await press(arena, battle, Side.A, at=10 + battle.id)
    timed = [(vote.side, vote.seconds is None) for vote in await seen(arena)]
    assert timed == [(Side.A, False), (None, True)]


async def test_others_are_counted_and_nobodys_votes_among_them_but_not_as_a_voters(
    arena: Arena, raw: Raw
) -> None:
    battle, lonely = await arena.open(), await arena.open()
    for voter, side in ((1, Side.A), (2, Side.A), (3, Side.B), (4, Side.A), (5, None)):
        await press(arena, battle, side, voter=voter)
    await press(arena, lonely, Side.A, voter=9)
    raw.execute("UPDATE votes SET voter_id = -id WHERE voter_id = 4")
    counts = {vote.voter_id: (vote.others, vote.agreeing) for vote in await seen(arena)}
    assert counts == {1: (4, 2), 2: (4, 2), 3: (4, 0), 5: (4, 0), 9: (0, 0)}


async def test_a_mirror_tells_whether_the_same_was_said_again_as_blind(
    arena: Arena, raw: Raw
) -> None:
    first, tied, unseen = [await arena.open() for _ in range(3)]
    await press(arena, first, Side.A)
    await press(arena, tied, None)
    mirrors = []
    for original, side in ((first, Side.B), (first, Side.A), (first, None), (tied, None)):
        mirrors.append(await _mirror(arena, original))
        await press(arena, mirrors[-1], side, at=10 + len(mirrors))
    await press(arena, await _mirror(arena, unseen), Side.A, at=20)
    told = [vote.consistent for vote in await seen(arena)]
    assert told == [None, None, True, False, False, True, None]
    raw.execute("UPDATE votes SET blind = false WHERE battle_id = :id", id=first.id)
    told = [vote.consistent for vote in await seen(arena)]
    assert told == [None, None, None, None, None, True, None]
    assert [vote.purpose for vote in await seen(arena)][2:] == [Purpose.MIRROR] * 5


async def test_a_vote_is_seen_with_its_voters_word_and_what_the_admins_set(arena: Arena) -> None:
    await press(arena, await arena.open(), Side.A)
    await press(arena, await arena.open(guild_id=None), Side.A, at=10)
    await agree(arena, VOTER, EVALUATE)
    await agree(arena, VOTER, NONE, guild=7)
    await arena.database.guilds.update(7, "consent_cap", "none", by=1, at=arena.at())
    here, alone = await seen(arena)
    assert (here.said, here.settings) == ((NONE, EVALUATE), {"consent_cap": "none"})
    assert (alone.said, alone.settings) == ((EVALUATE, EVALUATE), {})


async def _mirror(arena: Arena, original: Battle) -> Battle:
    """The battle again, its answers on the other sides, as the private queue makes it."""
    store = arena.database.battles
    created = await store.create(
        source_message_id=2 * 10**18 + original.id * 10 + len(await voted(arena)),
        guild_id=original.guild_id,
        channel_id=original.channel_id,
        author_id=original.author_id,
        conversation=original.conversation,
        purpose=Purpose.MIRROR,
        mirror_of_id=original.id,
        at=arena.at(),
    )
    turned = {Side.A: Side.B, Side.B: Side.A}
    answers = [replace(answer, side=turned[answer.side]) for answer in original.answers]
    return await store.open(created.id, answers, at=arena.at(1))
