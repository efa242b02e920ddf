"""DigestService: what a channel's week was like, told once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from bot.closing import result_of
from bot.insight.counting import Counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from bot.closing import Result
    from bot.insight.results import Course, Leaderboard, Week
    from bot.insight.service import InsightService
    from storage.battles import BattleStore
    from storage.digests import DigestStore
    from storage.votes import VoteStore

LEAST = 5
"""Battles that must have closed in a week, and votes on them, for it to be told of."""

MORNING = time(8, tzinfo=UTC)
"""When weeks are told of, on Mondays."""

LATE = timedelta(days=3)
"""How much later they may still be, where the bot was away."""

BROKEN_OFF = timedelta(minutes=2)
"""How long a turn without a message can be taken again: for some minutes Discord takes a second
message with the same nonce for the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A channel's week, from its Monday on, and how its server's ranking came about.

    `upset` and `base` are the battles of the week, with their blind votes.
    """

    monday: date
    week: Week
    board: Leaderboard
    course: Course
    upset: Result | None
    base: Result | None


class DigestService:
    """Tells whose turn it is. Every method raises StorageError."""

    def __init__(
        self,
        *,
        digests: DigestStore,
        insight: InsightService,
        battles: BattleStore,
        votes: VoteStore,
        clock: Callable[[], datetime],
    ) -> None:
        self._digests = digests
        self._insight = insight
        self._battles = battles
        self._votes = votes
        self._clock = clock

    def monday(self) -> date | None:
        """The week that is to be told of now, if any."""
        now = self._clock()
        today = now.date()
        monday = today - timedelta(days=today.weekday())
        begins = datetime.combine(monday, MORNING)
        return monday - timedelta(days=7) if begins <= now < begins + LATE else None

    async def due(self, channels: Iterable[int], monday: date) -> tuple[int, ...]:
        """Those of the channels that have not had their turn."""
        channels = tuple(channels)
        if not channels:
            return ()
        had = await self._digests.had(monday, lost=self._clock() - BROKEN_OFF)
        return tuple(channel for channel in channels if channel not in had)

    async def make(self, channel_id: int, guild_id: int, monday: date) -> Digest | None:
        """A channel's digest; None where too little happened."""
        sunday = monday + timedelta(days=6)
        week = await self._insight.week(channel_id, since=monday, until=sunday)
        if min(week.battles, week.votes) < LEAST:
            return None
        counting = Counting(guilds=(guild_id,))
        return Digest(
            monday=monday,
            week=week,
            board=await self._insight.leaderboard(counting),
            course=await self._insight.course(counting),
            upset=await self._result(week.upset),
            base=await self._result(week.base),
        )

    async def take(self, channel_id: int, monday: date) -> bool:
        """Take the channel's turn, right before the message; False where it was had."""
        now = self._clock()
        return await self._digests.take(channel_id, monday, at=now, lost=now - BROKEN_OFF)

    async def sent(self, channel_id: int, monday: date, *, message_id: int) -> None:
        """Note the message."""
        await self._digests.sent(channel_id, monday, message_id=message_id)

    async def give_back(self, channel_id: int, monday: date) -> None:
        """Have the turn later, as the message could not be sent now."""
        await self._digests.give_back(channel_id, monday)

    async def _result(self, battle_id: int | None) -> Result | None:
        battle = None if battle_id is None else await self._battles.get(battle_id)
        if battle is None:
            return None
        votes = await self._votes.for_battle(battle.id)
        return result_of(battle, (vote for vote in votes if vote.blind))
