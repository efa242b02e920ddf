"""Consent and retention as services, on a real database."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot import sequels
from bot.app import open_services
from bot.config import Config, ContenderConfig
from bot.errors import ConsentError
from bot.retention import EVERY, Swept
from storage.members import EVERYWHERE
from storage.records import NOBODY, Closing, Consent, Kind, Purpose, Side, Wiped
from tests.unit.records import NOON, answer, said, talk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

    from bot.app import Services
    from storage.records import Battle

NONE, EVALUATE, TRAIN, PUBLISH = Consent
HERE, ELSEWHERE = 7, 8
ALICE, BOB = 1, 2
ANSWERS = [
    replace(answer(side, id=0, kind=kind), contender=kind.value)
    for side, kind in zip(Side, (Kind.BASE, Kind.INSTRUCT), strict=True)
]


class Time:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class House:
    """Services with a time of their own."""

    services: Services
    time: Time

    def later(self, **by: float) -> None:
        self.time.now += timedelta(**by)

    async def set(self, key: str, value: object, guild_id: int = HERE) -> None:
        await self.services.guilds.set(guild_id, key, value, by=NOBODY)

    async def closed(self, *, guild_id: int | None = HERE, message_id: int = 1) -> Battle:
        """A battle by Alice that nobody voted on."""
        store = self.services.store.battles
        battle = await store.create(
            source_message_id=message_id,
            guild_id=guild_id,
            channel_id=8,
            author_id=ALICE,
            conversation=talk(said("a secret", by=ALICE)),
            purpose=Purpose.LIVE,
            at=self.time.now,
        )
        await store.open(battle.id, ANSWERS, at=self.time.now)
        await store.close(battle.id, because=Closing.TIME, at=self.time.now)
        return battle

    async def wiped(self, battle: Battle) -> Wiped | None:
        return (await self.services.store.battles.get(battle.id)).wiped_because


@asynccontextmanager
async def house(home: Path, **settings: object) -> AsyncIterator[House]:
    contenders = [
        ContenderConfig(slug=kind.value, kind=kind, model="scripted:")
        for kind in (Kind.BASE, Kind.INSTRUCT)
    ]
    config = Config(home=home, contenders=contenders, **settings)
    time = Time()
    async with open_services(config, clock=time) as services:
        yield House(services=services, time=time)


@pytest.mark.parametrize(
    ("words", "cap", "counts"),
    [
        ({}, PUBLISH, NONE),
        ({HERE: TRAIN}, PUBLISH, TRAIN),
        ({EVERYWHERE: TRAIN}, PUBLISH, TRAIN),
        ({HERE: NONE, EVERYWHERE: TRAIN}, PUBLISH, NONE),
        ({EVERYWHERE: NONE, HERE: PUBLISH}, TRAIN, TRAIN),
        ({HERE: TRAIN, EVERYWHERE: NONE}, PUBLISH, NONE),
        ({ELSEWHERE: PUBLISH}, PUBLISH, NONE),
        ({HERE: PUBLISH}, NONE, NONE),
        ({HERE: EVALUATE}, TRAIN, EVALUATE),
    ],
)
async def test_what_was_said_here_counts_before_everywhere_up_to_the_cap(
    tmp_path: Path, words: dict[int, Consent], cap: Consent, counts: Consent
) -> None:
    async with house(tmp_path) as h:
        await h.set("consent_cap", cap.value)
        for place, word in words.items():
            await h.services.consent.give(ALICE, place, word, version=1)
        position = await h.services.consent.position(ALICE, HERE)
        assert position.consent is counts
        agreed = await h.services.consent.agreed({ALICE, BOB}, HERE)
        assert agreed == ({ALICE} if counts is not NONE else set())


async def test_a_consent_remembers_which_text_it_was_given_to(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        consent = h.services.consent
        assert sorted(consent.texts) == list(range(1, consent.latest + 1))
        await consent.give(ALICE, HERE, TRAIN, version=1)
        consent.latest += 1
        with pytest.raises(ConsentError, match="/privacy"):
            await consent.give(ALICE, HERE, PUBLISH, version=consent.latest)
        word = (await consent.position(ALICE, HERE)).here
        assert (word.consent, word.version, word.at) == (TRAIN, 1, NOON)
        assert "{hours}" in consent.texts[word.version].text


async def test_nobody_is_asked_where_nothing_may_be_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.set("consent_cap", "none")
        consent = h.services.consent
        assert await consent.asked(ALICE, HERE)
        assert not await consent.asked(ALICE, ELSEWHERE)
        assert await consent.asks(ALICE, ELSEWHERE)
        assert await consent.asked(ALICE, ELSEWHERE)
        await h.set("consent_cap", "train")
        assert not await consent.asked(ALICE, HERE), "not being asked is not an answer"


@pytest.mark.parametrize(("operators", "servers", "hours"), [(24, None, 24), (24, 6, 6), (5, 6, 5)])
async def test_the_shorter_window_holds(
    tmp_path: Path, operators: int, servers: int | None, hours: int
) -> None:
    async with house(tmp_path, retention_hours=operators) as h:
        retention = h.services.retention
        settings = await h.services.guilds.settings(HERE)
        assert retention.hours(settings.model_copy(update={"retention_hours": servers})) == hours


async def test_each_server_is_swept_by_its_own_rules(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.set("retention_hours", 6, HERE)
        await h.set("consent_cap", "none", ELSEWHERE)
        for place, word in ((EVERYWHERE, TRAIN), (HERE, NONE), (ELSEWHERE, TRAIN)):
            await h.services.consent.give(ALICE, place, word, version=1)
        battles = {
            place: await h.closed(guild_id=place, message_id=number)
            for number, place in enumerate((HERE, ELSEWHERE, 9, None), start=1)
        }
        h.later(hours=7)
        assert await h.services.retention.sweep() == Swept(battles=1)
        assert await h.wiped(battles[HERE]) is Wiped.RETENTION
        h.later(hours=18)
        assert await h.services.retention.sweep() == Swept(battles=1)
        assert await h.wiped(battles[ELSEWHERE]) is Wiped.RETENTION
        assert await h.wiped(battles[9]) is None
        assert await h.wiped(battles[None]) is None


async def test_a_round_is_done_some_times_in_an_hour(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        battle = await h.closed()
        h.later(hours=24)
        assert await h.services.retention.sweep() == Swept()
        h.later(seconds=EVERY.total_seconds() / 2)
        assert await h.services.retention.sweep() == Swept(), "too soon"
        h.later(seconds=EVERY.total_seconds() / 2)
        assert await h.services.retention.sweep() == Swept(battles=1)
        assert await h.wiped(battle) is Wiped.RETENTION


async def test_more_than_one_batch_is_wiped_in_a_round(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        for number in range(120):
            await h.closed(message_id=number + 1)
        h.later(hours=25)
        assert await h.services.retention.sweep() == Swept(battles=120)


async def test_a_round_overwrites_what_was_wiped_as_soon_as_nobody_reads(tmp_path: Path) -> None:
    def left() -> int:
        return sum(path.read_bytes().count(b"a secret") for path in tmp_path.glob("*.db*"))

    async with house(tmp_path) as h:
        await h.closed()
        h.later(hours=25)
        assert left()
        with closing(sqlite3.connect(h.services.config.database_location)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM battles").fetchall() == [(1,)]
            assert await h.services.retention.sweep() == Swept(battles=1)
            assert left()
        assert await h.services.retention.sweep() == Swept()
        assert not left()
        await h.closed(message_id=2)
        await h.services.retention.deleted({2})
        assert not left()


async def test_a_prompt_that_is_asked_again_and_again_is_kept_no_longer(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        store, battle = h.services.store.battles, await h.closed()
        for number in (2, 3):
            h.later(hours=10)
            asked = sequels.again(await store.get(battle.id), by=ALICE, source_message_id=number)
            battle = await h.services.battles.open(asked)
            await store.open(battle.id, ANSWERS, at=h.time())
        assert await h.services.retention.due() == ()
        h.later(hours=5)
        assert await h.services.retention.due() == (2, 3)


async def test_a_message_that_goes_while_it_is_read_is_found_in_the_next_round(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as h:
        assert await h.services.retention.deleted({1}) == ()
        battle = await h.closed(message_id=1)
        await h.services.retention.sweep()
        assert await h.wiped(battle) is Wiped.DELETED
