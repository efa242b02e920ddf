"""A simulated community at work: asking, voting, guessing, over some weeks in a minute."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from bot.battles import Ask
from bot.closing import GUESSING
from bot.errors import BattleError, VoteRefused
from bot.rating import Order, Rater
from bot.simulation import ballots
from bot.simulation.ballots import Sight
from bot.simulation.chance import draws
from bot.simulation.plan import CHANNELS, CLOSING_HOURS
from bot.simulation.prompts import asked_in, prompts
from bot.simulation.readers import question, worth
from bot.voting import Press
from storage.records import (
    BattleState,
    Choice,
    Consent,
    Conversation,
    Kind,
    Purpose,
    Reason,
    Side,
    Turn,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from random import Random

    from bot.app import Services
    from bot.simulation.plan import Clock, Plan
    from bot.simulation.population import Community, Member
    from storage.records import Battle

DEALT = 0.04
"""Of all votes, how many are given in /rate, where half of the battles are mirrors."""

CHANGED, TAKEN_BACK, EXPLAINED = 0.02, 0.01, 0.04
"""Shares of votes: changed after the reveal, taken back, given a reason."""

SAME_AGAIN = 0.75
"""How often who sees a pair again, mirrored, says the same without thinking anew."""

DELAY = (6.5, 1.6)
"""Mean and spread of the logarithm of the seconds until somebody looks at a new battle."""


@dataclass(slots=True)
class Happened:
    """What came of it. `sights` are those of live battles, as they were stored.

    `votes` are by member, on live battles; `others` are those on mirrors and controls. `guesses`
    are by member, without those that named neither.
    """

    battles: int = 0
    failed: int = 0
    votes: Counter[int] = field(default_factory=Counter)
    others: int = 0
    guesses: Counter[int] = field(default_factory=Counter)
    sights: list[Sight] = field(default_factory=list)


class Play:
    """Has everything happen in turn, through the services, by a plan."""

    def __init__(self, services: Services, community: Community, plan: Plan, clock: Clock) -> None:
        self._services = services
        self._community = community
        self._plan = plan
        self._clock = clock
        self._order = count()
        self._messages = count(plan.first_id + CHANNELS + len(community.members))
        self._coming: list[tuple[datetime, int, Callable[[], Awaitable[None]]]] = []
        self._said: dict[tuple[int, int], Choice] = {}
        self.happened = Happened()

    async def run(self, progress: Callable[[int], None]) -> Happened:
        """Let it all happen; `progress` gets how many prompts were asked. Raises StorageError."""
        await self._agree()
        rng = draws(self._community.seed, "times")
        moments = self._moments(rng, self._plan.battles)
        for number in range(len(moments)):
            first = number - number % self._plan.at_once
            self._at(moments[first], partial(self._ask, number))
        deals = round(self._plan.battles * min(1.0, DEALT * self._community.nature.votes))
        for number, moment in enumerate(self._moments(rng, deals)):
            self._at(moment, partial(self._deal, number))
        asked = 0
        while self._coming:
            moment, _, happen = heapq.heappop(self._coming)
            self._clock.move_to(moment)
            together = [happen]
            while self._plan.at_once > 1 and self._coming and self._coming[0][0] == moment:
                together.append(heapq.heappop(self._coming)[2])
            await asyncio.gather(*(happen() for happen in together))
            if asked != (asked := self.happened.battles + self.happened.failed):
                progress(asked)
        return self.happened

    def _moments(self, rng: Random, number: int) -> list[datetime]:
        """Somewhere in the days, more in the evenings than at night."""
        hours = range(24)
        busy = [1, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 5, 6, 5, 5, 5, 6, 7, 9, 11, 12, 11, 7, 3]
        found = (
            timedelta(
                days=rng.randrange(self._plan.days),
                hours=rng.choices(hours, busy)[0],
                seconds=rng.uniform(0, 3600),
            )
            for _ in range(number)
        )
        return sorted(self._plan.begin + since for since in found)

    def _at(self, moment: datetime, happen: Callable[[], Awaitable[None]]) -> None:
        heapq.heappush(self._coming, (moment, next(self._order), happen))

    def _in(self, seconds: float, happen: Callable[[], Awaitable[None]]) -> None:
        self._at(self._clock.now + timedelta(seconds=seconds), happen)

    @property
    def first_member(self) -> int:
        """The id of the member with the number 0."""
        return self._plan.first_id + CHANNELS

    def _id(self, member: Member) -> int:
        return self.first_member + member.number

    async def _agree(self) -> None:
        consent = self._services.consent
        for member in self._community.members:
            await consent.give(
                self._id(member),
                self._plan.guild_id,
                Consent.PUBLISH,
                version=consent.latest,
                simulated=True,
            )

    async def _ask(self, number: int) -> None:
        rng = draws(self._community.seed, "battle", number)
        prompt = question(rng) if self._plan.readers else rng.choice(prompts())
        [author] = self._community.busy(rng, 1)
        source = next(self._messages)
        turn = Turn(
            author_id=self._id(author), name=author.name, text=prompt.text, message_id=source
        )
        battles = self._services.battles
        try:
            opened = await battles.open(
                Ask(
                    source_message_id=source,
                    guild_id=self._plan.guild_id,
                    channel_id=self._plan.first_id + rng.randrange(CHANNELS),
                    author_id=self._id(author),
                    conversation=Conversation(turns=(turn,), bot_name="Twofold"),
                    simulated=True,
                )
            )
            answered = opened and await battles.answer(opened)
        except BattleError:
            answered = None
        if answered is None:
            self.happened.failed += 1
            return
        self.happened.battles += 1
        await battles.shown(answered, next(self._messages))
        if answered.state is BattleState.OPEN:
            self._await_votes(answered, rng)

    def _await_votes(self, battle: Battle, rng: Random) -> None:
        sight = self._sight(battle)
        if battle.purpose is Purpose.LIVE:
            self.happened.sights.append(sight)
        self._in(CLOSING_HOURS * 3600, partial(self._close, battle.id))
        voters = 1 + _poisson(rng, self._community.nature.votes - 1)
        for member in self._community.busy(rng, voters):
            took = ballots.reading(member, sight, rng)
            seconds = took if member.spam else took + rng.lognormvariate(*DELAY)
            self._in(seconds, partial(self._vote, battle, member))

    async def _deal(self, number: int) -> None:
        """Somebody asks for a battle to rate alone."""
        rng = draws(self._community.seed, "deal", number)
        [member] = self._community.busy(rng, 1)
        rater = Rater(
            guild_id=self._plan.guild_id, member_id=self._id(member), may_read=self._is_here
        )
        dealt = await self._services.rating.deal(
            rater, order=Order.FEWEST, number=next(self._messages)
        )
        if dealt is None:
            return
        if dealt.battle.purpose is Purpose.MIRROR:
            self._in(CLOSING_HOURS * 3600, partial(self._close, dealt.battle.id))
        seconds = ballots.reading(member, self._sight(dealt.battle), rng)
        vote = partial(self._vote, dealt.battle, member, swapped=dealt.swapped, alone=True)
        self._in(seconds, vote)

    def _is_here(self, channel_id: int) -> bool:
        return 0 <= channel_id - self._plan.first_id < CHANNELS

    async def _vote(
        self, battle: Battle, member: Member, *, swapped: bool = False, alone: bool = False
    ) -> None:
        """Press, and perhaps guess. `battle` has its sides as the member sees them."""
        if (battle.id, member.number) in self._said:
            return
        rng = draws(self._community.seed, "vote", self._number(battle), member.number)
        press = Press(
            battle_id=battle.id,
            choice=self._choice(battle, member, rng),
            voter_id=self._id(member),
            voter_is_bot=False,
            guild_id=battle.guild_id,
            channel_id=battle.channel_id,
            private=alone,
            swapped=swapped,
        )
        try:
            cast = await self._services.voting.cast(press)
        except VoteRefused:
            return  # it has closed meanwhile
        live = battle.purpose is Purpose.LIVE
        self.happened.votes[member.number] += live
        self.happened.others += not live
        self._said[battle.id, member.number] = press.choice
        tells = battle.purpose is not Purpose.CONTROL and not cast.own.told and not member.spam
        if tells and rng.random() < self._community.nature.guessing:
            await self._guess(battle, member, press, rng)
        if cast.enough:
            await self._close(battle.id)
            self._in(GUESSING.total_seconds() + 1, partial(self._close, battle.id))

    def _choice(self, battle: Battle, member: Member, rng: Random) -> Choice:
        before = self._said.get((battle.mirror_of_id or 0, member.number))
        if before is not None and not member.spam and rng.random() < SAME_AGAIN:
            return {Choice.A: Choice.B, Choice.B: Choice.A}.get(before, before)
        return ballots.choice(self._community, member, self._sight(battle), rng)

    async def _guess(self, battle: Battle, member: Member, press: Press, rng: Random) -> None:
        """Say which one is the base model's; who was told then may do something about the vote."""
        side = None
        if rng.random() >= self._community.nature.unsure:
            found = rng.random() < member.guess
            self.happened.guesses[member.number] += battle.purpose is Purpose.LIVE
            side = next(a.side for a in battle.answers if (a.kind is Kind.BASE) is found)
        voting, swapped = self._services.voting, press.swapped
        self._clock.run(rng.uniform(2, 8))
        await voting.guess(battle.id, press.voter_id, side, swapped=swapped)
        then = rng.random()
        if then < CHANGED:
            other = Choice.TIE if press.choice is not Choice.TIE else Choice.A
            await voting.cast(replace(press, choice=other))
        elif then < CHANGED + TAKEN_BACK:
            await voting.undo(battle.id, press.voter_id, swapped=swapped)
        elif then < CHANGED + TAKEN_BACK + EXPLAINED:
            reason = rng.choice(list(Reason))
            await voting.explain(battle.id, press.voter_id, reason, swapped=swapped)

    async def _close(self, battle_id: int) -> None:
        """Close it if it is time to; a bot looks at all battles every minute instead."""
        await self._services.closing.close_due(battle_id)

    def _sight(self, battle: Battle) -> Sight:
        """What there is to see of a battle on its sides."""
        a, b = (battle.answer(side) for side in Side)
        asked = battle.conversation.prompt.text
        sight = Sight(
            slugs=(a.contender, b.contender),
            characters=(len(a.shown), len(b.shown)),
            topic=asked_in(asked).topic,
        )
        if not self._plan.readers:
            return sight
        return replace(sight, worths=(worth(asked, a.shown), worth(asked, b.shown)))

    def _number(self, battle: Battle) -> int:
        """The same for a battle whatever else there is in the database."""
        return battle.source_message_id - self._plan.first_id


def _poisson(rng: Random, mean: float) -> int:
    """By Knuth's method, for small means."""
    least, product, number = math.exp(-mean), rng.random(), 0
    while product > least:
        product *= rng.random()
        number += 1
    return number
