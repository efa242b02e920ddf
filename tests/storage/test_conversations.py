"""The frozen context of a battle, and who agreed to be in it, in the database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.records import Continuing, Purpose
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
