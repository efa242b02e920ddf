"""Any message on Discord, through the whole bot: answered, or left alone, and never a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import BattleState, FinishReason
from tests.fuzz.cases import chosen, counting
from tests.fuzz.house import CANARY, House, Running
from tests.fuzz.texts import completions, said
from tests.wire.protocol import Intent
from tests.wire.render import message_json
from tests.wire.world import THREAD_CHANNEL, Channel, Message, Permission

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = (0, 0, 0, 0, 19, 19, 1, 2, 3, 6, 7, 8, 18, 20, 21, 23, 24, 46, 99, 255)
"""Message types; most are said by people, others by the system, some are not known yet."""
PLACES = ("lounge", "hall", "thread", "direct", "silent")
REPLY = 19

extras = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES),
        "flags": st.sampled_from([0, 1 << 2, 1 << 12, 1 << 13, 1 << 14, 1 << 40]),
        "tts": st.booleans(),
        "pinned": st.booleans(),
        "mention_everyone": st.booleans(),
        "mention_roles": st.lists(st.integers(1, 2**63).map(str), max_size=2),
        "webhook_id": st.integers(1, 2**63).map(str),
        "application_id": st.just("1"),
        "attachments": st.lists(
            st.builds(
                lambda name, size: {
                    "id": "1",
                    "filename": name,
                    "size": size,
                    "url": "http://127.0.0.1/x",
                    "proxy_url": "http://127.0.0.1/x",
                },
                said,
                st.integers(0, 2**40),
            ),
            max_size=2,
        ),
        "embeds": st.lists(
            st.builds(
                lambda text, kind: {"type": kind, "title": text, "description": text},
                said,
                st.sampled_from(["rich", "image", "gifv", "poll_result", "new-kind"]),
            ),
            max_size=2,
        ),
        "sticker_items": st.lists(
            st.builds(lambda name: {"id": "1", "name": name, "format_type": 1}, said), max_size=1
        ),
        "poll": st.builds(
            lambda text: {
                "question": {"text": text},
                "answers": [{"answer_id": 1, "poll_media": {"text": text}}],
                "expiry": "2030-01-01T00:00:00+00:00",
                "allow_multiselect": False,
                "layout_type": 1,
            },
            said,
        ),
        "message_snapshots": st.builds(
            lambda text: [
                {
                    "message": {
                        "type": 0,
                        "content": text,
                        "timestamp": "2026-11-01T00:00:00+00:00",
                        "edited_timestamp": None,
                        "embeds": [],
                        "attachments": [],
                        "flags": 0,
                        "mentions": [],
                        "mention_roles": [],
                    }
                }
            ],
            said,
        ),
        "activity": st.just({"type": 1, "party_id": "x"}),
        "call": st.just({"participants": [], "ended_timestamp": None}),
        "role_subscription_data": st.just(
            {
                "role_subscription_listing_id": "1",
                "tier_name": "x",
                "total_months_subscribed": 1,
                "is_renewal": False,
            }
        ),
        "position": st.integers(0, 9),
        "nonce": st.text(max_size=5) | st.integers(),
    },
)


@dataclass(frozen=True)
class Event:
    """Something that happens in a channel; `of` is which of the messages there it is about."""

    what: str
    by: int
    where: str
    text: str
    how: str
    extra: dict[str, Any]
    of: int
    base: str
    instruct: str
    cut: bool
    settles: bool


events = st.builds(
    Event,
    what=st.sampled_from(["say", "say", "say", "say", "edit", "delete", "bulk", "update", "again"]),
    by=st.integers(0, 3),
    where=st.sampled_from(PLACES),
    text=said,
    how=st.sampled_from(["plain", "plain", "mention", "reply", "reply to me", "silent", "forward"]),
    extra=st.just({}) | extras,
    of=st.integers(0, 50),
    base=completions,
    instruct=completions,
    cut=st.booleans(),
    settles=st.booleans(),
)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running(showing="lockstep", context_messages=4)
    yield running
    running.close()


@chosen(each=5)
@given(history=st.lists(events, min_size=5, max_size=10), setting=st.sampled_from(range(6)))
def test_whatever_is_said_is_answered_once_or_left_alone(
    running: Running, history: list[Event], setting: int
) -> None:
    counting("messages", len(history))
    running.run(Scene(running.house).play(history, setting))


class Scene:
    """One case: a guild and its people, what they say, and what must hold after it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.wire = house.wire
        self.told: list[Message] = []
        self.extra: dict[int, dict[str, Any]] = {}

    async def play(self, history: list[Event], setting: int) -> None:
        lounge = await self.house.enabled()
        await self._set(lounge, setting)
        self.people = [self.wire.person(f"p{n}", lounge.guild).user for n in range(3)]
        self.people.append(self.wire.person("other", lounge.guild, bot=True).user)
        self.channels = await self._channels(lounge)
        for event in history:
            self.house.base.says, self.house.instruct.says = event.base, event.instruct
            reason = FinishReason.LENGTH if event.cut else FinishReason.STOP
            self.house.base.reason = self.house.instruct.reason = reason
            getattr(self, event.what)(event)
            if event.settles:
                await self.house.settle()
        await self.house.settle()
        await self._check()
        self.house.check()

    async def _set(self, lounge: Channel, setting: int) -> None:
        chosen_ones: tuple[tuple[str, object], ...] = (
            ("showing", "at_once"),
            ("redaction", True),
            ("others", "placeholder"),
            ("continuing", "base"),
            ("template", "raw"),
            ("control_share", 50),
        )
        key, value = chosen_ones[setting]
        await self.house.services.guilds.set(lounge.guild_id, key, value, by=1)

    async def _channels(self, lounge: Channel) -> dict[str, Channel]:
        guild = lounge.guild
        hall, silent = self.wire.channel(guild, "hall"), self.wire.channel(guild, "silent")
        self.wire.deny(silent, Permission.SEND_MESSAGES)
        thread = Channel(self.wire.world.new_id(), "thread", type=THREAD_CHANNEL, guild=guild)
        thread.parent_id, thread.owner_id = lounge.id, self.people[0].id
        guild.channels[thread.id] = self.wire.world.channels[thread.id] = thread
        self.wire._tell_channel("THREAD_CREATE", thread)
        await self.house.settle()
        there = {"lounge": lounge, "hall": hall, "thread": thread, "silent": silent}
        return there | {"direct": self.wire.world.dm_channel(self.people[0])}

    def say(self, event: Event) -> None:
        channel = self.channels[event.where]
        author = self.people[0 if event.where == "direct" else event.by]
        text = f"{event.text} {CANARY}"
        if event.how == "mention":
            text = f"{self.wire.mention} {text}"
        if event.how == "silent":
            text = f"//{text}"
        message = Message(self.wire.world.new_id(), channel, author, content=text)
        if event.how == "mention":
            message.mentions = [self.wire.bot]
        self._refer(message, event)
        if event.how == "forward":
            message.content = ""
        self.extra[message.id] = event.extra
        self.told.append(message)
        self._publish("MESSAGE_CREATE", message)

    def again(self, event: Event) -> None:
        """The gateway says something twice after a resume."""
        if message := self._one(event):
            self._publish("MESSAGE_CREATE", message)

    def edit(self, event: Event) -> None:
        if message := self._one(event):
            message.content = f"{event.text} {CANARY}"
            message.edited_at = message.created_at
            self._publish("MESSAGE_UPDATE", message)

    def update(self, event: Event) -> None:
        """A pin, a preview: something about it is new, but not who sent it."""
        if message := self._one(event):
            new = {key: value for key, value in event.extra.items() if key != "webhook_id"}
            self.extra[message.id] = self.extra[message.id] | new
            self._publish("MESSAGE_UPDATE", message)

    def delete(self, event: Event) -> None:
        if message := self._one(event):
            self._remove("MESSAGE_DELETE", message, {"id": str(message.id)})

    def bulk(self, event: Event) -> None:
        if message := self._one(event):
            unknown = str(self.wire.world.new_id())
            self._remove("MESSAGE_DELETE_BULK", message, {"ids": [str(message.id), unknown]})

    def _one(self, event: Event) -> Message | None:
        there = [m for m in self.told if not m.deleted]
        return there[event.of % len(there)] if there else None

    def _refer(self, message: Message, event: Event) -> None:
        there = list(message.channel.messages.values())
        if event.how == "reply to me":
            there = [m for m in there if m.author is self.wire.bot]
        if event.how.startswith("reply") and there:
            to = there[event.of % len(there)]
            message.type, message.reference_id = REPLY, to.id
            if event.cut:
                message.mentions = [*message.mentions, to.author]

    def _publish(self, what: str, message: Message) -> None:
        message.channel.messages[message.id] = message
        data = message_json(message, self.wire.bot) | self.extra[message.id]
        guild_id = message.channel.guild_id
        intent = Intent.DIRECT_MESSAGES if guild_id is None else Intent.GUILD_MESSAGES
        self.wire.gateway.publish(what, data, guild_id=guild_id, intent=intent)

    def _remove(self, what: str, message: Message, data: dict[str, Any]) -> None:
        message.channel.messages.pop(message.id, None)
        message.deleted = True
        guild_id = message.channel.guild_id
        data |= {"channel_id": str(message.channel.id)}
        data |= {"guild_id": str(guild_id)} if guild_id else {}
        intent = Intent.DIRECT_MESSAGES if guild_id is None else Intent.GUILD_MESSAGES
        self.wire.gateway.publish(what, data, guild_id=guild_id, intent=intent)

    async def _check(self) -> None:
        """Each prompt has one answer at most, which pings nobody; what is deleted is gone."""
        stored = self.house.services.store.battles
        for channel in self.channels.values():
            mine = [m for m in channel.messages.values() if m.author is self.wire.bot]
            assert not [m.pings for m in mine if m.pings]
            ids = [m.reference_id for m in mine if m.reference_id]
            assert len(ids) == len(set(ids)), "answered twice"
        for message in self.told:
            battle = await stored.by_source(message.id)
            if battle is None:
                continue
            assert not _left_alone(message, self.extra[message.id])
            assert battle.state is not BattleState.ANSWERING
            if message.deleted:
                assert CANARY not in battle.conversation.prompt.text, "a deleted prompt is kept"


def _left_alone(message: Message, extra: dict[str, Any]) -> bool:
    silent = message.content.startswith("//") and not message.edited_at
    return message.author.bot or silent or "webhook_id" in extra
