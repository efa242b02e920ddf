"""Moving all that a database holds into another one, of whatever kind, and comparing the two."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import func, insert, select, text

from storage.database import Database
from storage.errors import StorageError
from storage.schema import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pydantic import SecretStr
    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

AT_ONCE = 1_000
"""Rows that are held in memory at a time."""

_BITS = 256


@dataclass(frozen=True, slots=True)
class Moved:
    """A table that both databases have now: how many rows, and a hash of what they say.

    It is the sum of the rows' BLAKE2 hashes, in whatever order they come, each of the row's
    values as JSON: so it is the same on every database.
    """

    table: str
    rows: int
    digest: str


async def move(
    source: str,
    target: str,
    *,
    keys: tuple[SecretStr | None, SecretStr | None] = (None, None),
    advance: Callable[[int, int], object] = lambda _, __: None,
) -> tuple[Moved, ...]:
    """Copy every table of the database at one URL into that at another, all or nothing.

    The source is brought up to date first and not changed otherwise; the target must have no
    rows, and what is read back of it is compared with the source before it is committed. `keys`
    are those of the two, where they are encrypted files. `advance` hears how many rows are done,
    and of how many: each is done twice. Raises StorageError, and leaves no row, where the target
    has some, or something is not the same.
    """
    key, new_key = keys
    async with Database.open(source, key=key) as old, Database.open(target, key=new_key) as new:
        if old.place == new.place:
            raise StorageError(f"Source and target are both {old.place}. Name two databases.")
        reading, writing = old._transactions, new._transactions  # noqa: SLF001 - its own package
        async with reading.read() as before, writing.write(alone=True) as after:
            await _require_empty(after, new.place)
            progress = _Progress(2 * await _count(before), advance)
            found = [await _copy(table, before, after, progress) for table in _TABLES]
            await _count_on(before, after)
            if after.dialect.name != "sqlite":
                await after.exec_driver_sql("ANALYZE")  # it plans by what it knows of the tables
            for moved, table in zip(found, _TABLES, strict=True):
                if moved != await _look(table, after, progress):
                    raise StorageError(
                        f"{new.place} gives the table {table.name} back otherwise than "
                        f"{old.place} has it, so nothing was moved. Please report this."
                    )
    return tuple(found)


_TABLES = metadata.sorted_tables
"""None refers to a later one, and no row to a later one of its own table."""


class _Progress:
    def __init__(self, total: int, advance: Callable[[int, int], object]) -> None:
        self._done, self._total, self._advance = 0, total, advance

    def add(self, rows: int) -> None:
        self._done += rows
        self._advance(self._done, self._total)


class _Digest:
    def __init__(self, table: Table) -> None:
        self._table, self._rows, self._sum = table, 0, 0

    def add(self, row: Mapping[str, Any]) -> None:
        said = orjson.dumps(list(row.values()), option=orjson.OPT_SORT_KEYS)
        self._rows += 1
        self._sum += int.from_bytes(blake2b(said, digest_size=_BITS // 8).digest(), "big")

    def result(self) -> Moved:
        return Moved(self._table.name, self._rows, f"{self._sum % 2**_BITS:064x}")


async def _copy(
    table: Table, before: AsyncConnection, after: AsyncConnection, progress: _Progress
) -> Moved:
    digest, inserting = _Digest(table), insert(table)
    async for rows in _parts(table, before):
        for row in rows:
            digest.add(row)
        await after.execute(inserting, rows)
        progress.add(len(rows))
    return digest.result()


async def _look(table: Table, connection: AsyncConnection, progress: _Progress) -> Moved:
    digest = _Digest(table)
    async for rows in _parts(table, connection):
        for row in rows:
            digest.add(row)
        progress.add(len(rows))
    return digest.result()


async def _parts(table: Table, connection: AsyncConnection) -> AsyncIterator[list[dict[str, Any]]]:
    rows = await connection.stream(select(table).order_by(*table.primary_key))
    async for part in rows.mappings().partitions(AT_ONCE):
        yield [dict(row) for row in part]


async def _count(connection: AsyncConnection) -> int:
    counts = [await connection.scalar(select(func.count()).select_from(one)) for one in _TABLES]
    return sum(count or 0 for count in counts)


async def _require_empty(connection: AsyncConnection, place: str) -> None:
    for table in _TABLES:
        if await connection.scalar(select(1).select_from(table).limit(1)):
            raise StorageError(
                f"The database {place} has rows already, in {table.name} for one. Move into an "
                "empty one."
            )


async def _count_on(before: AsyncConnection, after: AsyncConnection) -> None:
    """Have the ids go on where they were: those of erased rows are never given again."""
    for table in _TABLES:
        column = table.autoincrement_column
        if column is None:
            continue
        given = max(
            await before.scalar(select(func.coalesce(func.max(column), 0))) or 0,
            await _given(before, table),
        )
        if given:
            await _give_from(after, table, given)


async def _given(connection: AsyncConnection, table: Table) -> int:
    """The last id that a table gave, 0 where it does not remember."""
    last = "SELECT seq FROM sqlite_sequence WHERE name = :name"
    if connection.dialect.name != "sqlite":
        last = "SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'id')::regclass)"
    return int(await connection.scalar(text(last), {"name": table.name}) or 0)


async def _give_from(connection: AsyncConnection, table: Table, given: int) -> None:
    values = {"name": table.name, "given": given}
    if connection.dialect.name != "sqlite":
        sequence = func.pg_get_serial_sequence(table.name, "id")
        await connection.execute(select(func.setval(sequence, given)))
    elif table.dialect_options["sqlite"]["autoincrement"]:
        await connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        await connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :given)"), values)
