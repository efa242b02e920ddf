"""Columns as exports and figures read them: plain values, and lists that the database writes.

A database writes the votes of a battle as a list in JSON in a fraction of the time that
handing each of them over would take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Text, cast, func, type_coerce

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """A word as the table has it, not made into an enum."""
    return type_coerce(column, Text)


def number(column: ColumnElement[Any]) -> ColumnElement[int]:
    """A condition as 1 or 0, which both databases put into lists alike."""
    return cast(column, Integer)


def day(column: ColumnElement[Any]) -> ColumnElement[str]:
    """The day of a moment, as `2026-11-01`."""
    return func.substr(cast(column, Text), 1, 10)


def all_of(dialect: str, values: ColumnElement[Any]) -> ColumnElement[str]:
    """The values of all rows as one list in JSON."""
    if dialect == "sqlite":
        return func.json_group_array(values, type_=Text)
    return cast(func.coalesce(func.json_agg(values), func.json_build_array()), Text)


def array(dialect: str, *values: ColumnElement[Any]) -> ColumnElement[Any]:
    """The values of one row as a list in JSON."""
    return func.json_array(*values) if dialect == "sqlite" else func.json_build_array(*values)
