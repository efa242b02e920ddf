"""What battles are split by: never changed, and the same for all that share a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import pytest
from conftest import START, Raw, past
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.sqlite import dialect

from bot.dataset.splits import prompt_key
from storage.buckets import FOUND
from storage.database import Database
from storage.records import Conversation, Purpose, Turn, Wiped

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from storage.records import Battle

AUTHOR, BOT = 2**60, 99


@dataclass(slots=True)
class Channel:
    """Where people write, and the bot answers with ballots."""

    database: Database
    raw: Raw
    numbers: count[int] = field(default_factory=lambda: count(1000))

    def says(self, text: str) -> Turn:
        return Turn(author_id=AUTHOR, name="Alice", text=text, message_id=next(self.numbers))

    async def battle(self, *turns: Turn, **facts: object) -> Battle | None:
        """One on the last turn, with a ballot of its own."""
        conversation = Conversation(turns=turns, bot_name="Twofold")
        source = turns[-1].message_id if not facts else None
        battle = await self.database.battles.create(
            source_message_id=source or next(self.numbers),
            guild_id=7,
            channel_id=8,
            author_id=AUTHOR,
            conversation=conversation,
            prompt_key=prompt_key(conversation, str),
            purpose=Purpose.LIVE,
            at=START,
            **facts,
        )
        if battle is not None:
            await self.database.battles.shown(battle.id, next(self.numbers))
            battle = await self.database.battles.get(battle.id)
        return battle

    async def mirror(self, battle: Battle) -> Battle | None:
        """As the private queue makes it, which knows no key."""
        return await self.database.battles.create(
            source_message_id=next(self.numbers),
            guild_id=7,
            channel_id=8,
            author_id=AUTHOR,
            conversation=battle.conversation,
            purpose=Purpose.MIRROR,
            mirror_of_id=battle.id,
            at=START,
        )

    def stored(self) -> dict[int, tuple[int | None, int | None]]:
        """Key and bucket of each battle."""
        rows = self.raw.execute("SELECT id, prompt_key, bucket FROM battles")
        return {number: (key, bucket) for number, key, bucket in rows}

    def bucket(self, battle: Battle | None) -> int | None:
        assert battle is not None
        return self.stored()[battle.id][1]


@pytest.fixture
def channel(database: Database, raw: Raw) -> Channel:
    return Channel(database, raw)


def ballot(battle: Battle) -> Turn:
    return Turn(
        author_id=BOT,
        name="Twofold",
        text="an answer",
        is_bot=True,
        message_id=battle.shown_message_id,
    )


async def test_the_same_prompt_is_in_the_bucket_of_its_key(channel: Channel) -> None:
    first = await channel.battle(channel.says("Why is the sky blue?"))
    second = await channel.battle(channel.says("why is  the SKY blue?\n"))
    key = prompt_key(first.conversation, str)
    assert channel.stored() == {first.id: (key, key % 256), second.id: (key, key % 256)}


async def test_what_goes_on_from_a_battle_is_in_its_bucket(channel: Channel) -> None:
    first = await channel.battle(asked := channel.says("one"))
    bucket = channel.bucket(first)
    answered = await channel.battle(ballot(first), channel.says("two"))
    replied = await channel.battle(asked, channel.says("three"))
    continued = await channel.battle(channel.says("four"), parent_id=first.id)
    again = await channel.battle(channel.says("five"), copy_of_id=first.id)
    mirror = await channel.mirror(first)
    after = [channel.bucket(b) for b in (answered, replied, continued, again, mirror)]
    assert after == [bucket] * 5
    assert channel.stored()[mirror.id] == channel.stored()[first.id]
    two = await channel.battle(channel.says("TWO"))
    assert channel.bucket(two) == bucket, "its prompt was first said in that conversation"


async def test_battles_that_hold_the_same_message_are_in_one_bucket(channel: Channel) -> None:
    chatter = channel.says("what others said")
    first = await channel.battle(chatter, channel.says("one"))
    second = await channel.battle(chatter, channel.says("two"))
    third = await channel.battle(chatter)
    assert channel.bucket(second) == channel.bucket(first) == channel.bucket(third)


async def test_what_would_be_in_two_buckets_is_in_none(channel: Channel) -> None:
    one = await channel.battle(channel.says("one"))
    two = await channel.battle(channel.says("two"))
    assert channel.bucket(one) != channel.bucket(two)
    repeated = await channel.battle(ballot(one), channel.says("two"))
    mixed = await channel.battle(ballot(one), ballot(two), said := channel.says("three"))
    assert channel.bucket(repeated) is None
    assert channel.bucket(mixed) is None
    later = await channel.battle(said, ballot(mixed), channel.says("four"))
    assert channel.bucket(later) is not None, "it shares a message only with what is in none"


async def test_a_wiped_battle_keeps_its_bucket_but_nothing_made_of_its_prompt(
    channel: Channel,
) -> None:
    first = await channel.battle(channel.says("one"))
    second = await channel.battle(ballot(first), channel.says("two"))
    failed = await channel.battle(channel.says("three"))
    bucket = channel.bucket(first)
    await channel.database.battles.fail(failed.id, reason="test", at=START)
    await channel.database.retention.wipe([first.id, second.id], Wiped.RETENTION, at=START)
    assert channel.stored()[second.id] == (None, bucket)
    assert channel.stored()[failed.id][0] is None
    third = await channel.battle(ballot(second), channel.says("four"))
    assert channel.bucket(third) == bucket


@pytest.mark.sqlite("its planner tells what it scans, however little there is")
async def test_a_bucket_is_found_by_indexes_alone(channel: Channel, raw: Raw) -> None:
    """Battles are many, and each has long texts."""
    asked = FOUND.params(key=1, copied=1, messages=[1, 2])
    statement = asked.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})
    plan = raw.execute(f"EXPLAIN QUERY PLAN {statement}")
    steps = [step for *_, step in plan if "battles" in step]
    assert any("ix_battles_prompt_key_bucket" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN")]


PROMPTS = st.sampled_from(["one", "ONE ", "two", "two\n", "t w o", "three"])
PLACES = st.lists(st.integers(0, 30), min_size=1, max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ask", "reply", "read"]), PROMPTS, PLACES),
        st.tuples(st.sampled_from(["parent_id", "copy_of_id"]), PROMPTS, PLACES),
        st.tuples(st.sampled_from(["mirror", "wipe", "cancel"]), st.just(""), PLACES),
    ),
    min_size=20,
    max_size=30,
)


class Growth:
    """Any doings in a channel, and after each what must hold of buckets."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.made: list[Battle] = []
        self.from_: dict[int, int] = {}
        self.given: dict[int, int | None] = {}

    async def step(self, what: str, prompt: str, places: list[int]) -> None:
        chosen = [self.made[place % len(self.made)] for place in places if self.made]
        said = {
            "ask": [],
            "reply": [ballot(b) for b in chosen],
            "read": [turn for b in chosen for turn in (*b.conversation.turns, ballot(b))],
        }
        battle, of = None, chosen[0] if chosen else None
        if what in said:
            battle = await self.channel.battle(*said[what], self.channel.says(prompt))
        elif of is None:
            return
        elif what == "mirror":
            battle = await self.channel.mirror(of)
        elif what == "wipe":
            await self.channel.database.retention.wipe([of.id], Wiped.DELETED, at=START)
        elif what == "cancel":
            await self.channel.database.battles.cancel(of.id, at=START)
        else:
            battle = await self.channel.battle(self.channel.says(prompt), **{what: of.id})
        if battle is not None:
            self.made.append(battle)
            if what not in said:
                self.from_[battle.id] = of.id

    def check(self) -> None:
        stored = self.channel.stored()
        for number, bucket in self.given.items():
            assert stored[number][1] == bucket, "it never changes"
        self.given = {number: bucket for number, (_, bucket) in stored.items()}
        by_key: dict[int, set[int]] = {}
        for key, bucket in stored.values():
            if key is not None and bucket is not None:
                by_key.setdefault(key, set()).add(bucket)
        assert all(len(buckets) == 1 for buckets in by_key.values())
        for later in self.made:
            for earlier in self.made:
                if earlier.id < later.id and self._overlap(earlier, later):
                    assert len({self.given[earlier.id], self.given[later.id]} - {None}) <= 1

    def _overlap(self, earlier: Battle, later: Battle) -> bool:
        held = {turn.message_id for turn in later.conversation.turns}
        shown = {earlier.source_message_id, earlier.shown_message_id}
        return self.from_.get(later.id) == earlier.id or not held.isdisjoint(shown - {None})


@given(steps=STEPS)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_however_it_grows_no_bucket_changes_and_no_two_share_a_text(
    renew: Callable[[], str], key: SecretStr | None, steps: list[tuple[str, str, list[int]]]
) -> None:
    url = renew()
    async with Database.open(url) as database:
        with past(url, key) as connection:
            growth = Growth(Channel(database, Raw(connection)))
            for step in steps:
                await growth.step(*step)
                growth.check()
        connection.engine.dispose()
