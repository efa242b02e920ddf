"""The frozen context of a battle, and who agreed to be in it, in the database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.records import Consent, Continuing, Purpose
from storage.rows import conversation_from_json, conversation_to_json

if TYPE_CHECKING:
    from conftest import Arena


@pytest.mark.parametrize("continuing", list(Continuing))
async def test_the_rule_for_the_bots_own_turns_is_stored(
    arena: Arena, continuing: Continuing
) -> None:
    conversation = replace(arena.conversation("a", "b"), continuing=continuing)
    battle = await arena.database.battles.create(
        source_message_id=1,
        guild_id=5,
        channel_id=6,
        author_id=7,
        conversation=conversation,
        purpose=Purpose.LIVE,
        at=arena.at(),
    )
    stored = await arena.database.battles.get(battle.id)
    assert stored.conversation == conversation


def test_a_conversation_of_an_earlier_version_went_on_from_the_winner(arena: Arena) -> None:
    data = conversation_to_json(arena.conversation("a"))
    del data["continuing"]
    assert conversation_from_json(data).continuing is Continuing.WINNER


async def test_who_agreed_is_told_for_many_at_once(arena: Arena) -> None:
    members = arena.database.members
    for member, guild, consent in (
        (1, 0, Consent.EVALUATE),
        (2, 0, Consent.NONE),
        (3, 0, Consent.TRAIN),
        (3, 9, Consent.NONE),
        (4, 9, Consent.PUBLISH),
        (5, 8, Consent.TRAIN),
        (6, 0, Consent.TRAIN),
    ):
        await members.set_consent(member, consent, guild_id=guild, version=1, at=arena.at())
    assert await members.agreed({1, 2, 3, 4, 5}, 9) == {1, 4}
    assert await members.agreed(set(), 9) == set()
