"""What members know of a battle's sides, and how well they guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, exists, func, or_, select

from storage.records import BattleState, Kind, Purpose
from storage.schema import answers, battles, sightings, votes

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def is_told(connection: AsyncConnection, battle_id: int, member_id: int) -> bool:
    """Whether a member was told the sides of the battle, or of one it is continued from or in.

    All are told when a battle closes.
    """
    family = (
        select(battles.c.id, battles.c.parent_id, battles.c.state)
        .where(battles.c.id == battle_id)
        .cte(recursive=True)
    )
    family = family.union(
        select(battles.c.id, battles.c.parent_id, battles.c.state).join(
            family, or_(battles.c.parent_id == family.c.id, battles.c.id == family.c.parent_id)
        )
    )
    told_alone = exists().where(
        sightings.c.member_id == member_id,
        sightings.c.told_at.is_not(None),
        sightings.c.battle_id.in_(select(family.c.id)),
    )
    told_all = exists().where(family.c.state == BattleState.CLOSED)
    return bool(await connection.scalar(select(or_(told_alone, told_all))))


async def guesses(connection: AsyncConnection, voter_id: int) -> tuple[int, int]:
    """How often a voter named the base model, and how often a side where there was just one."""
    bases = (
        select(func.count())
        .where(answers.c.battle_id == votes.c.battle_id, answers.c.kind == Kind.BASE)
        .correlate(votes)
        .scalar_subquery()
    )
    named = answers.alias()
    right = func.sum(case((named.c.kind == Kind.BASE, 1), else_=0))
    statement = (
        select(func.coalesce(right, 0), func.count())
        .select_from(votes)
        .join(named, named.c.id == votes.c.guessed_base_answer_id)
        .join(battles, battles.c.id == votes.c.battle_id)
        .where(votes.c.voter_id == voter_id, battles.c.purpose == Purpose.LIVE, bases == 1)
    )
    found, made = (await connection.execute(statement)).one()
    return int(found), int(made)
