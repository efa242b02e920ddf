"""All that is stored about one person, found by what the schema says of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, func, null, select, union_all

from storage.members import EVERYWHERE
from storage.records import NOBODY, BattleState, Purpose
from storage.rows import conversation_from_json
from storage.schema import RowId, UtcDateTime, battles, metadata, turns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, RowMapping, Select

    from storage.transactions import Transactions

ANYWHERE = -1
"""Instead of a guild's id: in every guild and in direct messages."""

_OTHERS_WORDS = {"conversation"}
_TELLING = {"purpose", "mirror_of_id", "texts_since", "votes_before"}
_UNENDED = select(battles.c.id).where(
    battles.c.state.in_((BattleState.ANSWERING, BattleState.OPEN))
)


def personal_columns() -> Iterator[Column[int]]:
    """Every column that holds a person's id, of tables that others refer to last."""
    for table in reversed(metadata.sorted_tables):
        yield from (column for column in table.columns if "erasing" in column.info)


class PeopleStore:
    """Reads about one person. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def since(self) -> dict[int, datetime]:
        """Everybody who has a row anywhere, with the time of the oldest one."""
        rows = union_all(*map(_told_when, personal_columns())).subquery()
        person, at = rows.columns
        statement = select(person, func.min(at)).where(person != NOBODY).group_by(person)
        async with self._transactions.read() as connection:
            found = await connection.execute(statement)
        return {row[0]: row[1] for row in found}

    async def counts(self, member_id: int, guild_id: int = ANYWHERE) -> dict[str, int]:
        """How many rows each table has of a person, in one guild; 0 is direct messages.

        A mirror is a copy and counts as one with its original.
        """
        async with self._transactions.read() as connection:
            return {
                column.table.name: await connection.scalar(
                    select(_number(column)).where(
                        column == member_id, *_counted(column), *_in(column, guild_id)
                    )
                )
                or 0
                for column in personal_columns()
            }

    async def everything(self, member_id: int) -> dict[str, list[dict[str, Any]]]:
        """All rows of a person by table, as JSON has them: ids as text, times as ISO 8601.

        Of conversations it has the person's own words alone, and of battles that are open
        nothing that makes one of them look different from the others.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        async with self._transactions.read() as connection:
            unended = set(await connection.scalars(_UNENDED))
            for column in personal_columns():
                if column.table is turns:
                    continue
                statement = select(column.table).where(column == member_id)
                rows = (await connection.execute(statement)).mappings()
                found[column.table.name] = [_plain(row, column, unended) for row in rows]
            held = select(turns.c.battle_id).where(turns.c.author_id == member_id)
            said = select(battles.c.id, battles.c.conversation).where(battles.c.id.in_(held))
            found[turns.name] = [
                {
                    "battle_id": number,
                    "message_id": turn.message_id and str(turn.message_id),
                    "name": turn.name,
                    "text": turn.text,
                }
                for number, conversation in await connection.execute(said.order_by(battles.c.id))
                for turn in conversation_from_json(conversation).turns
                if turn.author_id == member_id and not turn.is_bot
            ]
        return found


def _told_when(column: Column[int]) -> Select[int, datetime]:
    """Whose each row is, and the first of its times, which a battle has for its turns."""
    table = column.table
    told_by = battles if table is turns else table
    times = [c for c in told_by.columns if isinstance(c.type, UtcDateTime)]
    found = select(column, func.coalesce(*times, null()))
    return found.join(battles, battles.c.id == turns.c.battle_id) if table is turns else found


def _number(column: Column[int]) -> ColumnElement[int]:
    if column.table is battles:
        return func.count(func.coalesce(battles.c.mirror_of_id, battles.c.id).distinct())
    return func.count()


def _counted(column: Column[int]) -> list[ColumnElement[bool]]:
    if column.table is not turns:
        return []
    mirrors = select(battles.c.id).where(battles.c.purpose == Purpose.MIRROR)
    return [turns.c.battle_id.not_in(mirrors)]


def _in(column: Column[int], guild_id: int) -> list[ColumnElement[bool]]:
    if guild_id == ANYWHERE:
        return []
    columns = column.table.columns
    if "guild_id" in columns:
        return [func.coalesce(columns.guild_id, EVERYWHERE) == guild_id]
    there = select(battles.c.id).where(func.coalesce(battles.c.guild_id, EVERYWHERE) == guild_id)
    return [columns.battle_id.in_(there)]


def _plain(row: RowMapping, person: Column[int], unended: Collection[int]) -> dict[str, Any]:
    """The row without whose it is, which is the same in all of them."""
    battle_id = row["id"] if person.table is battles else row.get("battle_id")
    left_out = _OTHERS_WORDS | (_TELLING if battle_id in unended else set())
    return {
        column.name: _value(row[column.name], column)
        for column in person.table.columns
        if column is not person and column.name not in left_out
    }


def _value(value: Any, column: Column[Any]) -> Any:  # noqa: ANN401 - what JSON can hold
    if hasattr(value, "isoformat"):
        return value.isoformat()
    is_discords = isinstance(column.type, BigInteger) and column.type is not RowId
    return str(value) if value is not None and is_discords else value
