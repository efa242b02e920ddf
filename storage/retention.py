"""What is kept too long without everyone's consent, and what became of its message."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, cast, delete, exists, false, func, or_, select, update

from storage.members import ASKED, EVERYWHERE
from storage.records import BattleState, Consent
from storage.rows import conversation_from_json
from storage.schema import (
    battles,
    guilds,
    members,
    remarks,
    sightings,
    turns,
    vote_events,
    votes,
)
from storage.transactions import in_parts
from storage.wiping import wipe

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Wiped
    from storage.transactions import Transactions

_AT_WORK = (BattleState.ANSWERING, BattleState.OPEN)
_GIVEN_UP = (BattleState.FAILED, BattleState.CANCELLED)
_KEPT = tuple(scope for scope in Consent if scope.includes(Consent.EVALUATE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which battles are too old to be kept without consent: those made before a moment.

    It holds in `guilds`, or in all but those and in direct messages where `elsewhere`.
    Where nobody may be asked, nobody has agreed. `unrevealed_before` is when a battle must
    have closed that is wiped although its message does not say yet who was who.
    """

    made_before: datetime
    unrevealed_before: datetime
    guilds: frozenset[int]
    elsewhere: bool = False
    may_ask: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """An open battle that was cancelled because its prompt is gone, and the message it leaves.

    No message where there was none, or where it is what was deleted.
    """

    battle_id: int
    channel_id: int
    message_id: int | None


@dataclass(frozen=True, slots=True)
class _Holder:
    """A battle that holds some messages, and whether it stands and falls with one of them."""

    id: int
    state: str
    falls: bool


class RetentionStore:
    """What must not be kept. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def guilds_with_rules(self) -> tuple[int, ...]:
        """The guilds that may have set a window or a cap of their own."""
        said = cast(guilds.c.settings, Text)
        rules = or_(said.contains("retention_hours"), said.contains("consent_cap"))
        async with self._transactions.read() as connection:
            return tuple(await connection.scalars(select(guilds.c.id).where(rules)))

    async def lapsed_open(self, window: Window) -> tuple[int, ...]:
        """The open battles that must be closed, because somebody did not agree.

        That is somebody whose words they hold, who voted on them, or was shown them alone.
        """
        place = func.coalesce(battles.c.guild_id, EVERYWHERE)
        somebody = (
            exists().where(
                member.table.c.battle_id == battles.c.id,
                member > 0,
                ~_agreed(member, window, place),
            )
            for member in (turns.c.author_id, *_ACTING)
        )
        statement = select(battles.c.id).where(
            battles.c.state == BattleState.OPEN, *_old(window), or_(*somebody)
        )
        async with self._transactions.read() as connection:
            return tuple(await connection.scalars(statement.order_by(battles.c.id)))

    async def lapsed(self, window: Window) -> tuple[int, ...]:
        """The ended battles whose texts, or whose people's ids, must be wiped.

        Those are the closed ones with words of somebody, the author of the prompt for one, who
        did not agree, and all that were given up, of which only ids are left.
        """
        told = or_(
            battles.c.revealed_at.is_not(None),
            battles.c.shown_message_id.is_(None),
            battles.c.closed_at < window.unrevealed_before,
        )
        given_up = select(battles.c.id).where(
            *_old(window), battles.c.state.in_(_GIVEN_UP), battles.c.wiped_because.is_(None)
        )
        async with self._transactions.read() as connection:
            closed = await _among(
                connection, turns.c.author_id, window, battles.c.state == BattleState.CLOSED, told
            )
            return (*closed, *await connection.scalars(given_up))

    async def wipe(self, battle_ids: Collection[int], because: Wiped, *, at: datetime) -> None:
        """Wipe every text of these battles, and whose they were."""
        async with self._transactions.write(alone=True) as connection:
            await wipe(connection, battle_ids, because, at=at)

    async def overwrite(self) -> bool:
        """Have what was wiped overwritten in the file; False where a reader still holds it."""
        return await self._transactions.checkpoint()

    async def lapsed_voters(self, window: Window) -> tuple[int, ...]:
        """The ended battles with votes, or what goes with them, of members who did not agree."""
        ended = battles.c.state.not_in(_AT_WORK)
        found: set[int] = set()
        async with self._transactions.read() as connection:
            for member in _ACTING:
                found.update(await _among(connection, member, window, ended))
        return tuple(sorted(found))

    async def forget_voters(self, battle_ids: Collection[int], window: Window) -> int:
        """Make these battles' votes nobody's whose voters did not agree; returns how many.

        An id below zero takes the place of the voter's: that of the vote. What was said
        with the vote, votes that were taken back and what was shown to single members go.
        """
        async with self._transactions.write(alone=True) as connection:
            for member in (remarks.c.voter_id, sightings.c.member_id):
                theirs = _theirs(member, battle_ids, window)
                await connection.execute(delete(member.table).where(*theirs))
            events = _theirs(vote_events.c.voter_id, battle_ids, window)
            nobody = select(-votes.c.id).where(
                votes.c.battle_id == vote_events.c.battle_id,
                votes.c.voter_id == vote_events.c.voter_id,
            )
            await connection.execute(
                update(vote_events)
                .where(*events, nobody.exists())
                .values(voter_id=nobody.scalar_subquery())
            )
            await connection.execute(delete(vote_events).where(*events))
            theirs = _theirs(votes.c.voter_id, battle_ids, window)
            done = await connection.execute(
                update(votes).where(*theirs).values(voter_id=-votes.c.id)
            )
        return done.rowcount

    async def deleted(
        self, message_ids: Collection[int], because: Wiped, *, at: datetime
    ) -> tuple[Withdrawn, ...] | None:
        """Wipe every battle that holds one of these messages, but for those being answered.

        Open ones that one of the messages is the prompt of, or shows, are cancelled, and
        returned; other open ones are closed. None, and nothing but read, where no battle
        holds any.
        """
        async with self._transactions.read() as connection:
            if not await _holding(connection, message_ids):
                return None
        async with self._transactions.write(alone=True) as connection:
            found = await _holding(connection, message_ids)
            held = [one for one in found if one.state != BattleState.ANSWERING]
            falling = [one.id for one in held if one.falls and one.state == BattleState.OPEN]
            withdrawn = await cancel(connection, falling, at=at)
            await wipe(connection, [one.id for one in held], because, at=at)
        return tuple(
            replace(one, message_id=None) if one.message_id in message_ids else one
            for one in withdrawn
        )

    async def edited(self, message_id: int, *, at: datetime) -> None:
        """Note the first edit of a message in every battle that holds it."""
        async with self._transactions.read() as connection:
            held = await _holding(connection, {message_id})
        if not held:
            return
        holding = update(battles).where(battles.c.id.in_([one.id for one in held]))
        async with self._transactions.write() as connection:
            await connection.execute(
                holding.where(battles.c.edited_at.is_(None)).values(edited_at=at)
            )


async def cancel(
    connection: AsyncConnection, battle_ids: Collection[int], *, at: datetime
) -> tuple[Withdrawn, ...]:
    """End these battles, which are answering or open; their texts are wiped elsewhere."""
    ending = update(battles).where(battles.c.id.in_(battle_ids))
    rows = await connection.execute(
        ending.values(state=BattleState.CANCELLED, closed_at=at).returning(
            battles.c.id, battles.c.channel_id, battles.c.shown_message_id
        )
    )
    return tuple(
        Withdrawn(battle_id=number, channel_id=channel, message_id=message)
        for number, channel, message in sorted(rows)
    )


_ACTING = (votes.c.voter_id, vote_events.c.voter_id, sightings.c.member_id)


async def _among(
    connection: AsyncConnection,
    member: Column[int],
    window: Window,
    *conditions: ColumnElement[bool],
) -> tuple[int, ...]:
    """The battles under these conditions with rows of members who did not agree.

    Such rows are found first, by that of a battle which stands before its texts: what comes
    after them takes SQLite long to reach, for each battle that is kept.
    """
    place = func.coalesce(battles.c.guild_id, EVERYWHERE)
    theirs = (
        select(member.table.c.battle_id)
        .join(battles, battles.c.id == member.table.c.battle_id)
        .where(_there(window), member > 0, ~_agreed(member, window, place))
        .distinct()
    )
    found = (await connection.scalars(theirs)).all()
    wanted = select(battles.c.id).where(*_old(window), *conditions).order_by(battles.c.id)
    old: list[int] = []
    for ids in in_parts(found):
        old += await connection.scalars(wanted.where(battles.c.id.in_(ids)))
    return tuple(old)


def _there(window: Window) -> ColumnElement[bool]:
    """Of battles: those in the guilds that the window is about, without simulated ones."""
    named = battles.c.guild_id.in_(window.guilds)
    there = or_(battles.c.guild_id.is_(None), ~named) if window.elsewhere else named
    return and_(there, ~battles.c.simulated)


def _old(window: Window) -> tuple[ColumnElement[bool], ...]:
    """Of battles: those whose texts are past the window."""
    since = func.coalesce(battles.c.texts_since, battles.c.created_at)
    return _there(window), since < window.made_before


def _agreed(
    member: ColumnElement[int], window: Window, place: ColumnElement[int]
) -> ColumnElement[bool]:
    """Whether a member agreed to be kept, in the guild `place`."""
    if not window.may_ask:
        return false()

    def said(guild: ColumnElement[int] | int) -> ColumnElement[str]:
        word = select(members.c.consent).where(members.c.member_id == member)
        said_so = members.c.consent_version != ASKED
        said = word.where(members.c.guild_id == guild, said_so)
        # All else is of the row that is asked about, however deep in its statement this stands.
        return said.correlate_except(members).scalar_subquery()

    return func.coalesce(said(place), said(EVERYWHERE), Consent.NONE).in_(_KEPT)


def _theirs(
    member: Column[int], battle_ids: Collection[int], window: Window
) -> tuple[ColumnElement[bool], ...]:
    """Of rows of these battles: those of members who did not agree."""
    battle_id = member.table.c.battle_id
    place = (
        select(func.coalesce(battles.c.guild_id, EVERYWHERE))
        .where(battles.c.id == battle_id)
        .correlate_except(battles)
        .scalar_subquery()
    )
    return battle_id.in_(battle_ids), member > 0, ~_agreed(member, window, place)


async def _holding(
    connection: AsyncConnection, message_ids: Collection[int]
) -> tuple[_Holder, ...]:
    """The battles that hold these messages, unless there is nothing left to do with them."""
    said_in = select(turns.c.battle_id).where(turns.c.message_id.in_(message_ids))
    shown = select(battles.c.id).where(battles.c.shown_message_id.in_(message_ids))
    shows = or_(battles.c.id.in_(shown), battles.c.mirror_of_id.in_(shown))
    answers = battles.c.source_message_id.in_(message_ids)
    statement = (
        select(battles.c.id, battles.c.state, or_(shows, answers), battles.c.conversation)
        .where(or_(battles.c.id.in_(said_in), shows, answers))
        .where(battles.c.wiped_because.is_(None))
    )
    return tuple(
        _Holder(number, state, falls=bool(falls) or _prompt(said) in message_ids)
        for number, state, falls, said in await connection.execute(statement)
    )


def _prompt(conversation: Mapping[str, Any]) -> int | None:
    return conversation_from_json(conversation).prompt.message_id
