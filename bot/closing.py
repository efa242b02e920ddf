"""ClosingService: when a battle takes no votes any more, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.errors import BattleError
from storage.ballots import AT_ONCE
from storage.records import BattleState, Choice, Closing, Kind, Outcome, Purpose, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from bot.governing import GuildService
    from bot.guilds import GuildSettings
    from bot.telemetry.instruments import Instruments
    from storage.ballots import BallotStore, OpenBallot
    from storage.battles import BattleStore
    from storage.records import Battle, Vote
    from storage.shards import Shards
    from storage.votes import VoteStore

GUESSING = timedelta(minutes=1)
"""A battle with enough votes waits so long for a voter who has not guessed yet, as it could
not be guessed any more, nor the vote taken back."""

POSTING = timedelta(minutes=1)
"""How long after its opening the message of a battle may still be unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A battle that has ended: the votes by what was pressed, and the guesses.

    `guesses` are all that were made where there was one base model to find, `right` those
    that found it, `unsure` those that were "not sure".
    """

    battle: Battle
    tally: Mapping[Choice, int]
    guesses: int = 0
    right: int = 0
    unsure: int = 0

    @property
    def votes(self) -> int:
        """All of them."""
        return sum(self.tally.values())


class ClosingService:
    """Closes battles on some shards. Every method raises StorageError when the database cannot."""

    def __init__(
        self,
        *,
        battles: BattleStore,
        ballots: BallotStore,
        votes: VoteStore,
        guilds: GuildService,
        clock: Callable[[], datetime],
        shards: Shards,
        instruments: Instruments,
    ) -> None:
        self._battles = battles
        self._ballots = ballots
        self._votes = votes
        self._guilds = guilds
        self._clock = clock
        self._shards = shards
        self._instruments = instruments

    async def due(self, battle_id: int | None = None) -> tuple[tuple[int, Closing], ...]:
        """The open battles that are to be closed now, with the reason; or only this one."""
        settings: dict[int | None, GuildSettings] = {}
        found, last, left = [], 0, True
        while left:
            ballots = await self._ballots.open(battle_id, shards=self._shards, after=last)
            for ballot in ballots:
                last = ballot.id
                if ballot.guild_id not in settings:
                    settings[ballot.guild_id] = await self._guilds.settings(ballot.guild_id)
                if because := _reason(ballot, settings[ballot.guild_id], now=self._clock()):
                    found.append((ballot.id, because))
            left = len(ballots) == AT_ONCE
        return tuple(found)

    async def close(self, battle_id: int, because: Closing) -> bool:
        """Take no votes any more; False where the battle is not open."""
        closed = await self._battles.close(battle_id, because=because, at=self._clock())
        if closed:
            self._instruments.closed(because)
        return closed

    async def close_due(self, battle_id: int | None = None) -> bool:
        """Close what is to be closed now; whether there was anything."""
        due = await self.due(battle_id)
        return any([await self.close(number, because) for number, because in due])

    async def close_by_author(self, battle: Battle, member_id: int) -> None:
        """Close a battle for the one who asked.

        Raises BattleError for anybody else, and while there is no vote.
        """
        if member_id != battle.author_id:
            raise BattleError("Only the one who asked can close this battle.")
        if battle.state is BattleState.OPEN and not await self._votes.for_battle(battle.id):
            raise BattleError(
                "Nobody has voted yet. Once there is a vote, you can close this battle."
            )
        if not await self.close(battle.id, Closing.AUTHOR):
            raise BattleError("This battle is closed already.")

    async def unrevealed(self) -> tuple[int, ...]:
        """The ended battles whose message does not tell so yet."""
        return await self._ballots.unrevealed(self._shards)

    async def result(self, battle_id: int) -> Result | None:
        """What came of a battle; None where it has neither closed nor been withdrawn."""
        battle = await self._battles.get(battle_id)
        if battle is None or battle.state not in {BattleState.CLOSED, BattleState.CANCELLED}:
            return None
        return result_of(battle, await self._votes.for_battle(battle_id))

    def is_unseen(self, battle: Battle) -> bool:
        """Whether no message shows a battle to everyone, nor will."""
        if battle.shown_message_id is not None:
            return False
        late = battle.opened_at is None or self._clock() - battle.opened_at >= POSTING
        return battle.purpose is Purpose.MIRROR or late

    async def revealed(self, battle_id: int) -> None:
        """Note that the message tells how it ended, or that there is none to do so."""
        await self._battles.revealed(battle_id, at=self._clock())


def result_of(battle: Battle, votes: Iterable[Vote] = ()) -> Result:
    """Add votes up by the sides as stored."""
    votes = tuple(votes)
    sides = {answer.id: answer.side for answer in battle.answers}
    bases = [answer.id for answer in battle.answers if answer.kind is Kind.BASE]
    tally = Counter(_pressed(vote, sides) for vote in votes)
    guesses = [v.guessed_base_answer_id for v in votes if v.guessed_at] if len(bases) == 1 else []
    return Result(
        battle=battle,
        tally={choice: tally[choice] for choice in Choice},
        guesses=len(guesses),
        right=sum(guess in bases for guess in guesses),
        unsure=guesses.count(None),
    )


def _pressed(vote: Vote, sides: Mapping[int, Side]) -> Choice:
    if vote.outcome is Outcome.WIN:
        return Choice(sides[vote.winner_answer_id or 0].value)
    return Choice(vote.outcome.value)


def _reason(ballot: OpenBallot, settings: GuildSettings, *, now: datetime) -> Closing | None:
    """Why a battle is to be closed now, if it is.

    A mirror is for a single member, who must be able to take the vote back as anywhere else.
    """
    if now - ballot.opened_at >= timedelta(hours=settings.closing_hours):
        return Closing.TIME
    mirror = ballot.purpose is Purpose.MIRROR
    enough, acted_at = (
        (1, ballot.voted_at) if mirror else (settings.closing_votes, ballot.unguessed_at)
    )
    settled = acted_at is None or now - acted_at >= GUESSING
    return Closing.VOTES if ballot.votes >= enough and settled else None
