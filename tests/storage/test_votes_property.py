"""Whatever members do, in whatever order, through the service and across restarts."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from conftest import CONTENDERS, START, Arena
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.config import Config
from bot.errors import VoteRefused
from bot.governing import GuildService
from bot.redaction import Redactor
from bot.telemetry.instruments import Instruments
from bot.voting import Press, VotingService, as_seen, turned
from storage.database import Database
from storage.records import Choice, Outcome, Reason, Side, VoteEventKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime
    from pathlib import Path

    from storage.records import Battle, Vote, VoteEvent

MEMBERS = st.integers(1, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("press"), MEMBERS, st.sampled_from(Choice)),
        st.tuples(st.just("rate"), MEMBERS, st.sampled_from(Choice)),
        st.tuples(st.just("guess"), MEMBERS, st.sampled_from([*Side, None])),
        st.tuples(st.just("undo"), MEMBERS, st.none()),
        st.tuples(st.just("restart"), st.just(0), st.none()),
    ),
    max_size=25,
)


class House:
    """The service on a database that can be closed and opened again."""

    def __init__(self, url: str, home: Path) -> None:
        self._url = url
        self._home = home
        self._numbers = count(10)
        self._stack = AsyncExitStack()
        self._arena: Arena | None = None

    async def open(self) -> None:
        await self._stack.aclose()
        self.database = await self._stack.enter_async_context(Database.open(self._url))
        guilds = GuildService(
            store=self.database.guilds,
            templates={},
            contenders=lambda: CONTENDERS,
            config=Config(home=self._home),
            clock=self.clock,
        )
        self.voting = VotingService(
            battles=self.database.battles,
            votes=self.database.votes,
            sightings=self.database.sightings,
            guilds=guilds,
            redactor=Redactor(),
            clock=self.clock,
            instruments=Instruments(),
        )

    async def close(self) -> None:
        await self._stack.aclose()

    async def battle(self) -> Battle:
        self._arena = self._arena or Arena(self.database)
        self._arena.database = self.database
        return await self._arena.open()

    def clock(self) -> datetime:
        return START + timedelta(seconds=next(self._numbers))

    async def press(
        self,
        battle: Battle,
        voter: int,
        choice: Choice,
        *,
        private: bool = False,
        swapped: bool = False,
    ) -> bool:
        cast = await self.voting.cast(
            Press(
                battle_id=battle.id,
                choice=choice,
                voter_id=voter,
                voter_is_bot=False,
                guild_id=battle.guild_id,
                channel_id=battle.channel_id,
                private=private,
                swapped=swapped,
            )
        )
        return cast.own.told


@pytest.fixture
async def house(url: str, tmp_path: Path) -> AsyncIterator[House]:
    house = House(url, tmp_path)
    await house.open()
    await house.database.contenders.register(CONTENDERS, at=START)
    yield house
    await house.close()


@dataclass
class Model:
    """What should have come of the steps; choices are on the sides as stored."""

    choices: dict[int, Choice] = field(default_factory=dict)
    blind: dict[int, bool] = field(default_factory=dict)
    swapped: dict[int, bool] = field(default_factory=dict)
    guesses: dict[int, Side | None] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)

    def press(self, voter: int, choice: Choice, *, swapped: bool) -> None:
        if choice.value in set(Side):
            choice = Choice(turned(Side(choice.value), swapped=swapped).value)
        if self.choices.get(voter) is not choice:
            self.choices[voter] = choice
            self.blind[voter] = voter not in self.told
            self.swapped[voter] = swapped

    def guess(self, voter: int, side: Side | None) -> None:
        if voter in self.choices and voter not in self.told:
            self.guesses[voter] = side
            self.told.add(voter)

    def undo(self, voter: int) -> None:
        for said in (self.choices, self.blind, self.swapped, self.guesses):
            said.pop(voter, None)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, swapped=st.booleans())
async def test_votes_are_the_last_choices_the_log_replays_to_them_and_the_marks_are_true(
    house: House, steps: list[tuple[str, int, Choice | Side | None]], *, swapped: bool
) -> None:
    battle = await house.battle()
    for member in (1, 2, 3):
        await house.database.sightings.shown(battle.id, member, swapped=swapped, at=START)
    model = Model()
    for what, member, said in steps:
        if what == "restart":
            await house.open()
        elif what in {"press", "rate"}:
            alone = what == "rate"
            sides = swapped and alone
            told = await house.press(battle, member, Choice(said), private=alone, swapped=sides)
            assert told == (member in model.told)
            model.press(member, Choice(said), swapped=sides)
        elif what == "guess":
            named = said and Side(said)
            with suppress(VoteRefused):
                own = await house.voting.guess(battle.id, member, named, swapped=swapped)
                assert own.battle == as_seen(battle, swapped=swapped)
            model.guess(member, named and turned(named, swapped=swapped))
        else:
            with suppress(VoteRefused):
                await house.voting.undo(battle.id, member)
            model.undo(member)

    stored = {v.voter_id: v for v in await house.database.votes.for_battle(battle.id)}
    assert {voter: _choice(battle, vote) for voter, vote in stored.items()} == model.choices
    assert {voter: vote.blind for voter, vote in stored.items()} == model.blind
    assert {voter: vote.swapped for voter, vote in stored.items()} == model.swapped
    assert {v.voter_id: _guess(battle, v) for v in stored.values() if v.guessed_at} == model.guesses
    assert _replayed(battle, await house.database.votes.events(battle.id)) == model.choices


async def test_a_private_press_needs_a_ballot_shown_alone_and_counts_on_its_sides(
    house: House,
) -> None:
    battle = await house.battle()
    shown = house.database.sightings.shown
    with pytest.raises(VoteRefused):
        await house.press(battle, 1, Choice.A, private=True)
    await shown(battle.id, 1, swapped=True, at=START)
    elsewhere = replace(battle, channel_id=99)
    await house.press(elsewhere, 1, Choice.A, private=True, swapped=True)
    for stranger in (replace(battle, guild_id=99), replace(elsewhere, guild_id=None)):
        with pytest.raises(VoteRefused):
            await house.press(stranger, 1, Choice.A, private=True, swapped=True)
    with pytest.raises(VoteRefused):
        await house.press(elsewhere, 1, Choice.A)
    own = await house.voting.guess(battle.id, 1, Side.A, swapped=True)
    assert own.choice is Choice.A
    assert own.vote is not None
    assert own.vote.winner_answer_id == battle.answer(Side.B).id
    assert own.battle.answer(Side.A).id == own.vote.guessed_base_answer_id
    readable = await house.voting.readable(battle.id, 1, swapped=True)
    assert readable.battle == own.battle
    with pytest.raises(VoteRefused):
        await house.voting.readable(battle.id, 2)


@pytest.mark.parametrize("swapped", [False, True])
async def test_a_private_ballot_whose_sides_are_others_by_now_is_refused(
    house: House, *, swapped: bool
) -> None:
    battle, member = await house.battle(), 2**60 + 50
    for at_first in (swapped, not swapped):
        await house.database.erasure.erase(member, at=START)
        await house.database.sightings.shown(battle.id, member, swapped=at_first, at=START)
    with pytest.raises(VoteRefused, match="This ballot is an old one"):
        await house.press(battle, member, Choice.A, private=True, swapped=swapped)
    assert not await house.database.votes.for_battle(battle.id)
    await house.press(battle, member, Choice.A, private=True, swapped=not swapped)
    (vote,) = await house.database.votes.for_battle(battle.id)
    assert vote.winner_answer_id == as_seen(battle, swapped=not swapped).answer(Side.A).id


async def test_what_follows_a_ballot_keeps_its_sides_whichever_was_pressed_last(
    house: House,
) -> None:
    battle, voting = await house.battle(), house.voting
    await house.database.sightings.shown(battle.id, 1, swapped=True, at=START)
    await house.press(battle, 1, Choice.B, private=True, swapped=True)
    await house.press(battle, 1, Choice.A)
    kept = battle.answer(Side.A)
    ways = {False: (Side.A, Side.B), True: (Side.B, Side.A)}
    for swapped, (mine, other) in ways.items():
        found = [
            await voting.guess(battle.id, 1, mine, swapped=swapped),
            await voting.own(battle.id, 1, swapped=swapped),
            await voting.open_to_remarks(battle.id, 1, swapped=swapped),
            await voting.explain(battle.id, 1, Reason.FUNNY, swapped=swapped),
            await voting.comment(battle.id, 1, "so", swapped=swapped),
            await voting.improve(battle.id, 1, mine, f"better {mine}", swapped=swapped),
            await voting.readable(battle.id, 1, swapped=swapped),
        ]
        for own in found:
            assert own.choice is Choice(mine.value)
            assert own.battle.answer(mine).id == own.vote.guessed_base_answer_id == kept.id
            assert own.battle.answer(other).shown == battle.answer(Side.B).shown
        assert found[5].remark.edited_answer_id == kept.id
    assert (await voting.undo(battle.id, 1, swapped=True)).battle == found[0].battle


async def test_one_member_on_two_devices_has_one_vote(house: House) -> None:
    battle = await house.battle()
    presses = [house.press(battle, 1, choice) for choice in Choice for _ in range(5)]
    await asyncio.gather(*presses)
    (vote,) = await house.database.votes.for_battle(battle.id)
    events = await house.database.votes.events(battle.id)
    assert _replayed(battle, events) == {1: _choice(battle, vote)}


async def test_a_press_and_an_undo_at_once_leave_log_and_votes_at_one(house: House) -> None:
    battle = await house.battle()
    await house.press(battle, 1, Choice.A)
    await asyncio.gather(
        house.voting.undo(battle.id, 1),
        house.press(battle, 1, Choice.B),
        house.voting.guess(battle.id, 1, Side.A),
        house.press(battle, 1, Choice.TIE),
        return_exceptions=True,
    )
    votes = await house.database.votes.for_battle(battle.id)
    events = await house.database.votes.events(battle.id)
    assert _replayed(battle, events) == {v.voter_id: _choice(battle, v) for v in votes}


def _choice(battle: Battle, said: Vote | VoteEvent) -> Choice:
    if said.outcome is Outcome.WIN:
        return Choice(next(a.side for a in battle.answers if a.id == said.winner_answer_id).value)
    return Choice(str(said.outcome))


def _guess(battle: Battle, vote: Vote) -> Side | None:
    guessed = (a.side for a in battle.answers if a.id == vote.guessed_base_answer_id)
    return next(guessed, None)


def _replayed(battle: Battle, events: Iterable[VoteEvent]) -> dict[int, Choice]:
    standing: dict[int, Choice] = {}
    for event in events:
        if event.event is VoteEventKind.WITHDRAW:
            del standing[event.voter_id]
            continue
        known = event.voter_id in standing
        assert event.event is (VoteEventKind.CHANGE if known else VoteEventKind.CAST)
        standing[event.voter_id] = _choice(battle, event)
    return standing
