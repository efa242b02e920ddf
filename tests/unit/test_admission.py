"""Turns: so many at a time, the others in a line that knows how long it takes."""

from __future__ import annotations

import asyncio

import pytest

from bot.admission import LONGEST, LONGEST_OF_GROUP, Admission, Place
from bot.errors import EngineBusy, LineFull


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Member:
    """Waits for a turn, holds it until told to go, and remembers what they heard."""

    def __init__(self, admission: Admission, group: int = 0, member: int = 0) -> None:
        self.heard: list[Place | None] = []
        self.at_work = False
        self._done = asyncio.Event()
        self.task = asyncio.create_task(self._take_turn(admission, group, member))

    async def _take_turn(self, admission: Admission, group: int, member: int) -> None:
        async with admission.turn(self.heard.append, group=group, member=member):
            self.at_work = True
            await self._done.wait()

    @property
    def numbers(self) -> list[int]:
        return [place.number for place in self.heard if place is not None]

    async def finish(self) -> None:
        self._done.set()
        await self.task
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def members(admission: Admission, count: int, *, of_each: int = 100) -> list[Member]:
    come = []
    for number in range(count):
        come.append(Member(admission, number // of_each))
        await settled()
    return come


async def test_who_has_not_to_wait_hears_nothing() -> None:
    here = await members(Admission(2), 2)
    assert all(member.at_work and not member.heard for member in here)


async def test_the_line_is_served_in_order_and_everyone_knows_their_number() -> None:
    first, second, third, fourth = await members(Admission(1), 4)
    assert [second.numbers, third.numbers, fourth.numbers] == [[1], [2], [3]]
    await first.finish()
    assert second.at_work
    assert second.heard[-1] is None
    assert not third.at_work
    assert [third.numbers, fourth.numbers] == [[2, 1], [3, 2]]


async def test_a_time_is_told_only_once_one_was_measured() -> None:
    clock = Clock()
    admission = Admission(2, clock=clock)
    first, _, third, fourth = await members(admission, 4)
    assert [member.heard[-1] for member in (third, fourth)] == [Place(1, None), Place(2, None)]
    clock.now = 10.0
    await first.finish()
    assert fourth.heard[-1] == Place(1, 5.0)
    (fifth,) = await members(admission, 1)
    assert fifth.heard == [Place(2, 10.0)]


async def test_who_is_cancelled_leaves_the_line_and_takes_no_turn() -> None:
    first, second, third = await members(Admission(1), 3)
    second.task.cancel()
    await settled()
    assert third.numbers == [2, 1]
    await first.finish()
    assert third.at_work
    assert not second.at_work


async def test_a_turn_that_fails_is_given_back_and_not_measured() -> None:
    clock = Clock()
    admission = Admission(1, clock=clock)
    (failing,) = await members(admission, 1)
    clock.now = 99.0
    failing.task.cancel()
    await settled()
    _, waiting = await members(admission, 2)
    assert waiting.heard == [Place(1, None)]


async def test_one_server_cannot_fill_the_line() -> None:
    admission = Admission(1)
    come = await members(admission, 1 + LONGEST_OF_GROUP)
    with pytest.raises(LineFull):
        async with admission.turn(come[0].heard.append):
            pass
    elsewhere = Member(admission, group=2)
    await settled()
    assert elsewhere.numbers == [1]
    for member in (*come, elsewhere):
        member.task.cancel()


async def test_a_line_that_is_too_long_is_refused() -> None:
    admission = Admission(1)
    come = await members(admission, 1 + LONGEST, of_each=LONGEST_OF_GROUP)
    with pytest.raises(EngineBusy):
        async with admission.turn(come[0].heard.append):
            pass
    for member in come:
        member.task.cancel()


async def order(admission: Admission, running: Member, waiting: list[Member]) -> list[Member]:
    """The order in which those who wait get their turn, one at a time."""
    served = []
    at_work = running
    for _ in waiting:
        await at_work.finish()
        (at_work,) = (member for member in waiting if member.at_work and member not in served)
        served.append(at_work)
    await at_work.finish()
    return served


async def test_servers_take_turns_however_much_one_of_them_asks() -> None:
    admission = Admission(1)
    noisy = await members(admission, 5)
    quiet = [Member(admission, group=group) for group in (1, 2)]
    await settled()
    served = await order(admission, noisy[0], [*noisy[1:], *quiet])
    assert served == [*quiet, *noisy[1:]]


async def test_members_of_a_server_take_turns() -> None:
    admission = Admission(1)
    noisy = await members(admission, 4)
    other = [Member(admission, member=1) for _ in range(2)]
    await settled()
    served = await order(admission, noisy[0], [*noisy[1:], *other])
    assert served == [other[0], noisy[1], other[1], *noisy[2:]]


async def test_one_who_is_alone_has_all_the_room() -> None:
    admission = Admission(3)
    assert all(member.at_work for member in await members(admission, 3))


async def test_a_turn_granted_to_one_who_is_just_leaving_goes_to_the_next() -> None:
    admission = Admission(1)
    first, leaving, last = await members(admission, 3)
    first._done.set()
    await first.task
    leaving.task.cancel()
    await settled()
    assert last.at_work
    assert (admission.running, admission.waiting) == (1, 0)
