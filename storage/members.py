"""What members allowed to be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from storage.learning import battles_of, mark_stale
from storage.records import Consent
from storage.schema import battles, members
from storage.transactions import insert_if_new, upsert

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Said
    from storage.transactions import Transactions

EVERYWHERE = 0
"""The guild id of a consent that is given for no guild in particular; direct messages'."""

ASKED = 0
"""The version where a member was asked and has not answered; that is a `none` as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a member said, to which version of the text, and when."""

    consent: Consent
    version: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a member's word did besides: what it lowered, and what it came too late for.

    `lowered` is whether words for guilds allowed more, `tuned` the slugs of the contenders that
    learnt from what is taken back.
    """

    lowered: bool = False
    tuned: tuple[str, ...] = ()


class MemberStore:
    """Consent by member and guild. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def words(self, member_id: int) -> dict[int, Word]:
        """All that a member said, by guild; where they were only asked, that is left out."""
        statement = select(members).where(
            members.c.member_id == member_id, members.c.consent_version != ASKED
        )
        async with self._transactions.read(brief=True) as connection:
            rows = (await connection.execute(statement)).all()
        return {
            row.guild_id: Word(
                consent=Consent(row.consent), version=row.consent_version, at=row.updated_at
            )
            for row in rows
        }

    async def said(self, member_ids: Collection[int], guild_id: int) -> dict[int, Said]:
        """What each of these members said for a guild and for everywhere, as `words` has it."""
        statement = select(members.c.member_id, members.c.guild_id, members.c.consent).where(
            members.c.member_id.in_(member_ids),
            members.c.guild_id.in_({guild_id, EVERYWHERE}),
            members.c.consent_version != ASKED,
        )
        async with self._transactions.read(brief=True) as connection:
            rows = (await connection.execute(statement)).all()
        said = {(row.member_id, row.guild_id): Consent(row.consent) for row in rows}
        return {
            member: (said.get((member, guild_id)), said.get((member, EVERYWHERE)))
            for member in member_ids
        }

    async def versions(self, scope: Consent, *, simulated: bool = False) -> list[int]:
        """Which versions of the text were agreed to by those who allow `scope` somewhere.

        Counted are simulated members, or only others.
        """
        enough = [consent for consent in Consent if consent.includes(scope)]
        statement = select(members.c.consent_version).where(
            members.c.consent.in_(enough),
            members.c.consent_version != ASKED,
            members.c.simulated if simulated else ~members.c.simulated,
        )
        async with self._transactions.read() as connection:
            return sorted(await connection.scalars(statement.distinct()))

    async def was_asked(self, member_id: int, guild_id: int) -> bool:
        """Whether a member was asked in this guild, or has said something for everywhere."""
        statement = select(members.c.guild_id, members.c.consent_version).where(
            members.c.member_id == member_id, members.c.guild_id.in_({guild_id, EVERYWHERE})
        )
        async with self._transactions.read(brief=True) as connection:
            rows = (await connection.execute(statement)).all()
        return any(row.guild_id == guild_id or row.consent_version != ASKED for row in rows)

    async def ask(self, member_id: int, guild_id: int, *, at: datetime) -> bool:
        """Note that a member is asked; False where they were before, or have answered."""
        values = {
            "member_id": member_id,
            "guild_id": guild_id,
            "consent_version": ASKED,
            "updated_at": at,
        }
        async with self._transactions.write(brief=True) as connection:
            statement = insert_if_new(connection, members, values, key=["member_id", "guild_id"])
            done = await connection.execute(statement)
        return done.rowcount == 1

    async def set_consent(
        self,
        member_id: int,
        consent: Consent,
        *,
        at: datetime,
        version: int,
        guild_id: int = EVERYWHERE,
        simulated: bool = False,
    ) -> Given:
        """Store the member's word; `version` is that of the text they agreed to.

        A word for everywhere also answers for the guilds where they had only been asked, and
        takes the place of those for guilds that allow more. Where it takes back that their
        words and votes are learnt from, exports with them are stale, and so is what was
        trained on them.
        """
        values = {
            "member_id": member_id,
            "guild_id": guild_id,
            "consent": consent,
            "consent_version": version,
            "updated_at": at,
            "simulated": simulated,
        }
        unanswered = delete(members).where(
            members.c.member_id == member_id, members.c.consent_version == ASKED
        )
        beyond = update(members).where(
            members.c.member_id == member_id,
            members.c.guild_id != EVERYWHERE,
            members.c.consent.in_([more for more in Consent if not consent.includes(more)]),
        )
        said = {"consent": consent, "consent_version": version, "updated_at": at}
        tuned: tuple[str, ...] = ()
        lowered, below = 0, not consent.includes(Consent.TRAIN)
        # What is recorded meanwhile of exports and tuned contenders would not be found.
        async with self._transactions.write(alone=below) as connection:
            if below:
                there = () if guild_id == EVERYWHERE else (battles.c.guild_id == guild_id,)
                agreed = await allowing(connection, member_id, Consent.TRAIN)
                theirs = await battles_of(connection, member_id, agreed, *there)
                tuned = await mark_stale(connection, theirs, at=at)
            if guild_id == EVERYWHERE:
                await connection.execute(unanswered)
                lowered = (await connection.execute(beyond.values(**said))).rowcount
            await connection.execute(
                upsert(connection, members, values, key=["member_id", "guild_id"]), values
            )
        return Given(lowered=lowered > 0, tuned=tuned)


async def allowing(
    connection: AsyncConnection, member_id: int, scope: Consent
) -> ColumnElement[bool]:
    """Of battles: those in a place where a member's word, as it stands, includes `scope`."""
    said = select(members.c.guild_id, members.c.consent).where(
        members.c.member_id == member_id, members.c.consent_version != ASKED
    )
    words = await connection.execute(said)
    allowed = {guild: Consent(word).includes(scope) for guild, word in words}
    place = func.coalesce(battles.c.guild_id, EVERYWHERE)
    if allowed.pop(EVERYWHERE, False):
        return place.not_in([guild for guild, yes in allowed.items() if not yes])
    return place.in_([guild for guild, yes in allowed.items() if yes])
