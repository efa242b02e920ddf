"""How much there is of a guild, and which export has rows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.members import EVERYWHERE
from storage.records import NOBODY, Consent, Outcome

if TYPE_CHECKING:
    from conftest import Arena

HERE, ELSEWHERE = 7, 8
FIRST, SECOND, THIRD = 9, 10**18, 10**18 + 1
"""Every battle is asked for by the first, who also speaks in it as another."""
SPEAKER = 2**60 + 1


async def test_people_are_counted_once_by_what_they_said_last(arena: Arena) -> None:
    store = arena.database
    battles = [await arena.open(), await arena.open(), await arena.open(guild_id=ELSEWHERE)]
    for battle, voter in ((0, SECOND), (1, SECOND), (1, NOBODY), (2, THIRD)):
        await store.votes.cast(
            battle_id=battles[battle].id,
            voter_id=voter,
            outcome=Outcome.TIE,
            winner_answer_id=None,
            by_author=False,
            at=arena.at(2),
        )
    said = {"at": arena.at(), "version": 1}
    await store.members.set_consent(SECOND, Consent.PUBLISH, **said)
    await store.members.set_consent(SECOND, Consent.TRAIN, guild_id=HERE, **said)
    await store.members.set_consent(FIRST, Consent.TRAIN, guild_id=ELSEWHERE, **said)
    await store.members.ask(SPEAKER, HERE, at=arena.at())
    assert await store.census.people(HERE) == {(Consent.TRAIN, Consent.PUBLISH): 1, (None, None): 2}
    assert (await store.census.people(ELSEWHERE))[Consent.TRAIN, None] == 1
    assert (await store.census.people(EVERYWHERE)) == {}
    assert await store.census.battles(HERE) == 2


async def test_a_guilds_newest_export_is_found_among_those_of_others(arena: Arena) -> None:
    exports = arena.database.exports
    here, there = [await arena.open(), await arena.open()], await arena.open(guild_id=ELSEWHERE)
    assert await exports.newest_of(HERE) is None
    numbers = []
    for rows in ([here[0]], [*here, there], [there], []):
        number = await exports.record(
            format="dpo",
            purpose=Consent.TRAIN,
            dataset="12",
            manifest={},
            sha256="ab",
            rows=[(battle.id, 1) for battle in rows],
            at=arena.at(),
        )
        numbers.append(number)
    for guild, export, battles in ((HERE, numbers[1], 2), (ELSEWHERE, numbers[2], 1)):
        found = await exports.newest_of(guild)
        assert found is not None
        assert (found[0].id, found[1]) == (export, battles)
