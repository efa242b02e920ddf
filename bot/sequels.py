"""What the author of a prompt can have made of a battle: another one, or one that goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.answers import CUT_SHORT, TRUNCATED
from bot.battles import Ask
from bot.errors import BattleError

if TYPE_CHECKING:
    from storage.records import Battle


def can_go_on(battle: Battle) -> bool:
    """Whether an answer was cut short whose next words would be seen."""
    return any(CUT_SHORT in a.tags and TRUNCATED not in a.tags for a in battle.answers)


def again(battle: Battle, *, by: int, source_message_id: int) -> Ask:
    """The same prompt for two contenders that are drawn anew.

    Raises BattleError for anybody but the prompt's author.
    """
    if by != battle.author_id:
        raise BattleError("Only the one who asked can have it answered again.")
    return Ask(
        source_message_id=source_message_id,
        guild_id=battle.guild_id,
        channel_id=battle.channel_id,
        author_id=battle.author_id,
        conversation=battle.conversation,
        copy_of=battle,
    )


def continued(battle: Battle, *, by: int, source_message_id: int) -> Ask:
    """The same contenders on the same sides: whose answer was cut short goes on with it.

    Raises BattleError for anybody but the prompt's author, and where nothing was cut short.
    """
    if by != battle.author_id:
        raise BattleError("Only the one who asked can have the answers continued.")
    if not can_go_on(battle):
        raise BattleError("Both answers are at their end; there is nothing to continue.")
    ask = again(battle, by=by, source_message_id=source_message_id)
    return replace(ask, parent=battle)
