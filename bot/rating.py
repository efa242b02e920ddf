"""RatingService: which battle a member is shown alone next, and on which sides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.eligibility import check_old_enough
from bot.voting import as_seen, turned
from storage.records import BattleState, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

    from bot.governing import GuildService
    from bot.guilds import GuildSettings
    from storage.ballots import BallotStore, Rateable
    from storage.battles import BattleStore
    from storage.records import Battle
    from storage.sightings import SightingStore
    from storage.votes import VoteStore

MIRROR_AFTER = timedelta(minutes=10)
"""How long ago a vote must be for its battle to be shown again, mirrored."""


class Order(StrEnum):
    """Which battles need votes most."""

    FEWEST = "fewest"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rater:
    """A member who asks for something to rate, and which channels are open to them here."""

    guild_id: int
    member_id: int
    may_read: Callable[[int], bool]
    account_created_at: datetime | None = None
    joined_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dealt:
    """A battle as its rater sees it, and whether that is the other way round."""

    battle: Battle
    swapped: bool


class RatingService:
    """The private queue. Every method raises StorageError when the database cannot do it."""

    def __init__(
        self,
        *,
        battles: BattleStore,
        ballots: BallotStore,
        votes: VoteStore,
        sightings: SightingStore,
        guilds: GuildService,
        clock: Callable[[], datetime],
        rng: Random,
    ) -> None:
        self._battles = battles
        self._ballots = ballots
        self._votes = votes
        self._sightings = sightings
        self._guilds = guilds
        self._clock = clock
        self._rng = rng

    async def deal(
        self, rater: Rater, *, order: Order, number: int, skipping: int | None = None
    ) -> Dealt | None:
        """The next battle for a rater, on sides thrown by coin; None where there is none.

        What they were shown before and did not vote on comes last, and `skipping` only where
        there is nothing else. `number` becomes the source message id of a mirror battle, if
        one is made. Raises VoteRefused for who may not vote here yet.
        """
        settings = await self._guilds.settings(rater.guild_id)
        check_old_enough(rater, settings, now=self._clock())
        mirror_due = settings.mirror_share and self._rng.random() * 100 < settings.mirror_share
        if mirror_due and (mirror := await self._mirror(rater, settings, number=number)):
            return mirror
        waiting = await self._ballots.rateable(rater.guild_id, rater.member_id)
        for rateable in sorted(waiting, key=_BY[order]):
            if rateable.id == skipping or not _open_to(rater, rateable, settings):
                continue
            if await self._votes.told(rateable.id, rater.member_id):
                continue  # of a battle that this one is continued from, or in
            battle = await self._battles.get(rateable.id)
            if battle is not None and battle.state is BattleState.OPEN:
                swapped = bool(self._rng.getrandbits(1))
                return await self._show(battle, rater, swapped=swapped)
        return None if skipping is None else await self._still(skipping, rater)

    async def _still(self, battle_id: int, rater: Rater) -> Dealt | None:
        """A battle that the rater was shown, where it can still be voted on."""
        battle = await self._battles.get(battle_id)
        seen = await self._sightings.get(battle_id, rater.member_id)
        word = await self._votes.word(battle_id, rater.member_id)
        if battle is None or battle.state is not BattleState.OPEN or seen.shown_at is None:
            return None
        if word.vote is not None or word.told or not rater.may_read(battle.channel_id):
            return None
        return Dealt(as_seen(battle, swapped=seen.swapped), seen.swapped)

    async def _mirror(self, rater: Rater, settings: GuildSettings, *, number: int) -> Dealt | None:
        """A battle that the rater voted on, anew, on the sides that they did not see."""
        before = self._clock() - MIRROR_AFTER
        past = await self._ballots.mirrorable(rater.guild_id, rater.member_id, before=before)
        open_to = [rateable for rateable in past if _open_to(rater, rateable, settings)]
        if not open_to:
            return None
        chosen = self._rng.choice(open_to)
        original = await self._battles.get(chosen.id)
        if original is None or original.wiped_because is not None:
            return None
        copy = await self._battles.create(
            source_message_id=number,
            guild_id=original.guild_id,
            channel_id=original.channel_id,
            author_id=original.author_id,
            conversation=original.conversation,
            purpose=Purpose.MIRROR,
            mirror_of_id=original.id,
            at=self._clock(),
        )
        if copy is None:
            return None
        answers = [replace(a, side=turned(a.side, swapped=True), id=0) for a in original.answers]
        opened = await self._battles.open(copy.id, answers, at=self._clock())
        if opened is None:
            return None
        return await self._show(opened, rater, swapped=chosen.swapped)

    async def _show(self, battle: Battle, rater: Rater, *, swapped: bool) -> Dealt:
        sides = await self._sightings.shown(
            battle.id, rater.member_id, swapped=swapped, at=self._clock()
        )
        return Dealt(as_seen(battle, swapped=sides), sides)


def _open_to(rater: Rater, rateable: Rateable, settings: GuildSettings) -> bool:
    own = rateable.author_id == rater.member_id
    return (settings.authors_vote or not own) and rater.may_read(rateable.channel_id)


def _fewest(rateable: Rateable) -> tuple[float, ...]:
    return _dealt(rateable), sum(rateable.counts), rateable.id


def _most_split(rateable: Rateable) -> tuple[float, ...]:
    """By the share of the outcome that leads; of one vote, nothing is split."""
    votes = sum(rateable.counts)
    leading = max(rateable.counts, default=0)
    share = leading / votes if votes > 1 else 1.0
    return _dealt(rateable), share, -votes, rateable.id


def _dealt(rateable: Rateable) -> float:
    return rateable.dealt_at.timestamp() if rateable.dealt_at else 0.0


_BY: dict[Order, Callable[[Rateable], tuple[float, ...]]] = {
    Order.FEWEST: _fewest,
    Order.SPLIT: _most_split,
}
