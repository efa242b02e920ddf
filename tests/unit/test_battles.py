"""The battle service on a real database, with scripted models."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.app import Services, open_services
from bot.battles import Ask, BattleCancelled
from bot.config import Config, ContenderConfig
from bot.errors import BattleError, BudgetUsedUp
from bot.guilds import Others
from storage.records import NOBODY, BattleState, Kind
from tests.unit.records import said, talk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.growth import Growth
    from storage.records import Battle


@asynccontextmanager
async def services(
    home: Path, base: str = "scripted:", *, price: float | None = None, **settings: object
) -> AsyncIterator[Services]:
    prices = {"price_prompt": price, "price_completion": price}
    roster = (
        ContenderConfig(slug="plain", kind=Kind.BASE, model=base),
        ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model="scripted:", **prices),
    )
    config = Config(home=home, contenders=roster, **settings)
    async with open_services(config, rng=random.Random(1)) as opened:
        yield opened


def ask(number: int = 1) -> Ask:
    return Ask(
        source_message_id=number,
        guild_id=5,
        channel_id=6,
        author_id=1,
        conversation=talk(said("hello")),
    )


class Watching:
    """An audience that notes when there is text on show."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    def waits(self, place: object) -> None: ...

    def grows(self, growth: Growth) -> None:
        growth.texts()
        self.begun.set()


async def at_work(s: Services, battle: Battle) -> asyncio.Task[Battle]:
    """The answering of a battle, from when one of its models has said something."""
    audience = Watching()
    task = asyncio.ensure_future(s.battles.answer(battle, audience))
    await audience.begun.wait()
    return task


async def test_one_message_has_one_battle(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        assert await s.battles.open(ask()) is not None
        assert await s.battles.open(ask()) is None


async def test_a_side_that_hangs_fails_the_battle_at_its_deadline(tmp_path: Path) -> None:
    async with services(tmp_path, "scripted:hang=1", deadline_seconds=0.2) as s:
        opened = await s.battles.open(ask())
        with pytest.raises(BattleError, match=r"did not answer in time\. Nothing was recorded"):
            await s.battles.answer(opened)
        assert (await s.store.battles.get(opened.id)).state is BattleState.FAILED


async def test_a_deleted_prompt_stops_the_work(tmp_path: Path) -> None:
    async with services(tmp_path, "scripted:hang=1", showing="lockstep") as s:
        opened = await s.battles.open(ask())
        answering = await at_work(s, opened)
        await s.battles.cancel(1)
        with pytest.raises(BattleCancelled):
            await answering
        assert (await s.store.battles.get(opened.id)).state is BattleState.CANCELLED


async def test_what_a_stopping_process_cannot_tell_of_is_left_to_the_next_start(
    tmp_path: Path,
) -> None:
    async with services(tmp_path, "scripted:hang=1", showing="lockstep") as s:
        opened = await s.battles.open(ask())
        answering = await at_work(s, opened)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        await s.battles.placed(1, 77)
    async with services(tmp_path) as s:
        assert [battle.shown_message_id for battle in s.battles.unfinished] == [77]


async def test_what_a_crash_left_answering_is_answered_as_it_was_asked(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        left = await s.battles.open(ask())
    async with services(tmp_path) as s:
        assert s.battles.unfinished == (left,)
        await s.battles.resume(left)
        opened = await s.battles.answer(left)
        assert opened.state is BattleState.OPEN
        assert opened.conversation == left.conversation


async def test_what_went_on_with_an_earlier_battle_goes_on_with_it(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        first = await s.battles.answer(await s.battles.open(ask()))
        more = replace(ask(2), conversation=first.conversation, parent=first)
        left = await s.battles.open(more)
    async with services(tmp_path) as s:
        await s.battles.resume(left)
        opened = await s.battles.answer(left)
        assert [a.contender for a in opened.answers] == [a.contender for a in first.answers]


async def test_what_was_deleted_since_the_start_is_not_gone_on_with(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        left = await s.battles.open(ask())
    async with services(tmp_path) as s:
        await s.battles.cancel(1)
        with pytest.raises(BattleCancelled):
            await s.battles.resume(left)
        assert (await s.store.battles.get(left.id)).state is BattleState.CANCELLED


async def test_what_a_crash_left_spends_no_more_than_a_day_allows(tmp_path: Path) -> None:
    async with services(tmp_path, price=1.0, tokens_per_day=1) as s:
        left = await s.battles.open(ask())
        await s.battles.answer(await s.battles.open(ask(2)))
    async with services(tmp_path, price=1.0, tokens_per_day=1) as s:
        with pytest.raises(BudgetUsedUp):
            await s.battles.resume(left)


async def test_a_battle_ends_in_one_way(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        opened = await s.battles.answer(await s.battles.open(ask()))
        await s.battles.abandon(opened, reason="not shown")
        await s.battles.abandon(opened, reason="not shown")
        (ended,) = s.instruments.metrics.battles.collect()
        assert sum(x.value for x in ended.samples if x.name.endswith("_total")) == 1


async def test_every_answer_tells_how_it_was_made(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        opened = await s.battles.answer(await s.battles.open(ask()))
    plain, polite = sorted(opened.answers, key=lambda a: a.contender)
    assert (plain.template, polite.template) == ("transcript", "chat")
    assert plain.fingerprint != polite.fingerprint
    for answer in opened.answers:
        assert answer.rendered
        assert answer.completion_tokens > 0
        assert answer.shown == answer.raw.strip()
    assert plain.seed != polite.seed


LOOP = "scripted:text=round%20and%20round%20we%20go%20again%20&tokens=40"


async def test_a_loop_is_drawn_again_and_shown_if_there_is_nothing_better(tmp_path: Path) -> None:
    async with services(tmp_path, LOOP) as s:
        opened = await s.battles.answer(await s.battles.open(ask()))
    (plain,) = [a for a in opened.answers if a.contender == "plain"]
    assert "loop" in plain.tags
    assert plain.retries == 2
    assert plain.shown


async def test_a_loop_that_is_on_show_is_not_drawn_again(tmp_path: Path) -> None:
    async with services(tmp_path, LOOP, showing="lockstep") as s:
        opened = await s.battles.answer(await s.battles.open(ask()), Watching())
    (plain,) = [a for a in opened.answers if a.contender == "plain"]
    assert "loop" in plain.tags
    assert plain.retries == 0


async def test_a_message_that_goes_takes_all_its_battles_along(tmp_path: Path) -> None:
    async with services(tmp_path, "scripted:hang=1", showing="lockstep") as s:
        prompt = talk(replace(said("hello"), message_id=1))
        battles = [
            await s.battles.open(replace(ask(number), conversation=prompt)) for number in (1, 2)
        ]
        answering = [await at_work(s, battle) for battle in battles]
        await asyncio.gather(s.battles.cancel(1), s.battles.cancel(1))
        ended = await asyncio.gather(*answering, return_exceptions=True)
        assert [type(error) for error in ended] == [BattleCancelled, BattleCancelled]


async def test_what_may_not_be_kept_any_more_does_not_go_on(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        prompt = talk(said("one", by=2, name="bob"), said("two"))
        battle = await s.battles.answer(await s.battles.open(replace(ask(), conversation=prompt)))
        more = replace(ask(2), conversation=battle.conversation, parent=battle)
        assert await s.battles.open(more) is not None
        await s.guilds.set(5, "others", Others.PLACEHOLDER, by=NOBODY)
        with pytest.raises(BattleError, match="may not be kept here"):
            await s.battles.open(replace(more, source_message_id=3))


async def test_what_gives_a_model_away_is_masked_but_kept_in_raw(tmp_path: Path) -> None:
    told = "scripted:text=I%20am%20Claude.%20As%20an%20AI%20language%20model%20I%20like%20tea."
    async with services(tmp_path, told) as s:
        opened = await s.battles.answer(await s.battles.open(ask()))
    (plain,) = [a for a in opened.answers if a.contender == "plain"]
    assert plain.tags == ("leak:name", "leak:assistant")
    assert "Claude" not in plain.shown
    assert "language model" not in plain.shown
    assert plain.raw.startswith("I am Claude. As an AI language model")
