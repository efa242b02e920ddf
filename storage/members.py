"""What members allowed to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.records import Consent
from storage.schema import members
from storage.transactions import upsert

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from storage.transactions import Transactions

EVERYWHERE = 0
"""The guild id of a consent that is given for no guild in particular."""


class MemberStore:
    """Consent by member and guild. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def consent(self, member_id: int, guild_id: int = EVERYWHERE) -> Consent:
        """Read what the member said for exactly this guild; `none` where nothing was said."""
        statement = select(members.c.consent).where(
            members.c.member_id == member_id, members.c.guild_id == guild_id
        )
        async with self._transactions.read() as connection:
            return Consent(await connection.scalar(statement) or Consent.NONE)

    async def agreed(self, member_ids: Collection[int], guild_id: int) -> frozenset[int]:
        """Which of these members allowed anything to be kept.

        What was said for exactly this guild counts before what was said for everywhere.
        """
        statement = (
            select(members.c.member_id, members.c.consent)
            .where(members.c.member_id.in_(member_ids))
            .where(members.c.guild_id.in_({guild_id, EVERYWHERE}))
            .order_by(members.c.guild_id != EVERYWHERE)
        )
        async with self._transactions.read() as connection:
            said = {row.member_id: row.consent for row in await connection.execute(statement)}
        return frozenset(member for member, word in said.items() if word != Consent.NONE)

    async def set_consent(
        self,
        member_id: int,
        consent: Consent,
        *,
        at: datetime,
        version: int,
        guild_id: int = EVERYWHERE,
    ) -> None:
        """Store the member's word; `version` is that of the text they agreed to."""
        values = {
            "member_id": member_id,
            "guild_id": guild_id,
            "consent": consent,
            "consent_version": version,
            "updated_at": at,
        }
        async with self._transactions.write() as connection:
            await connection.execute(
                upsert(connection, members, values, key=["member_id", "guild_id"])
            )
