"""What single members were shown of a battle, besides its ballot in the channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.schema import sightings
from storage.transactions import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.transactions import Transactions


class SightingStore:
    """Private sights. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def full_text(self, battle_id: int, member_id: int, *, at: datetime) -> None:
        """Note that a member has opened the full text of an answer."""
        async with self._transactions.write() as connection:
            seen = {"battle_id": battle_id, "member_id": member_id, "full_text_at": at}
            await note(connection, seen)

    async def shown(self, battle_id: int, member_id: int, *, swapped: bool, at: datetime) -> None:
        """Note that a member got a ballot alone, and on which sides."""
        async with self._transactions.write() as connection:
            seen = {"battle_id": battle_id, "member_id": member_id}
            await note(connection, seen | {"swapped": swapped, "shown_at": at})


async def note(connection: AsyncConnection, seen: Mapping[str, object]) -> None:
    """Store what was seen; what is not named stays as it is."""
    await connection.execute(upsert(connection, sightings, seen, key=("battle_id", "member_id")))
