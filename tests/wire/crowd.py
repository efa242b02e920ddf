"""Many members at once, who ask and press by a timetable while the program is killed."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .components import buttons
from .interactions import ACK_SECONDS
from .ledger import PARTS, Ledger, Press, battle_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from random import Random

    from .driver import WireServer
    from .people import Person
    from .program import Program
    from .world import Message

CHANGES, TWICE = 0.1, 0.1
"""The shares of members who change their minds, and who press from two devices at once."""
MOST_VOTES = 100
"""What a server can set; with the default a battle would close after five votes."""
BATTLES_IN_A_CHANNEL = 5
"""Discord takes five messages at once there."""
PROMPTS_PER_SECOND = 12
"""Each takes the bot three requests, of fifty a second that Discord takes from it."""
LINGER = 0.3
"""Seconds in which what a killed program sent may still arrive."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the timetable: what a member presses, `at` seconds from the start."""

    at: float
    member: Person
    ballot: Message
    part: str


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of one round. Times are in seconds."""

    presses: list[Press]
    killed_after: float
    down: float
    answered: int
    flaws: list[str]

    @property
    def cut_off(self) -> int:
        """Presses that the kill left without an answer."""
        return sum(press.cut_off for press in self.presses)

    @property
    def waits(self) -> list[float]:
        """From sending a press to its acknowledgement, shortest first; without the cut off."""
        found = (press.acknowledged_after for press in self.presses)
        return sorted(wait for wait in found if wait is not None)

    @property
    def told(self) -> list[float]:
        """From sending a press to telling the voter that it is stored, shortest first."""
        return sorted(p.confirmed_at - p.sent_at for p in self.presses if p.confirmed)

    @property
    def late(self) -> int:
        """Presses that were not acknowledged within the time that Discord gives."""
        waits = (press.acknowledged_after for press in self.presses if not press.cut_off)
        return sum(wait is None or wait > ACK_SECONDS for wait in waits)

    @property
    def untold(self) -> list[str]:
        """What those read who were answered, but not told that their vote is stored."""
        answered = (p for p in self.presses if p.acknowledged_after is not None)
        return [p.interaction.text for p in answered if not p.confirmed and not p.cut_off]


class Crowd:
    """The members of one server, and what they do. `asked` are prompts in a second meanwhile."""

    def __init__(
        self,
        wire: WireServer,
        program: Program,
        *,
        members: int,
        battles: int,
        asked: float,
        rng: Random,
    ) -> None:
        self.wire = wire
        self.program = program
        self.guild = wire.guild()
        self.channels = [
            wire.channel(self.guild, f"table-{number}")
            for number in range(-(-battles // BATTLES_IN_A_CHANNEL))
        ]
        self.members = [wire.person(f"member-{n}", self.guild) for n in range(members)]
        self.ledger = Ledger()
        self._battles = battles
        self._asked = asked
        self._rng = rng
        self._prompts: list[int] = []

    async def allow_many_votes(self) -> None:
        """Let battles stay open for longer than a server's default has it."""
        await self.program.set(self.guild, "closing_votes", MOST_VOTES)

    async def play(self, seconds: float) -> Round:
        """Open battles, press on them for so long, with a kill and a restart in between."""
        ballots = await self.open()
        timetable = self.timetable(ballots, seconds)
        kill_at = self._rng.uniform(0.1, 0.9) * seconds
        self._prompts = []
        async with self._asking():
            await self._press([entry for entry in timetable if entry.at < kill_at], until=kill_at)
            await self.program.kill9()
        killed = time.monotonic()
        await asyncio.sleep(LINGER)
        lost = self.ledger.end()
        flaws = [f"after the kill: {flaw}" for flaw in self.ledger.flaws(self.program)]
        self.wire.gateway.forget()
        await self.program.start()
        down = time.monotonic() - killed
        left = [entry for entry in timetable if entry.at >= kill_at]
        left += [self._again(press, kill_at) for press in lost]
        async with self._asking():
            await self._press(left, since=kill_at, until=seconds)
            await self._settled()
        flaws += [f"at the end: {flaw}" for flaw in self.ledger.flaws(self.program)]
        return Round(
            presses=self.ledger.presses,
            killed_after=kill_at,
            down=down,
            answered=len(self._ballots(self._prompts)),
            flaws=flaws,
        )

    def forget(self) -> None:
        """Begin another round without what only the last one needed."""
        self.ledger = Ledger()
        self.wire.requests.clear()
        self.wire.callbacks.interactions.clear()
        for channel in self.channels:
            channel.messages.clear()

    async def open(self) -> list[Message]:
        """Have as many prompts answered as there are to be battles."""
        prompts = []
        for number in range(self._battles):
            prompts.append(await self._ask(number))
            await asyncio.sleep(1 / PROMPTS_PER_SECOND)
        deadline = time.monotonic() + 60
        while len(ballots := self._ballots(prompts)) < len(prompts):
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(ballots)} ballots; {self.wire.last_requests()}")
            await asyncio.sleep(0.1)
        for ballot in ballots:
            self.ledger.opened(ballot)
        return ballots

    def timetable(self, ballots: list[Message], seconds: float) -> list[Entry]:
        """Spread a press of every member, and some second ones, over so many seconds."""
        entries = []
        self._rng.shuffle(self.members)
        for number, member in enumerate(self.members):
            at, dice = self._rng.uniform(0, seconds), self._rng.random()
            first, second = self._rng.sample(PARTS, 2)
            times = {first: at}
            if dice < CHANGES:
                times[second] = self._rng.uniform(at, seconds)
            elif dice < CHANGES + TWICE:
                times[second] = at
            ballot = ballots[number % len(ballots)]
            entries += [
                Entry(at=at, member=member, ballot=ballot, part=part) for part, at in times.items()
            ]
        return sorted(entries, key=lambda entry: entry.at)

    def _again(self, press: Press, since: float) -> Entry:
        """A member who got no answer tries again as soon as the bot is back."""
        source, user = press.interaction.source, press.interaction.user
        if source is None:
            raise AssertionError(f"{press.interaction} has no message")
        member = next(m for m in self.members if m.user is user)
        at = since + self._rng.random()
        return Entry(at=at, member=member, ballot=source, part=press.part)

    async def _press(self, entries: Iterable[Entry], *, until: float, since: float = 0.0) -> None:
        """Press by the timetable, whatever becomes of earlier presses."""
        start = time.monotonic() - since
        for entry in sorted(entries, key=lambda entry: entry.at):
            early = start + entry.at - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
            label = label_of(entry.ballot, entry.part)
            interaction = await entry.member.press(entry.ballot, label)
            self.ledger.presses.append(Press(interaction, late=max(0.0, -early)))
        await asyncio.sleep(start + until - time.monotonic())

    async def _settled(self) -> None:
        while any(press.pending for press in self.ledger.presses):  # noqa: ASYNC110 - no one tells
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        asking = asyncio.create_task(self._keep_asking())
        try:
            yield
        finally:
            asking.cancel()

    async def _keep_asking(self) -> None:
        while self._asked:
            await asyncio.sleep(1 / self._asked)
            self._prompts.append(await self._ask(len(self._prompts)))

    async def _ask(self, number: int) -> int:
        member, channel = self._rng.choice(self.members), self.channels[number % len(self.channels)]
        text = f"{self.wire.mention} what is a fold, number {number}?"
        return (await member.send(channel, text)).id

    def _ballots(self, prompts: list[int]) -> list[Message]:
        """The ballots under those prompts that have one."""
        wanted = set(prompts)
        public = (m for channel in self.channels for m in self.wire.messages(channel))
        return [m for m in public if m.reference_id in wanted and battle_of(m) is not None]


def label_of(ballot: Message, part: str) -> str:
    """What stands on the button of a ballot that casts this vote."""
    found = (b for b in buttons(ballot) if str(b.get("custom_id")).endswith(f":{part}"))
    return next(found)["label"]
