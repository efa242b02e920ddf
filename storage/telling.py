"""What members know of a battle's sides, and how well they guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, exists, func, or_, select

from storage.records import BattleState, Kind, Purpose
from storage.schema import answers, battles, sightings, votes

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

_KIN = (
    battles.c.id,
    battles.c.parent_id,
    battles.c.mirror_of_id,
    battles.c.state,
    battles.c.purpose,
)


def _is_told() -> ColumnElement[bool]:
    own = select(*_KIN).where(battles.c.id == bindparam("battle_id"))
    family = own.cte("family", recursive=True)
    family = family.union(
        select(*_KIN).join(
            family,
            or_(
                battles.c.id.in_((family.c.parent_id, family.c.mirror_of_id)),
                battles.c.parent_id == family.c.id,
                battles.c.mirror_of_id == family.c.id,
            ),
        )
    )
    closed = family.c.state == BattleState.CLOSED
    told_alone = exists().where(
        sightings.c.battle_id == family.c.id,
        sightings.c.member_id == bindparam("member_id"),
        or_(sightings.c.told_at.is_not(None), closed),
    )
    told_all = exists().where(closed, family.c.purpose != Purpose.MIRROR)
    return or_(told_alone, told_all)


# Made once: to put it together takes longer than to run it.
IS_TOLD = _is_told()
"""Whether `:member_id` was told the sides of `:battle_id`, or of one with the same answers.

That is one that it is continued from or in, or mirrors, or that mirrors it. All are told when
a battle closes; a mirror is told to nobody but those who got it.
"""


async def is_told(connection: AsyncConnection, battle_id: int, member_id: int) -> bool:
    """Whether a member was told the sides: `IS_TOLD` by itself."""
    whose = {"battle_id": battle_id, "member_id": member_id}
    return bool(await connection.scalar(select(IS_TOLD), whose))


def _guesses() -> Select[Any]:
    bases = (
        select(func.count())
        .where(answers.c.battle_id == votes.c.battle_id, answers.c.kind == Kind.BASE)
        .correlate(votes)
        .scalar_subquery()
    )
    named = answers.alias()
    right = func.sum(case((named.c.kind == Kind.BASE, 1), else_=0))
    return (
        select(func.coalesce(right, 0), func.count())
        .select_from(votes)
        .join(named, named.c.id == votes.c.guessed_base_answer_id)
        .join(battles, battles.c.id == votes.c.battle_id)
        .where(
            votes.c.voter_id == bindparam("member_id"),
            battles.c.purpose == Purpose.LIVE,
            bases == 1,
        )
    )


_GUESSES = _guesses()


async def guesses(connection: AsyncConnection, voter_id: int) -> tuple[int, int]:
    """How often a voter named the base model, and how often a side where there was just one."""
    found, made = (await connection.execute(_GUESSES, {"member_id": voter_id})).one()
    return int(found), int(made)
