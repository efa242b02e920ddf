"""Whose weekly digest was posted: one for each channel and week."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select, update

from storage.schema import digests
from storage.transactions import insert_if_new

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy import ColumnElement

    from storage.transactions import Transactions


class DigestStore:
    """Turns of channels, by the Monday of the week. Every method raises StorageError.

    One that was taken before `lost` and got no message has none. A younger one may have been
    broken off by a sudden end, and can be taken again.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def had(self, week: date, *, lost: datetime) -> frozenset[int]:
        """Read which channels had their turn for a week."""
        over = or_(digests.c.message_id.is_not(None), digests.c.at < lost)
        statement = select(digests.c.channel_id).where(digests.c.week == week.isoformat(), over)
        async with self._transactions.read() as connection:
            return frozenset(await connection.scalars(statement))

    async def take(self, channel_id: int, week: date, *, at: datetime, lost: datetime) -> bool:
        """Take the turn of a channel; False where it was had."""
        turn = {"channel_id": channel_id, "week": week.isoformat(), "at": at}
        broken_off = select(digests.c.channel_id).where(
            *_turn(channel_id, week), digests.c.message_id.is_(None), digests.c.at >= lost
        )
        async with self._transactions.write() as connection:
            new = insert_if_new(connection, digests, turn, key=("channel_id", "week"))
            taken = await connection.scalar(new.returning(digests.c.channel_id))
            return taken is not None or await connection.scalar(broken_off) is not None

    async def sent(self, channel_id: int, week: date, *, message_id: int) -> None:
        """Note the message that the turn was used for."""
        noted = update(digests).where(*_turn(channel_id, week)).values(message_id=message_id)
        async with self._transactions.write() as connection:
            await connection.execute(noted)

    async def give_back(self, channel_id: int, week: date) -> None:
        """Have a turn taken again that came to nothing."""
        async with self._transactions.write() as connection:
            await connection.execute(delete(digests).where(*_turn(channel_id, week)))


def _turn(channel_id: int, week: date) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return digests.c.channel_id == channel_id, digests.c.week == week.isoformat()
