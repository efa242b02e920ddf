"""How far each shard heard what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.schema import heard
from storage.transactions import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from storage.transactions import Transactions


class HeardStore:
    """Moments by shard, as Discord's clock has them. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def until(self) -> dict[int, datetime]:
        """Read when the last message was sent that each shard heard."""
        async with self._transactions.read() as connection:
            rows = await connection.execute(select(heard))
            return {row.shard_id: row.until for row in rows}

    async def note(self, until: Mapping[int, datetime]) -> None:
        """Remember it for some shards."""
        rows = [{"shard_id": shard_id, "until": at} for shard_id, at in until.items()]
        async with self._transactions.write() as connection:
            statement = upsert(connection, heard, ("shard_id", "until"), key=["shard_id"])
            await connection.execute(statement, rows)
