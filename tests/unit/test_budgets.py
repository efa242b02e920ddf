"""What contenders with a price may take in a day."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from bot.budgets import Budget, BudgetService, Price
from bot.config import Config
from storage.database import Database, database_url
from tests.unit.records import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PRICES = {"dear": Price(prompt=2.0, completion=10.0)}
TABLE = {"slug": "b", "kind": "base", "model": "scripted:"}
DEAR = {"slug": "i", "kind": "instruct", "model": "openai:x", "base_url": "http://localhost/v1"}


@asynccontextmanager
async def counting(folder: Path, clock: Clock, **budget: float) -> AsyncIterator[BudgetService]:
    async with Database.open(database_url(folder / "twofold.db")) as store:
        yield BudgetService(
            spending=store.spending, prices=PRICES, budget=Budget(**budget), clock=clock
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
