"""What contenders with a price may take in a day."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from bot.app import open_services
from bot.battles import Ask
from bot.budgets import Budget, BudgetService, Price
from bot.config import Config, ContenderConfig
from bot.engines.scripted import ScriptedEngine
from bot.errors import BattleError
from bot.telemetry.instruments import Instruments
from storage.database import Database, database_url
from storage.records import Kind
from tests.unit.records import Clock, said, talk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.engines import Chunk, CompletionRequest
    from storage.spending import SpendingStore

PRICES = {"dear": Price(prompt=2.0, completion=10.0)}
TABLE = {"slug": "b", "kind": "base", "model": "scripted:"}
BASE = ContenderConfig(
    slug="dear", kind=Kind.BASE, model="scripted:dear", price_prompt=1.0, price_completion=1.0
)
WORDS, MANY = "one two three.", 10**6
DEAR = {"slug": "i", "kind": "instruct", "model": "openai:x", "base_url": "http://localhost/v1"}


@asynccontextmanager
async def counting(folder: Path, clock: Clock, **budget: float) -> AsyncIterator[BudgetService]:
    async with Database.open(database_url(folder / "twofold.db")) as store:
        yield BudgetService(
            spending=store.spending,
            prices=PRICES,
            budget=Budget(**budget),
            clock=clock,
            instruments=Instruments(),
        )


async def test_a_day_ends_when_its_tokens_are_used_up_and_another_begins(tmp_path: Path) -> None:
    clock = Clock()
    async with counting(tmp_path, clock, tokens=100) as budgets:
        await budgets.count("dear", prompt_tokens=60, completion_tokens=39)
        assert await budgets.used_up() == frozenset()
        await budgets.count("dear", prompt_tokens=1, completion_tokens=0)
        assert await budgets.used_up() == {"dear"}
        clock.now += timedelta(days=1)
        assert await budgets.used_up() == frozenset()


async def test_money_is_counted_by_what_is_read_and_what_is_written(tmp_path: Path) -> None:
    async with counting(tmp_path, Clock(), money=0.001) as budgets:
        await budgets.count("dear", prompt_tokens=100, completion_tokens=79)  # 990 millionths
        assert await budgets.used_up() == frozenset()
        await budgets.count("dear", prompt_tokens=0, completion_tokens=1)
        assert await budgets.used_up() == {"dear"}


async def test_what_costs_nothing_is_not_counted(tmp_path: Path) -> None:
    async with counting(tmp_path, Clock(), tokens=1) as budgets:
        await budgets.count("local", prompt_tokens=10**6, completion_tokens=10**6)
        assert await budgets.used_up() == frozenset()


async def test_a_restart_and_a_second_process_know_what_is_spent(tmp_path: Path) -> None:
    clock = Clock()
    async with (
        counting(tmp_path, clock, tokens=10) as one,
        counting(tmp_path, clock, tokens=10) as other,
    ):
        await one.count("dear", prompt_tokens=9, completion_tokens=1)
        assert await other.used_up() == {"dear"}
    async with counting(tmp_path, clock, tokens=10) as later:
        assert await later.used_up() == {"dear"}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({}, "no contender has a price"),
        ({"price_prompt": 1.0}, "both price_prompt and price_completion"),
        ({"price_prompt": -1.0, "price_completion": 1.0}, "greater than or equal to 0"),
    ],
)
def test_a_budget_needs_prices(more: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Config(tokens_per_day=5, contenders=[TABLE, DEAR | more])


class Provider(ScriptedEngine):
    """A far server that tells no counts; `heard` is set once it said something."""

    def __init__(self, options: str) -> None:
        super().__init__(options)
        self.heard = asyncio.Event()

    async def stream(self, request: CompletionRequest) -> AsyncIterator[Chunk]:
        async for chunk in super().stream(request):
            yield replace(chunk, prompt_tokens=0)
            self.heard.set()


@asynccontextmanager
async def answering(
    home: Path, script: str, **settings: float
) -> AsyncIterator[tuple[asyncio.Task[object], Provider, SpendingStore]]:
    """A battle that is being answered, by a contender with a price and by another one."""
    polite = ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model="scripted:")
    config = Config(home=home, contenders=(BASE, polite), tokens_per_day=MANY, **settings)
    dear = Provider(script)
    engines = {BASE.engine: dear, polite.engine: ScriptedEngine()}
    ask = Ask(
        source_message_id=1,
        guild_id=5,
        channel_id=6,
        author_id=1,
        conversation=talk(said("hello " * 100)),
    )
    async with open_services(
        config, engines=engines, rng=random.Random(1), clock=Clock()
    ) as services:
        task = asyncio.ensure_future(services.battles.answer(await services.battles.open(ask)))
        yield task, dear, services.store.spending


async def test_a_prompt_that_the_server_does_not_count_is_estimated(tmp_path: Path) -> None:
    async with answering(tmp_path, f"text={WORDS}") as (task, _, spending):
        await task
        assert (await spending.on(Clock().now.date())).tokens > 200


@pytest.mark.parametrize("why", ["cancelled", "no time left"])
async def test_what_is_given_up_is_paid_too(tmp_path: Path, why: str) -> None:
    settings = {"deadline_seconds": 0.3} if why == "no time left" else {}
    async with answering(tmp_path, "text=go&tokens=900&delay=0.01", **settings) as made:
        task, dear, spending = made
        await dear.heard.wait()
        if why == "cancelled":
            task.cancel()
        with pytest.raises((BattleError, asyncio.CancelledError)):
            await task
        assert (await spending.on(Clock().now.date())).tokens > 200


async def test_an_answer_that_cannot_be_counted_is_there_all_the_same(
    tmp_path: Path,
) -> None:
    with capture_logs() as lines:
        async with answering(tmp_path, f"text={WORDS}&delay=0.01") as (task, dear, _):
            await dear.heard.wait()
            with closing(sqlite3.connect(tmp_path / "twofold.db")) as file:
                file.execute("DROP TABLE spending")
            await task
    assert [line["event"] for line in lines] == ["what was spent could not be counted"]
