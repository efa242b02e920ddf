"""What follows of what tuned contenders learnt from, for who writes about battles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, insert, or_, select, union, update

from storage.schema import (
    battles,
    contenders,
    exported,
    exports,
    trained_on,
    tunings,
    turns,
    unranked,
    votes,
)
from storage.transactions import in_parts

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection


async def mark_stale(
    connection: AsyncConnection, battle_ids: Collection[int], *, at: datetime
) -> tuple[str, ...]:
    """Note that somebody left whose words or votes on these battles were to be learnt from.

    Exports with rows of them, and tuned contenders that learnt from one of them, are stale from
    then on. Returns the slugs of all such contenders, those too that were marked before.
    """
    found: set[int] = set()
    for ids in in_parts(battle_ids):
        written = select(exported.c.export_id).where(exported.c.battle_id.in_(ids))
        has_some = exports.c.id.in_(written) & exports.c.stale_since.is_(None)
        await connection.execute(update(exports).where(has_some).values(stale_since=at))
        learnt = select(trained_on.c.contender_id).where(trained_on.c.battle_id.in_(ids))
        found.update(await connection.scalars(learnt.distinct()))
    if not found:
        return ()
    fresh = tunings.c.contender_id.in_(found) & tunings.c.stale_since.is_(None)
    await connection.execute(update(tunings).where(fresh).values(stale_since=at))
    named = select(contenders.c.slug).where(contenders.c.id.in_(found))
    return tuple(await connection.scalars(named.order_by(contenders.c.slug)))


async def leave_unranked(
    connection: AsyncConnection, contender_ids: Collection[int], *conditions: ColumnElement[bool]
) -> int:
    """Note which battles under these conditions rank nobody; returns how many.

    Those of which one of the contenders learnt from the very battle, or from one whose prompt
    says the same. It is noted while that is known: a prompt's hash goes with the prompt.
    """
    theirs = trained_on.c.contender_id.in_(contender_ids)
    alike = battles.alias("alike")
    same_prompt = (
        exists()
        .where(theirs, trained_on.c.battle_id == alike.c.id)
        .where(alike.c.prompt_key == battles.c.prompt_key)
    )
    same_battle = exists().where(theirs, trained_on.c.battle_id == battles.c.id)
    known = exists().where(unranked.c.battle_id == battles.c.id)
    found = select(battles.c.id).where(*conditions, or_(same_battle, same_prompt), ~known)
    done = await connection.execute(insert(unranked).from_select(["battle_id"], found))
    return done.rowcount


async def battles_of(
    connection: AsyncConnection, member_id: int, *where: ColumnElement[bool]
) -> set[int]:
    """The battles under these conditions that have words or a vote of a member."""
    theirs = union(
        select(turns.c.battle_id).where(turns.c.author_id == member_id),
        select(votes.c.battle_id).where(votes.c.voter_id == member_id),
    ).subquery()
    statement = select(theirs.c.battle_id)
    if where:
        statement = statement.join(battles, battles.c.id == theirs.c.battle_id).where(*where)
    return set(await connection.scalars(statement))
