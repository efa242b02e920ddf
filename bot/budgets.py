"""Budgets: what contenders with a price may take in a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from bot.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime

    from bot.telemetry.instruments import Instruments
    from storage.spending import SpendingStore, Spent

log = structlog.get_logger(__name__)

MILLION = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of a million tokens that are read, and of a million that are written."""

    prompt: float
    completion: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be taken in a day, by all with a price together; None is without end."""

    tokens: int | None = None
    money: float | None = None

    def covers(self, spent: Spent) -> bool:
        """Whether there is anything left."""
        return (self.tokens is None or spent.tokens < self.tokens) and (
            self.money is None or spent.micros < self.money * MILLION
        )


class BudgetService:
    """Counts what contenders with a price take, and tells when the day's budget is used up.

    What is being answered at that moment is still answered, so a day may end a little above.
    Days are those of UTC. Every process on a database counts into the same sums.
    """

    def __init__(
        self,
        *,
        spending: SpendingStore,
        prices: Mapping[str, Price],
        budget: Budget,
        clock: Callable[[], datetime],
        instruments: Instruments,
    ) -> None:
        self._spending = spending
        self._prices = dict(prices)
        self._budget = budget
        self._clock = clock
        self._instruments = instruments
        self._told: date | None = None

    def price(self, contender: str, price: Price) -> None:
        """Count what one more contender takes from now on."""
        self._prices[contender] = price

    async def used_up(self) -> frozenset[str]:
        """Name the contenders that nothing is left for today. Raises StorageError."""
        if not self._prices or self._budget == Budget():
            return frozenset()
        day = self._today()
        if self._budget.covers(await self._spending.on(day)):
            return frozenset()
        if self._told != day:
            self._told = day
            log.warning("the day's budget is used up", contenders=sorted(self._prices))
        return frozenset(self._prices)

    async def count(self, contender: str, *, prompt_tokens: int, completion_tokens: int) -> None:
        """Count an answer, shown or not, where its contender has a price.

        Where that cannot be stored the log says so: the answer is there all the same.
        """
        price = self._prices.get(contender)
        if price is None:
            return
        # A price of a million tokens is one of millionths of the money for each.
        micros = round(prompt_tokens * price.prompt + completion_tokens * price.completion)
        self._instruments.spent(contender, micros / MILLION)
        try:
            await self._spending.add(
                self._today(),
                contender,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                micros=micros,
            )
        except StorageError:
            log.exception("what was spent could not be counted", contender=contender, micros=micros)

    def _today(self) -> date:
        return self._clock().date()
