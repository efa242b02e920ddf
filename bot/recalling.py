"""RecallService: a battle shown again, to somebody who can look it up where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.closing import result_of
from bot.errors import BattleError
from storage.records import BattleState, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.closing import Result
    from storage.battles import BattleStore
    from storage.records import Battle
    from storage.votes import VoteStore


class RecallService:
    """Finds battles by their number. Raises StorageError when the database cannot do it."""

    def __init__(self, *, battles: BattleStore, votes: VoteStore) -> None:
        self._battles = battles
        self._votes = votes

    async def find(
        self, battle_id: int, *, guild_id: int, may_read: Callable[[int], bool]
    ) -> Result:
        """What came of a battle of this server; of an open one nothing is told, its votes neither.

        `may_read` says which channels are open to the one who asks. Raises BattleError where
        there is no such battle for them, or nothing of it to show.
        """
        battle = await self._battles.get(battle_id)
        here = battle is not None and battle.guild_id == guild_id and may_read(battle.channel_id)
        # A mirror is one member's own, and would tell who was who in the battle that it shows.
        if battle is None or not here or battle.purpose is Purpose.MIRROR:
            raise BattleError(f"There is no battle #{battle_id} here that you can look at.")
        _check_kept(battle)
        if battle.state is BattleState.OPEN:
            return result_of(battle)
        return result_of(battle, await self._votes.for_battle(battle.id))


def _check_kept(battle: Battle) -> None:
    """Raise BattleError, with what became of it, where there are no two texts to show."""
    match battle.state:
        case BattleState.ANSWERING:
            raise BattleError(f"Battle #{battle.id} is being answered. Look again in a minute.")
        case BattleState.FAILED:
            raise BattleError(f"Battle #{battle.id} was given up; nothing is left of it.")
        case BattleState.CANCELLED:
            raise BattleError(
                f"The message of battle #{battle.id} was deleted, so nothing is left of it."
            )
    if battle.wiped_because is not None:
        raise BattleError(f"The texts of battle #{battle.id} are not kept any more.")
