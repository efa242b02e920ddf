"""What single members were shown of a battle, besides its ballot in the channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.records import Sighting
from storage.schema import sightings
from storage.transactions import lock_battle, upsert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.transactions import Transactions


class SightingStore:
    """Private sights. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def get(self, battle_id: int, member_id: int) -> Sighting:
        """What a member was shown; where that was nothing yet, it says so."""
        async with self._transactions.read() as connection:
            return await find(connection, battle_id, member_id)

    async def full_text(self, battle_id: int, member_id: int, *, at: datetime) -> None:
        """Note that a member has opened the full text of an answer."""
        async with self._transactions.write() as connection:
            seen = {"battle_id": battle_id, "member_id": member_id, "full_text_at": at}
            await note(connection, seen)

    async def shown(self, battle_id: int, member_id: int, *, swapped: bool, at: datetime) -> bool:
        """Note that a member got a ballot alone; returns whether its sides are swapped.

        Those of the first time stay: an earlier message with them may still be pressed.
        """
        async with self._transactions.write() as connection:
            await lock_battle(connection, battle_id)
            earlier = await find(connection, battle_id, member_id)
            sides = swapped if earlier.shown_at is None else earlier.swapped
            seen = {"battle_id": battle_id, "member_id": member_id}
            await note(connection, seen | {"swapped": sides, "shown_at": at})
        return sides


async def find(connection: AsyncConnection, battle_id: int, member_id: int) -> Sighting:
    """Find what a member was shown of a battle."""
    mine = (sightings.c.battle_id == battle_id, sightings.c.member_id == member_id)
    row = (await connection.execute(select(sightings).where(*mine))).mappings().one_or_none()
    return Sighting(**row) if row else Sighting(battle_id=battle_id, member_id=member_id)


async def note(connection: AsyncConnection, seen: Mapping[str, object]) -> None:
    """Store what was seen; what is not named stays as it is."""
    await connection.execute(
        upsert(connection, sightings, seen, key=("battle_id", "member_id")), seen
    )
