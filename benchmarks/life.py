"""What a community does all day, by chance: members, managers and the network between."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.wired import ballot_for
from tests.wire.commands import NotOffered
from tests.wire.components import buttons
from tests.wire.table import LABELS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from benchmarks.wired import Community
    from tests.wire.interactions import Interaction
    from tests.wire.people import Person
    from tests.wire.server import Record
    from tests.wire.world import Guild, Message

MINUTE = 60.0
RECENT = 150
"""Ballots that somebody may still look at."""

VOTES = LABELS[:4]
RECONNECTING = 10.0
"""Seconds in which a bot that lost its connection is back."""

SETTLING = 10.0
"""Seconds that what was begun may take at most."""


@dataclass(frozen=True)
class Act:
    """Something that happens, so many times in a minute of the community's."""

    often: float
    do: Callable[[], Awaitable[object]]


@dataclass
class Life:
    """A community that lives `speed` times as fast as its clock."""

    community: Community
    rng: Random
    speed: float
    managers: dict[int, Person]
    open_channels: set[int]
    done: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    ballots: deque[Message] = field(default_factory=lambda: deque(maxlen=RECENT))
    _broken_at: float = -math.inf
    _doing: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def acts(self) -> dict[str, Act]:
        """What happens here."""
        return {
            "prompts": Act(60, self._ask),
            "prompts by command": Act(4, self._ask_by_command),
            "private prompts": Act(2, self._ask_in_private),
            "edited prompts": Act(2, self._ask_and_edit),
            "deleted prompts": Act(2, self._ask_and_delete),
            "votes": Act(240, self._vote),
            "again": Act(2, self._again),
            "closed by the author": Act(1, self._close),
            "/rate": Act(10, self._rate),
            "/leaderboard": Act(3, lambda: self._command("leaderboard")),
            "/stats": Act(2, lambda: self._command("stats")),
            "/privacy": Act(2, lambda: self._command("privacy")),
            "/about": Act(1, lambda: self._command("about")),
            "settings changed": Act(1, self._settings),
            "lost connections": Act(0.3, self._cut),
            "asked to reconnect": Act(0.2, self._reconnect),
            "lost sessions": Act(0.1, self._forget),
        }

    async def live(self, minutes: float) -> None:
        """Let so many minutes of the community pass, then let what was begun end."""
        end = time.monotonic() + minutes * MINUTE / self.speed
        await asyncio.gather(*(self._keep(name, act, end) for name, act in self.acts.items()))
        if self._doing:
            await asyncio.wait(self._doing, timeout=SETTLING)

    def noticed(self, record: Record) -> int | None:
        """Remember the ballot that a request posted."""
        prompt = ballot_for(record)
        if prompt is not None:
            channel = self.community.wire.world.channels[int(record.answer["channel_id"])]
            message = channel.messages.get(int(record.answer["id"]))
            if message is not None and channel.guild is not None:
                self.ballots.append(message)
        return prompt

    async def _keep(self, name: str, act: Act, end: float) -> None:
        every = MINUTE / (act.often * self.speed)
        while (at := time.monotonic() + self.rng.expovariate(1 / every)) < end:
            await asyncio.sleep(at - time.monotonic())
            task = asyncio.create_task(self._once(name, act))
            self._doing.add(task)
            task.add_done_callback(self._doing.discard)

    async def _once(self, name: str, act: Act) -> None:
        begun = time.monotonic()
        try:
            await act.do()
        except NotOffered:  # somebody else was quicker
            self.done["(too late)"] += 1
        except AssertionError as error:
            # Discord itself tells them that nobody answers, and keeps nothing for later.
            if self._broken_at > begun - RECONNECTING or not self._online:
                self.done["(not connected)"] += 1
            else:
                self.missed.append(f"{name}: {error}"[:300])
        else:
            self.done[name] += 1

    @property
    def _online(self) -> bool:
        return bool(self.community.wire.gateway.online)

    def _guild(self) -> Guild:
        return self.rng.choice(self.community.guilds)

    def _member(self, guild: Guild | None) -> Person:
        return self.rng.choice(self.community.members[guild.id if guild else 0])

    def _text(self) -> str:
        return self.rng.choice(self.community.texts)

    async def _ask(self) -> Message:
        channel = self.rng.choice(self.community.channels)
        member, text = self._member(channel.guild), self._text()
        earlier = [b for b in self.ballots if b.channel is channel and not b.deleted]
        if earlier and self.rng.random() < 0.3:
            return await member.send(channel, text, reply_to=earlier[-1])
        if channel.id not in self.open_channels:
            text = f"{self.community.wire.mention} {text}"
        return await member.send(channel, text)

    async def _ask_by_command(self) -> None:
        channel = self.rng.choice(self.community.channels)
        asked = await self._member(channel.guild).slash(channel, "ask", prompt=self._text())
        await asked.answered()

    async def _ask_in_private(self) -> None:
        await self._member(self._guild()).dm(self._text())

    async def _ask_and_edit(self) -> None:
        prompt = await self._ask()
        await asyncio.sleep(self.rng.uniform(0, 4))
        await self._member(prompt.channel.guild).edit(prompt, f"{prompt.content}, please")

    async def _ask_and_delete(self) -> None:
        prompt = await self._ask()
        await asyncio.sleep(self.rng.expovariate(2))
        await self._member(prompt.channel.guild).delete(prompt)

    def _ballot(self) -> Message:
        """One of the latest more often than an old one."""
        if not self.ballots:
            raise NotOffered("no ballot yet")
        back = min(int(self.rng.expovariate(1 / 25)), len(self.ballots) - 1)
        return self.ballots[-1 - back]

    async def _vote(self) -> None:
        ballot = self._ballot()
        member = self._member(ballot.channel.guild)
        pressed = await member.press(ballot, self.rng.choice(VOTES))
        await pressed.answered()
        await self._after_a_vote(member, pressed)

    async def _after_a_vote(self, member: Person, pressed: Interaction) -> None:
        """Most guess, some say why, few take it back; who is asked about consent answers."""
        told = (pressed.ephemeral or [pressed.source])[0]
        if self.rng.random() < 0.7:
            await self._press(member, told, self.rng.choice(("A", "B", "Not sure")))
            dice = self.rng.random()
            if dice < 0.15:
                await self._press(member, told, "Why?")
                await self._press(member, told, self.rng.choice(_labels(told, ":reason:")))
            elif dice < 0.2:
                await self._press(member, told, "Undo")
        if len(pressed.ephemeral) > 1 and self.rng.random() < 0.5:
            asked = pressed.ephemeral[1]
            await self._press(member, asked, self.rng.choice(_labels(asked)))

    async def _press(self, member: Person, message: Message, label: str) -> None:
        """Press a button of one's own message, and wait until it was answered."""
        pressed = await member.press(message, label)
        await pressed.acknowledged()
        await asyncio.sleep(self.rng.uniform(0.5, 3) / self.speed)

    async def _again(self) -> None:
        ballot = self._ballot()
        member = self._member(ballot.channel.guild)
        more = await member.press(ballot, "⋯")
        await more.answered()
        await (await member.press(more.ephemeral[0], "Again")).acknowledged()

    async def _close(self) -> None:
        ballot = self._ballot()
        prompt = ballot.channel.messages.get(ballot.reference_id or 0)
        if prompt is None:
            raise NotOffered("the prompt is gone")
        author = next(
            m
            for m in self.community.members[ballot.channel.guild_id or 0]
            if m.user is prompt.author
        )
        more = await author.press(ballot, "⋯")
        await more.answered()
        await (await author.press(more.ephemeral[0], "Close and reveal")).acknowledged()

    async def _rate(self) -> None:
        guild = self._guild()
        member, channel = self._member(guild), next(iter(guild.channels.values()))
        rated = await member.slash(channel, "rate")
        await rated.answered()
        for _ in range(3):
            await self._press(member, rated.ephemeral[0], self.rng.choice(VOTES))
            await self._press(member, rated.ephemeral[0], "Next")

    async def _command(self, name: str) -> None:
        guild = self._guild()
        used = await self._member(guild).slash(next(iter(guild.channels.values())), name)
        await used.answered()

    async def _settings(self) -> None:
        guild = self._guild()
        manager, channel = self.managers[guild.id], next(iter(guild.channels.values()))
        opened = await manager.slash(channel, "settings", setting="closing_votes")
        await opened.acknowledged()
        votes = str(self.rng.randint(4, 6))
        await (await manager.submit_modal(opened, {"value": votes})).answered()

    async def _cut(self) -> None:
        self._broken_at = time.monotonic()
        self.community.wire.gateway.cut_all()

    async def _reconnect(self) -> None:
        self._broken_at = time.monotonic()
        self.community.wire.gateway.reconnect()

    async def _forget(self) -> None:
        self._broken_at = time.monotonic()
        self.community.wire.gateway.invalidate(resumable=False)


def _labels(message: Message, about: str = "") -> list[str]:
    """What stands on the buttons of a message that do something of a kind."""
    found = [b["label"] for b in buttons(message) if about in str(b.get("custom_id"))]
    if not found:
        raise NotOffered(f"no such button on {message.text!r}")
    return found
