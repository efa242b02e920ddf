"""Guilds, members, contenders and exports on a real file."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.errors import StorageError
from storage.members import EVERYWHERE, Given, Word
from storage.records import Consent, Contender, Export, Kind, Sampling, SettingChange
from storage.schema import battles

if TYPE_CHECKING:
    from conftest import Arena, Raw


async def test_settings_of_a_guild(arena: Arena) -> None:
    guilds = arena.database.guilds
    assert await guilds.get(7) == {}
    await guilds.update(7, "channels", ["123"], by=1, at=arena.at())
    await guilds.update(7, "template", "raw", by=1, at=arena.at(1))
    now = {"template": "transcript", "channels": ["123"]}
    assert await guilds.update(7, "template", "transcript", by=1, at=arena.at(2)) == now
    assert await guilds.get(7) == now
    assert await guilds.update(7, "template", None, by=1, at=arena.at(3)) == {"channels": ["123"]}


async def test_who_changed_what_is_kept_but_not_what_changes_nothing(arena: Arena) -> None:
    guilds = arena.database.guilds
    for second, value in enumerate((False, False, True, None, None)):
        await guilds.update(7, "redaction", value, by=second, at=arena.at(second))
    await guilds.update(8, "redaction", value=True, by=9, at=arena.at(9))
    assert await guilds.changes(7, most=2) == (
        SettingChange(member_id=3, setting="redaction", before=True, after=None, at=arena.at(3)),
        SettingChange(member_id=2, setting="redaction", before=False, after=True, at=arena.at(2)),
    )
    (_, _, first) = await guilds.changes(7, most=10)
    assert (first.member_id, first.before, first.after) == (0, None, False)


async def test_settings_that_change_at_once_all_last(arena: Arena) -> None:
    keys = [f"key-{number}" for number in range(20)]
    await asyncio.gather(
        *(arena.database.guilds.update(7, key, value=True, by=1, at=arena.at()) for key in keys)
    )
    assert await arena.database.guilds.get(7) == dict.fromkeys(keys, True)


async def test_a_word_stands_for_its_guild_until_another_is_given(arena: Arena) -> None:
    members = arena.database.members
    assert await members.words(5) == {}
    await members.set_consent(5, Consent.TRAIN, version=1, at=arena.at())
    await members.set_consent(5, Consent.EVALUATE, version=2, at=arena.at(1))
    await members.set_consent(5, Consent.PUBLISH, guild_id=7, version=1, at=arena.at(2))
    assert await members.words(5) == {
        EVERYWHERE: Word(consent=Consent.EVALUATE, version=2, at=arena.at(1)),
        7: Word(consent=Consent.PUBLISH, version=1, at=arena.at(2)),
    }
    assert await members.said({5, 6}, 7) == {
        5: (Consent.PUBLISH, Consent.EVALUATE),
        6: (None, None),
    }
    assert await members.said({5}, 8) == {5: (None, Consent.EVALUATE)}


async def test_a_word_for_everywhere_lowers_those_for_guilds_and_raises_none(
    arena: Arena,
) -> None:
    members = arena.database.members
    for guild, word in ((7, Consent.PUBLISH), (8, Consent.NONE)):
        await members.set_consent(5, word, guild_id=guild, version=1, at=arena.at())
    await members.set_consent(6, Consent.TRAIN, guild_id=7, version=1, at=arena.at())
    given = await members.set_consent(5, Consent.EVALUATE, version=2, at=arena.at(1))
    assert given == Given(lowered=True)
    assert await members.set_consent(5, Consent.TRAIN, version=2, at=arena.at(2)) == Given()
    words = await members.words(5)
    lowered = Word(consent=Consent.EVALUATE, version=2, at=arena.at(1))
    assert (words[7], words[8].consent) == (lowered, Consent.NONE)
    assert (await members.words(6))[7].consent is Consent.TRAIN


async def test_a_member_is_asked_once_in_a_guild_and_not_after_a_word_for_all(
    arena: Arena,
) -> None:
    members = arena.database.members
    asked = await asyncio.gather(*(members.ask(5, 7, at=arena.at()) for _ in range(5)))
    assert sorted(asked) == [False] * 4 + [True]
    assert await members.was_asked(5, 7)
    assert not await members.was_asked(5, 8)
    assert await members.words(5) == {}
    await members.set_consent(5, Consent.TRAIN, version=1, at=arena.at(1))
    assert await members.was_asked(5, 8)
    assert await members.said({5}, 7) == {5: (None, Consent.TRAIN)}


async def test_a_contender_is_described_anew_under_its_slug(arena: Arena) -> None:
    contenders = arena.database.contenders
    before = await contenders.all()
    assert [contender.slug for contender in before] == ["tame", "wild"]
    tame = replace(before[0], revision="2", sampling=Sampling(temperature=0.0, max_tokens=9))
    api = Contender(
        slug="api",
        kind=Kind.TUNED,
        model="openai:some",
        template="raw",
        base_url="http://127.0.0.1:1/v1",
    )
    await contenders.register([tame, api], at=arena.at(1))
    assert await contenders.all() == (api, tame, before[1])


async def test_exports_are_remembered(arena: Arena) -> None:
    exports = arena.database.exports
    manifest = {"rows": 3, "left out": {"tie": 2}}
    sort = {"format": "dpo", "purpose": Consent.TRAIN, "dataset": "12"}
    written = {(await arena.open()).id: 2**63 - 1, (await arena.open()).id: 0}
    first = await exports.record(**sort, manifest=manifest, sha256="ab", rows=(), at=arena.at())
    second = await exports.record(
        **sort, manifest={}, sha256="cd", rows=written.items(), at=arena.at(1)
    )
    recorded = (
        Export(id=first, created_at=arena.at(), manifest=manifest, sha256="ab", **sort),
        Export(id=second, created_at=arena.at(1), manifest={}, sha256="cd", **sort),
    )
    assert await exports.all() == recorded
    assert [await exports.rows(export.id) for export in recorded] == [{}, written]
    assert await exports.find("12", format="dpo", purpose=Consent.TRAIN) == recorded[-1]
    assert await exports.find("12", format="kto", purpose=Consent.TRAIN) is None
    assert (await exports.left())["12"] is False
    assert await exports.find("12", format="dpo", purpose=Consent.EVALUATE) is None


async def test_an_export_that_was_broken_off_is_not_found_but_its_rows_are_known(
    arena: Arena, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.exports._AT_ONCE", 5000)
    exports = arena.database.exports
    battle = await arena.open()
    more = "INSERT INTO battles SELECT {} FROM battles, generate WHERE battles.id = 1"
    columns = [column.name for column in battles.columns]
    changed = {"id": "n", "source_message_id": "n"}
    raw.execute(
        "WITH RECURSIVE generate(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM generate"
        " WHERE n < 6000) " + more.format(", ".join(changed.get(c, c) for c in columns))
    )
    sort = {"format": "dpo", "purpose": Consent.TRAIN}
    rows = [(number, 1) for number in range(battle.id, 6002)]
    with pytest.raises(StorageError):
        await exports.record(
            **sort, manifest={}, sha256="ab", dataset="12", rows=rows, at=arena.at()
        )
    assert await exports.find("12", **sort) is None
    (broken_off,) = await exports.all()
    assert broken_off.dataset is None
    report = await arena.database.erasure.erase(9, at=arena.at(9))
    assert [export.id for export in report.exports] == [broken_off.id]
