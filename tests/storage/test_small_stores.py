"""Guilds, members, contenders and exports on a real file."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from storage.records import Consent, Contender, Export, Kind, Sampling

if TYPE_CHECKING:
    from conftest import Arena


async def test_settings_of_a_guild(arena: Arena) -> None:
    guilds = arena.database.guilds
    assert await guilds.get(7) == {}
    await guilds.update(7, "channels", ["123"], at=arena.at())
    await guilds.update(7, "template", "raw", at=arena.at(1))
    now = {"template": "transcript", "channels": ["123"]}
    assert await guilds.update(7, "template", "transcript", at=arena.at(2)) == now
    assert await guilds.get(7) == now


async def test_settings_that_change_at_once_all_last(arena: Arena) -> None:
    keys = [f"key-{number}" for number in range(20)]
    await asyncio.gather(
        *(arena.database.guilds.update(7, key, value=True, at=arena.at()) for key in keys)
    )
    assert await arena.database.guilds.get(7) == dict.fromkeys(keys, True)


async def test_consent_is_none_until_it_is_given(arena: Arena) -> None:
    members = arena.database.members
    assert await members.consent(5) is Consent.NONE
    await members.set_consent(5, Consent.TRAIN, version=1, at=arena.at())
    await members.set_consent(5, Consent.PUBLISH, guild_id=7, version=1, at=arena.at())
    await members.set_consent(5, Consent.EVALUATE, version=2, at=arena.at(1))
    assert await members.consent(5) is Consent.EVALUATE
    assert await members.consent(5, 7) is Consent.PUBLISH
    assert await members.consent(5, 8) is Consent.NONE


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
    first = await exports.record(format="dpo", manifest=manifest, sha256="ab", at=arena.at())
    second = await exports.record(format="dpo", manifest={}, sha256="cd", at=arena.at(1))
    assert await exports.all() == (
        Export(id=first, created_at=arena.at(), format="dpo", manifest=manifest, sha256="ab"),
        Export(id=second, created_at=arena.at(1), format="dpo", manifest={}, sha256="cd"),
    )
