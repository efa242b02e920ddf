"""How much there is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, func, select, union, union_all

from storage.members import ASKED, EVERYWHERE
from storage.records import Consent
from storage.schema import battles, members, turns, votes

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from storage.records import Said
    from storage.transactions import Transactions


class CensusStore:
    """Counts, without what was simulated. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def battles(self, guild_id: int) -> int:
        """Count its battles, whatever became of them."""
        mine = (battles.c.guild_id == guild_id, ~battles.c.simulated)
        statement = select(func.count()).where(*mine)
        async with self._transactions.read() as connection:
            return int(await connection.scalar(statement) or 0)

    async def voted(self, guild_ids: Collection[int] = (), *, simulated: bool = False) -> int:
        """Count the battles that have votes, in these guilds or everywhere; or simulated ones."""
        has_vote = exists().where(votes.c.battle_id == battles.c.id)
        kind = battles.c.simulated if simulated else ~battles.c.simulated
        statement = select(func.count()).select_from(battles).where(has_vote, kind)
        if guild_ids:
            statement = statement.where(battles.c.guild_id.in_(guild_ids))
        async with self._transactions.read() as connection:
            return int(await connection.scalar(statement) or 0)

    async def since(self, begin: datetime) -> tuple[int, int]:
        """Count the battles and the votes that came in since then."""
        begun = select(func.count()).where(battles.c.created_at >= begin, ~battles.c.simulated)
        cast = (
            select(func.count())
            .select_from(votes.join(battles, battles.c.id == votes.c.battle_id))
            .where(votes.c.created_at >= begin, ~battles.c.simulated)
        )
        async with self._transactions.read() as connection:
            return (
                int(await connection.scalar(begun) or 0),
                int(await connection.scalar(cast) or 0),
            )

    async def newest(self) -> datetime | None:
        """When the newest battle or vote came in; None where none is there."""
        times = union_all(
            select(func.max(battles.c.created_at)).where(~battles.c.simulated),
            select(func.max(votes.c.created_at))
            .join(battles, battles.c.id == votes.c.battle_id)
            .where(~battles.c.simulated),
        )
        async with self._transactions.read() as connection:
            found = await connection.scalars(times)
            return max((at for at in found if at is not None), default=None)

    async def people(self, guild_id: int) -> Counter[Said]:
        """Count those who wrote or voted there, by what they said for there and for everywhere."""
        mine = and_(battles.c.guild_id == guild_id, ~battles.c.simulated)
        people = union(
            select(battles.c.author_id.label("id")).where(mine),
            select(turns.c.author_id).join(battles, battles.c.id == turns.c.battle_id).where(mine),
            select(votes.c.voter_id).join(battles, battles.c.id == votes.c.battle_id).where(mine),
        ).subquery()
        said = select(members).where(members.c.consent_version != ASKED).subquery()
        here, everywhere = said.alias("here"), said.alias("everywhere")
        person = people.c.id
        statement = (
            select(here.c.consent, everywhere.c.consent, func.count())
            .select_from(people)
            .outerjoin(here, (here.c.member_id == person) & (here.c.guild_id == guild_id))
            .outerjoin(
                everywhere,
                (everywhere.c.member_id == person) & (everywhere.c.guild_id == EVERYWHERE),
            )
            .where(person > 0)  # nobody, and who was erased, are no people
            .group_by(here.c.consent, everywhere.c.consent)
        )
        async with self._transactions.read() as connection:
            rows = (await connection.execute(statement)).all()
        return Counter({(_word(first), _word(second)): number for first, second, number in rows})


def _word(consent: str | None) -> Consent | None:
    return None if consent is None else Consent(consent)
