"""The contenders that ever were on the roster; answers refer to them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.rows import contender_of
from storage.schema import contenders as contender_rows
from storage.transactions import take_turn, upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Contender
    from storage.transactions import Transactions


_REGISTERING = 2
"""The turn of who registers: two at once would wait for each other."""


class ContenderStore:
    """Contenders by slug. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def register(self, contenders: Sequence[Contender], *, at: datetime) -> None:
        """Store the roster, all or nothing; a known slug gets its new description."""
        async with self._transactions.write() as connection:
            await take_turn_to_register(connection)
            for contender in contenders:
                values = asdict(contender) | {"updated_at": at}
                await connection.execute(
                    upsert(connection, contender_rows, values, key=["slug"]), values
                )

    async def all(self) -> tuple[Contender, ...]:
        """Every contender that was ever registered, by slug."""
        statement = select(contender_rows).order_by(contender_rows.c.slug)
        async with self._transactions.read() as connection:
            return tuple(map(contender_of, (await connection.execute(statement)).mappings()))


async def take_turn_to_register(connection: AsyncConnection) -> None:
    """Go on as the only transaction that registers contenders."""
    await take_turn(connection, _REGISTERING)
