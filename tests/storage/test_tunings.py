"""Tuned contenders: what they learnt from, who had it erased, and what they are not ranked by."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.database import Database
from storage.errors import StorageError
from storage.members import EVERYWHERE
from storage.records import (
    Closing,
    Consent,
    Contender,
    Kind,
    Outcome,
    Purpose,
    Sampling,
    Standing,
    Tuning,
    Wiped,
)
from tests.storage.conftest import CONTENDERS, Arena

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.records import Battle
    from tests.storage.conftest import Raw

TIMES = 16
"""How often a race is run: the other order may be the usual one."""

SAMPLING = Sampling(temperature=0.7, top_p=0.9, top_k=40, max_tokens=64)


def tuning(
    arena: Arena, slug: str = "wild-dpo-1", *, parent: str = "wild", **changed: object
) -> Tuning:
    contender = Contender(
        slug=slug,
        kind=Kind.TUNED,
        model="wheel:gemma==1",
        template="raw",
        sampling=SAMPLING,
        adapter=f"/home/adapters/{slug}",
        parent=parent,
        revision="r",
        fingerprint=f"f-{slug}",
    )
    made = Tuning(
        contender=contender,
        method="dpo",
        dataset="cd",
        adapter_sha256=f"sha-{slug}",
        generation=1,
        trained_at=arena.at(60),
        evaluation={"accuracy": {"value": 0.7, "low": 0.6, "high": 0.8}},
    )
    return replace(made, **changed)


async def asked(
    arena: Arena, *, key: int, author: int = 9, guild_id: int | None = 7, tuned: str | None = None
) -> Battle:
    """An open battle on a prompt; of a tuned contender where one is named."""
    store = arena.database.battles
    conversation = arena.conversation(f"prompt {key}")
    turns = tuple(replace(turn, author_id=author) for turn in conversation.turns)
    battle = await store.create(
        source_message_id=next(arena._numbers),
        guild_id=guild_id,
        channel_id=8,
        author_id=author,
        conversation=replace(conversation, turns=turns),
        purpose=Purpose.LIVE,
        prompt_key=key,
        at=arena.at(),
    )
    first, second = arena.answers()
    if tuned is not None:
        first = replace(first, contender=tuned, kind=Kind.TUNED)
    opened = await store.open(battle.id, (first, second), at=arena.at(1))
    assert opened is not None
    return opened


async def vote(arena: Arena, on: Battle, voter: int) -> None:
    await arena.database.votes.cast(
        battle_id=on.id,
        voter_id=voter,
        outcome=Outcome.TIE,
        winner_answer_id=None,
        by_author=False,
        at=arena.at(2),
    )


async def agree(
    arena: Arena, member: int, consent: Consent = Consent.TRAIN, *, guild_id: int = EVERYWHERE
) -> None:
    said = {"version": 1, "guild_id": guild_id, "at": arena.at(1)}
    await arena.database.members.set_consent(member, consent, **said)


async def export(arena: Arena, *on: Battle, dataset: str = "cd") -> None:
    await arena.database.exports.record(
        format="dpo",
        purpose=Consent.TRAIN,
        manifest={},
        sha256="ab",
        dataset=dataset,
        rows=[(battle.id, 1) for battle in on],
        at=arena.at(3),
    )


async def stale(arena: Arena) -> list[str]:
    found = await arena.database.tunings.all()
    return [one.contender.slug for one in found if one.stale_since is not None]


async def unranked(arena: Arena) -> set[int]:
    """Which of the closed battles rankings leave out."""
    found = set()
    async with aclosing(arena.database.arena.pages()) as pages:
        async for page in pages:
            columns = zip(page.battles["id"], page.battles["unranked"], strict=True)
            found |= {number for number, out in columns if out}
    return found


async def close(arena: Arena, *those: Battle) -> None:
    for battle in those:
        await arena.database.battles.close(battle.id, because=Closing.TIME, at=arena.at(70))


async def test_a_tuning_comes_back_with_its_contender_and_learnt_from_its_exports(
    arena: Arena, raw: Raw, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    first, second, other = [await asked(arena, key=key) for key in (1, 2, 3)]
    await export(arena, first)
    await export(arena, first, second)
    await export(arena, other, dataset="another")
    store = arena.database.tunings
    assert await store.all() == ()
    assert await store.record(tuning(arena)) == 2
    assert await store.all() == (tuning(arena),)
    assert tuning(arena).contender in await arena.database.contenders.all()
    assert rows("SELECT battle_id FROM trained_on ORDER BY battle_id") == [(1,), (2,)]
    child = tuning(
        arena, "wild-dpo-2", parent="wild-dpo-1", dataset="another", trained_at=arena.at(90)
    )
    assert await store.record(child) == 3, "what its parent learnt from is in it"
    assert await store.learnt_from("wild-dpo-1") == {first.id, second.id}
    assert await store.learnt_from("wild-dpo-2") == {first.id, second.id, other.id}
    assert await store.learnt_from(None) == set()
    raw.execute("UPDATE exports SET dataset = NULL")  # as a write that was cut off leaves them
    assert await store.record(tuning(arena, "from-elsewhere", dataset=None)) == 0


async def test_a_slug_is_never_given_to_other_weights(arena: Arena) -> None:
    store = arena.database.tunings
    await store.record(tuning(arena))
    await store.set_standing("wild-dpo-1", Standing.ENTERED)
    moved = replace(tuning(arena).contender, adapter="/elsewhere")
    again = tuning(arena, contender=moved, evaluation={"accuracy": None}, trained_at=arena.at(99))
    await store.record(again)
    kept = {"trained_at": arena.at(60), "standing": Standing.ENTERED}
    assert await store.all() == (replace(again, **kept),)
    with pytest.raises(StorageError, match="another contender wild-dpo-1"):
        await store.record(tuning(arena, adapter_sha256="others"))
    with pytest.raises(StorageError, match="another contender wild"):
        await store.record(tuning(arena, "wild"))
    assert await arena.database.contenders.all() == (CONTENDERS[1], CONTENDERS[0], moved)


async def test_recording_again_keeps_what_its_engine_told(arena: Arena) -> None:
    store, made = arena.database.tunings, tuning(arena)
    untold = replace(made, contender=replace(made.contender, revision="", fingerprint=""))
    await store.record(untold)
    assert await store.all() == (untold,)
    await arena.database.contenders.register([made.contender], at=arena.at(70))
    await store.record(untold)
    assert await store.all() == (made,)


async def test_recording_again_finds_what_was_not_known_before(arena: Arena) -> None:
    first, second = await asked(arena, key=1, author=11), await asked(arena, key=2, author=12)
    await export(arena, first, second)
    store = arena.database.tunings
    assert await store.record(tuning(arena, dataset="moved")) == 0
    await arena.database.erasure.erase(11, at=arena.at(70))
    assert await stale(arena) == []
    answered = await asked(arena, key=2, tuned="wild-dpo-1")
    assert await store.record(tuning(arena)) == 2
    assert await store.learnt_from("wild-dpo-1") == {first.id, second.id}
    (found,) = await store.all()
    assert found.stale_since == arena.at(70)
    assert await store.record(tuning(arena, trained_at=arena.at(99))) == 2
    assert await store.all() == (found,), "since then is since then"
    await close(arena, answered)
    assert await unranked(arena) == {answered.id}


async def test_a_standing_and_an_evaluation_last(arena: Arena) -> None:
    store = arena.database.tunings
    await store.record(tuning(arena))
    await store.set_standing("wild-dpo-1", Standing.RESTING)
    await store.evaluated("wild-dpo-1", {"kl": 0.5})
    (found,) = await store.all()
    assert (found.standing, found.evaluation) == (Standing.RESTING, {"kl": 0.5})
    with pytest.raises(StorageError, match="No tuned contender is called wild"):
        await store.set_standing("wild", Standing.ENTERED)


async def test_erasing_marks_what_learnt_from_words_or_votes_and_its_descendants(
    arena: Arena,
) -> None:
    own, voted, apart = [await asked(arena, key=key, author=key) for key in (11, 12, 13)]
    await agree(arena, 14)
    await vote(arena, voted, 14)
    store, erasure = arena.database.tunings, arena.database.erasure
    for battle, dataset, slug in ((own, "a", "from-words"), (voted, "b", "from-votes")):
        await export(arena, battle, dataset=dataset)
        await store.record(tuning(arena, slug, dataset=dataset))
    await export(arena, apart, dataset="c")
    await store.record(tuning(arena, "other", dataset="c"))
    later = {"parent": "from-words", "dataset": "c", "trained_at": arena.at(61)}
    await store.record(tuning(arena, "child", **later))
    assert (await erasure.erase(11, at=arena.at(100))).tuned == ("child", "from-words")
    assert await stale(arena) == ["from-words", "child"]
    assert (await erasure.erase(14, at=arena.at(200))).tuned == ("from-votes",)
    assert (await erasure.erase(77, at=arena.at(300))).tuned == ()
    since = {one.contender.slug: one.stale_since for one in await store.all()}
    assert since == {
        "child": arena.at(100),
        "from-words": arena.at(100),
        "from-votes": arena.at(200),
        "other": None,
    }
    grandchild = tuning(arena, "grandchild", **later | {"parent": "child", "dataset": None})
    await store.record(grandchild)
    assert "grandchild" in await stale(arena), "it goes on from what cannot forget"
    assert (await erasure.erase(13, at=arena.at(400))).tuned == ("child", "grandchild", "other")


@pytest.mark.parametrize("leaves", ["author", "voter", "consent"])
async def test_what_left_after_the_export_makes_what_is_trained_on_it_stale_from_the_start(
    arena: Arena, leaves: str
) -> None:
    battle, other = await asked(arena, key=1, author=11), await asked(arena, key=2)
    await agree(arena, 12)
    await vote(arena, battle, 12)
    await export(arena, battle)
    await export(arena, other, dataset="another")
    if leaves == "consent":
        said = {"version": 1, "at": arena.at(10)}
        await arena.database.members.set_consent(12, Consent.EVALUATE, **said)
    else:
        await arena.database.erasure.erase({"author": 11, "voter": 12}[leaves], at=arena.at(10))
    first, second = await arena.database.exports.all()
    assert (first.stale_since, second.stale_since) == (arena.at(10), None)
    await arena.database.tunings.record(tuning(arena))
    await arena.database.tunings.record(tuning(arena, "apart", dataset="another"))
    assert await stale(arena) == ["wild-dpo-1"]
    since = {one.contender.slug: one.stale_since for one in await arena.database.tunings.all()}
    assert since == {"wild-dpo-1": arena.at(10), "apart": None}


@pytest.mark.parametrize(
    ("leaves", "second", "missed"),
    [
        ("voter", 4, True),
        ("author", 3, True),
        ("voter", 2, False),
        ("elsewhere", 4, False),
        ("stranger", 4, False),
        ("erased", 4, True),
        ("erased", 2, False),
        ("deleted", 4, True),
        ("cap", 4, True),
        ("cap", 2, False),
    ],
)
async def test_who_left_while_an_export_was_written_makes_it_stale(
    arena: Arena, leaves: str, second: int, *, missed: bool
) -> None:
    battle, _ = await asked(arena, key=1, author=11), await asked(arena, key=2, author=13)
    for member in (11, 12, 13):
        await agree(arena, member)
    await agree(arena, 12, guild_id=8)
    for voter in (12, 14):
        await vote(arena, battle, voter)
    at = arena.at(second)
    if leaves == "erased":
        await arena.database.erasure.erase(14, at=at)
    elif leaves == "cap":
        await arena.database.guilds.update(7, "consent_cap", "none", by=1, at=at)
    elif leaves == "deleted":
        await arena.database.retention.deleted([1], Wiped.DELETED, at=at)
    else:
        member = {"author": 11, "stranger": 13}.get(leaves, 12)
        said = {"version": 1, "guild_id": 8 if leaves == "elsewhere" else 7, "at": at}
        await arena.database.members.set_consent(member, Consent.EVALUATE, **said)
    await export(arena, battle)
    (found,) = await arena.database.exports.all()
    assert (found.stale_since is not None) is missed
    await arena.database.tunings.record(tuning(arena))
    assert bool(await stale(arena)) is missed


@pytest.mark.parametrize(
    ("guild_id", "consent", "marked"),
    [
        (EVERYWHERE, Consent.EVALUATE, ["here", "there"]),
        (7, Consent.NONE, ["here"]),
        (EVERYWHERE, Consent.PUBLISH, []),
        (9, Consent.NONE, []),
    ],
)
async def test_consent_that_is_taken_back_marks_what_learnt_by_it(
    arena: Arena, guild_id: int, consent: Consent, marked: list[str]
) -> None:
    await agree(arena, 14)
    for guild, slug, key in ((7, "here", 1), (8, "there", 2)):
        battle = await asked(arena, key=key, guild_id=guild)
        await vote(arena, battle, 14)
        await export(arena, battle, dataset=slug)
        await arena.database.tunings.record(tuning(arena, slug, dataset=slug))
    said = {"version": 1, "guild_id": guild_id, "at": arena.at(80)}
    await arena.database.members.set_consent(14, consent, **said)
    assert await stale(arena) == marked


@pytest.mark.parametrize(
    ("words", "guild_id", "marked"),
    [
        ({}, 7, []),
        ({}, EVERYWHERE, []),
        ({EVERYWHERE: Consent.EVALUATE}, EVERYWHERE, []),
        ({EVERYWHERE: Consent.TRAIN, 7: Consent.NONE}, 7, []),
        ({EVERYWHERE: Consent.TRAIN, 7: Consent.NONE}, EVERYWHERE, ["alone", "there"]),
        ({7: Consent.PUBLISH}, EVERYWHERE, ["here"]),
        ({7: Consent.TRAIN}, 8, []),
    ],
)
@pytest.mark.parametrize("erased", [False, True])
async def test_who_was_never_learnt_from_marks_nothing(
    arena: Arena, words: dict[int, Consent], guild_id: int, marked: list[str], *, erased: bool
) -> None:
    for guild, word in words.items():
        await agree(arena, 14, word, guild_id=guild)
    for guild, slug, key in ((7, "here", 1), (8, "there", 2), (None, "alone", 3)):
        battle = await asked(arena, key=key, guild_id=guild)
        await vote(arena, battle, 14)
        await export(arena, battle, dataset=slug)
        await arena.database.tunings.record(tuning(arena, slug, dataset=slug))
    if not erased:
        await agree(arena, 14, Consent.EVALUATE, guild_id=guild_id)
        assert await stale(arena) == marked
        return
    learnt = {guild for guild, word in words.items() if word.includes(Consent.TRAIN)}
    expected = ["here"] if 7 in learnt else ["alone", "there"] if EVERYWHERE in learnt else []
    assert list((await arena.database.erasure.erase(14, at=arena.at(80))).tuned) == expected


@pytest.mark.parametrize(
    ("key", "value", "marked"),
    [
        ("consent_cap", "evaluate", ["here"]),
        ("consent_cap", "none", ["here"]),
        ("consent_cap", "publish", []),
        ("consent_cap", None, []),
        ("template", "none", []),
    ],
)
async def test_a_guild_that_lets_nothing_be_learnt_any_more_marks_what_learnt_there(
    arena: Arena, key: str, value: str | None, marked: list[str]
) -> None:
    for guild, slug, prompt in ((7, "here", 1), (8, "there", 2), (None, "alone", 3)):
        battle = await asked(arena, key=prompt, guild_id=guild)
        await export(arena, battle, dataset=slug)
        await arena.database.tunings.record(tuning(arena, slug, dataset=slug))
    store = arena.database
    await store.guilds.update(7, key, "train", by=1, at=arena.at(70))
    await store.guilds.update(7, key, value, by=1, at=arena.at(80))
    assert await stale(arena) == marked
    assert [one.stale_since for one in await store.exports.all()] == [
        arena.at(80) if marked else None,
        None,
        None,
    ]


async def test_who_leaves_while_a_tuning_or_an_export_is_recorded_is_not_missed(
    arena: Arena, url: str
) -> None:
    async with Database.open(url) as other:
        for number in range(TIMES):
            voter, slug = 100 + number, f"tuned-{number}"
            battle = await asked(arena, key=number)
            await agree(arena, voter)
            await vote(arena, battle, voter)
            recorded = Arena(other)
            if number % 2:
                await export(arena, battle, dataset=slug)
                doing = recorded.database.tunings.record(tuning(recorded, slug, dataset=slug))
            else:
                doing = export(recorded, battle, dataset=slug)
            said = {"version": 2, "at": arena.at(4)}
            leaving = arena.database.members.set_consent(voter, Consent.NONE, **said)
            await asyncio.gather(doing, leaving)
        assert all(one.stale_since is not None for one in await arena.database.exports.all())
        assert len(await stale(arena)) == len(await arena.database.tunings.all()) == TIMES // 2


async def test_a_prompt_that_is_deleted_marks_what_learnt_from_it(arena: Arena) -> None:
    battle = await asked(arena, key=1)
    await export(arena, battle)
    await arena.database.tunings.record(tuning(arena))
    await arena.database.retention.deleted([1], Wiped.DELETED, at=arena.at(80))
    assert await stale(arena) == ["wild-dpo-1"]


async def test_battles_on_prompts_that_one_learnt_from_rank_nobody(arena: Arena) -> None:
    learnt, other = await asked(arena, key=1), await asked(arena, key=2)
    await export(arena, learnt)
    await arena.database.tunings.record(tuning(arena))
    await arena.database.tunings.record(tuning(arena, "child", parent="wild-dpo-1", dataset=None))
    same, fresh, childs, base = (
        await asked(arena, key=1, tuned="wild-dpo-1"),
        await asked(arena, key=2, tuned="wild-dpo-1"),
        await asked(arena, key=1, tuned="child"),
        await asked(arena, key=1),
    )
    await close(arena, learnt, other, same, fresh, childs, base)
    assert await unranked(arena) == {same.id, childs.id}
    for details, marked in ((True, {same.id, childs.id}), (False, set())):
        pages = arena.database.voted.pages(unvoted=True, details=details)
        read = [battle async for page in pages for battle in page]
        assert {battle.id for battle in read if battle.unranked} == marked
    await arena.database.erasure.erase(9, at=arena.at(80))
    assert await unranked(arena) == {same.id, childs.id}, "also once the prompts are gone"


async def test_battles_that_were_read_before_a_tuning_is_known_are_read_again(
    arena: Arena,
) -> None:
    learnt = await asked(arena, key=1)
    await export(arena, learnt)
    await arena.database.contenders.register([tuning(arena).contender], at=arena.at())
    same, fresh = [await asked(arena, key=key, tuned="wild-dpo-1") for key in (1, 2)]
    await close(arena, learnt, same, fresh)
    before = await arena.database.arena.extent()
    assert await unranked(arena) == set()
    await arena.database.tunings.record(tuning(arena))
    assert await unranked(arena) == {same.id}
    after = await arena.database.arena.extent()
    assert after.recounts > before.recounts
    await arena.database.tunings.record(tuning(arena))
    assert await arena.database.arena.extent() == after, "nothing is new"


async def test_made_up_battles_go_and_what_learnt_from_them_rests(arena: Arena, raw: Raw) -> None:
    learnt = await asked(arena, key=1)
    await export(arena, learnt)
    await arena.database.tunings.record(tuning(arena))
    await asked(arena, key=1, tuned="wild-dpo-1")
    raw.execute("UPDATE battles SET simulated = true")
    store = arena.database.tunings
    await store.record(tuning(arena, "other", dataset=None))
    for slug in ("wild-dpo-1", "other"):
        await store.set_standing(slug, Standing.ENTERED)
    removed = await arena.database.simulations.remove(at=arena.at(90))
    assert removed.battles == 2
    stand = {one.contender.slug: (one.standing, one.stale_since) for one in await store.all()}
    assert stand == {
        "wild-dpo-1": (Standing.RESTING, arena.at(90)),
        "other": (Standing.ENTERED, None),
    }
