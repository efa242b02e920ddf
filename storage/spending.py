"""What contenders behind paid servers cost, by the day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select, update

from storage.schema import spending
from storage.transactions import insert_if_new

if TYPE_CHECKING:
    from datetime import date

    from storage.transactions import Transactions


class Spent(NamedTuple):
    """Tokens, read and written, and millionths of the currency that prices are told in."""

    tokens: int
    micros: int


class SpendingStore:
    """Sums by day (in UTC) and contender. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def add(
        self,
        day: date,
        contender: str,
        *,
        prompt_tokens: int,
        completion_tokens: int,
        micros: int,
    ) -> None:
        """Add what an answer took."""
        key = {"day": day.isoformat(), "contender": contender}
        taken = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "micros": micros,
        }
        nothing = key | dict.fromkeys(taken, 0)
        added = (
            update(spending)
            .where(*(spending.c[name] == value for name, value in key.items()))
            .values({name: spending.c[name] + more for name, more in taken.items()})
        )
        async with self._transactions.write(brief=True) as connection:
            await connection.execute(insert_if_new(connection, spending, nothing, key=tuple(key)))
            await connection.execute(added)

    async def on(self, day: date) -> Spent:
        """Sum up what all of them took on a day."""
        tokens = spending.c.prompt_tokens + spending.c.completion_tokens
        sums = select(
            func.coalesce(func.sum(tokens), 0), func.coalesce(func.sum(spending.c.micros), 0)
        ).where(spending.c.day == day.isoformat())
        async with self._transactions.read(brief=True) as connection:
            row = (await connection.execute(sums)).one()
        return Spent(int(row[0]), int(row[1]))
