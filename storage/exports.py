"""Which datasets were written, and of which battles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from storage.records import Consent, Export
from storage.schema import exported, exports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from storage.transactions import Transactions


class ExportStore:
    """The record of exports. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def record(
        self,
        *,
        format: str,  # noqa: A002  # the word of the table and of the command line
        purpose: Consent,
        manifest: Mapping[str, object],
        sha256: str,
        battle_ids: Sequence[int],
        at: datetime,
    ) -> int:
        """Remember an export and the battles it has rows of; return its id.

        `sha256` is that of its data, in hex.
        """
        values = {"format": format, "purpose": purpose, "sha256": sha256, "created_at": at}
        statement = insert(exports).values(**values, manifest=dict(manifest))
        async with self._transactions.write() as connection:
            number = (await connection.execute(statement.returning(exports.c.id))).scalar_one()
            rows = [{"export_id": number, "battle_id": battle_id} for battle_id in battle_ids]
            if rows:
                await connection.execute(insert(exported), rows)
            return int(number)

    async def all(self) -> tuple[Export, ...]:
        """Every export, oldest first."""
        async with self._transactions.read() as connection:
            rows = (await connection.execute(select(exports).order_by(exports.c.id))).mappings()
            return tuple(
                Export(**{**row, "purpose": row["purpose"] and Consent(row["purpose"])})
                for row in rows
            )
