"""Which datasets were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from storage.records import Export
from storage.schema import exports

if TYPE_CHECKING:
    from collections.abc import Mapping
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
        manifest: Mapping[str, object],
        sha256: str,
        at: datetime,
    ) -> int:
        """Remember an export and return its id; `sha256` is that of its data, in hex."""
        statement = (
            insert(exports)
            .values(created_at=at, format=format, manifest=dict(manifest), sha256=sha256)
            .returning(exports.c.id)
        )
        async with self._transactions.write() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def all(self) -> tuple[Export, ...]:
        """Every export, oldest first."""
        async with self._transactions.read() as connection:
            rows = (await connection.execute(select(exports).order_by(exports.c.id))).mappings()
            return tuple(Export(**row) for row in rows)
