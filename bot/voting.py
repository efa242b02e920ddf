"""VotingService: who may vote, casting and changing, and what the voter learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import VoteRefused
from storage.records import BattleState, Choice, Outcome, Side

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from storage.battles import BattleStore
    from storage.records import Battle, Vote
    from storage.votes import VoteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button pressed on a ballot: which, by whom, and where."""

    battle_id: int
    choice: Choice
    voter_id: int
    voter_is_bot: bool
    guild_id: int | None
    channel_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A vote on disk: what stands now, and whether it replaced an earlier one."""

    battle: Battle
    vote: Vote
    choice: Choice
    changed: bool


class VotingService:
    """Turns presses into votes."""

    def __init__(
        self, *, battles: BattleStore, votes: VoteStore, clock: Callable[[], datetime]
    ) -> None:
        self._battles = battles
        self._votes = votes
        self._clock = clock

    async def cast(self, press: Press) -> Cast:
        """Store a press; when this returns, the vote is on disk.

        Raises VoteRefused where the battle is unknown, elsewhere or not open, or
        the voter is a bot. A vote counts as blind while its voter has not yet been
        told which side is which, which happens after the first press on the battle or on
        one that it continues.
        """
        battle = await self._battles.get(press.battle_id)
        if battle is None or (battle.guild_id, battle.channel_id) != (
            press.guild_id,
            press.channel_id,
        ):
            raise VoteRefused("This ballot is not known here. Vote on a newer one.")
        if press.voter_is_bot:
            raise VoteRefused("Bots cannot vote.")
        if battle.state is not BattleState.OPEN:
            raise VoteRefused("This battle takes no votes any more.")
        outcome, winner = to_outcome(battle, press.choice)
        cast = await self._votes.cast(
            battle_id=battle.id,
            voter_id=press.voter_id,
            outcome=outcome,
            winner_answer_id=winner,
            by_author=press.voter_id == battle.author_id,
            at=self._clock(),
        )
        if cast is None:
            raise VoteRefused("This battle takes no votes any more.")
        return Cast(battle=battle, vote=cast.vote, choice=press.choice, changed=cast.changed)


def to_outcome(battle: Battle, choice: Choice) -> tuple[Outcome, int | None]:
    """A choice by side as an outcome by answer: what is stored never names a side."""
    match choice:
        case Choice.A | Choice.B:
            return Outcome.WIN, battle.answer(Side(choice.value)).id
        case Choice.TIE:
            return Outcome.TIE, None
        case Choice.BOTH_BAD:
            return Outcome.BOTH_BAD, None
