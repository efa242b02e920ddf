"""What was voted on, with what decides whether it may leave the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Select, exists, func, or_, select, union

from storage.battles import load
from storage.members import ASKED, EVERYWHERE
from storage.records import (
    Consent,
    Outcome,
    Purpose,
    SeenVote,
    Side,
    Vote,
    VotedBattle,
)
from storage.rows import vote_of
from storage.schema import answers, battles, exported, exports, guilds, members, turns, votes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from sqlalchemy import ColumnElement, FromClause, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Said
    from storage.transactions import Transactions

# How many battles an export holds in memory at once.
_PAGE = 100

_OTHER_SIDE = {Side.A: Side.B, Side.B: Side.A}


class VotedStore:
    """Votes for exports and figures. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def all(
        self,
        *,
        format: str = "",  # noqa: A002 - the table's word
        purpose: Consent | None = None,
    ) -> AsyncGenerator[VotedBattle, None]:
        """Yield every battle with at least one vote, whatever its state and purpose.

        The newest come first, so that those which go on from a battle come before it.

        Those that an earlier export of this format and purpose holds come too, and are
        marked, even where they have no votes any more. One unchanging view, read a hundred
        battles at a time. It holds a connection until it is exhausted: leave it early
        through `contextlib.aclosing`.
        """
        has_vote = exists().where(votes.c.battle_id == battles.c.id)
        was_exported = exists().where(
            exported.c.battle_id == battles.c.id,
            exports.c.id == exported.c.export_id,
            exports.c.format == format,
            exports.c.purpose == purpose,
        )
        wanted = select(battles.c.id).where(or_(has_vote, was_exported))
        newest = wanted.order_by(battles.c.id.desc()).limit(_PAGE)
        page = newest
        async with self._transactions.read() as connection:
            settings = await _settings(connection)
            while ids := (await connection.scalars(page)).all():
                page = newest.where(battles.c.id < ids[-1])
                cast = await _votes(connection, ids)
                speakers = await _speakers(connection, ids)
                said = await _said(connection, ids)
                known = select(battles.c.id).where(battles.c.id.in_(ids), was_exported)
                earlier = set((await connection.execute(known)).scalars())
                for battle in reversed(await load(connection, battles.c.id.in_(ids))):
                    people = speakers[battle.id] | {vote.voter_id for vote in cast[battle.id]}
                    yield VotedBattle(
                        battle=battle,
                        votes=tuple(cast[battle.id]),
                        speakers=frozenset(speakers[battle.id]),
                        said={who: _of(said, who, battle.guild_id) for who in people},
                        settings=settings.get(battle.guild_id, {}),
                        exported=battle.id in earlier,
                    )

    async def seen(self) -> AsyncGenerator[SeenVote, None]:
        """Yield every vote of a member, by voter and then in the order of the last choices.

        One unchanging view, streamed; leave it early through `contextlib.aclosing`.
        """
        async with self._transactions.read() as connection:
            settings = await _settings(connection)
            async for row in await connection.stream(_seen()):
                yield _seen_vote(row, settings.get(row.guild_id, {}))


async def _settings(connection: AsyncConnection) -> dict[int | None, Mapping[str, object]]:
    rows = await connection.execute(select(guilds.c.id, guilds.c.settings))
    return {row.id: row.settings for row in rows}


async def _votes(connection: AsyncConnection, battle_ids: Sequence[int]) -> dict[int, list[Vote]]:
    statement = select(votes).where(votes.c.battle_id.in_(battle_ids)).order_by(votes.c.id)
    cast: dict[int, list[Vote]] = {battle_id: [] for battle_id in battle_ids}
    for row in (await connection.execute(statement)).mappings():
        cast[row["battle_id"]].append(vote_of(row))
    return cast


async def _speakers(connection: AsyncConnection, battle_ids: Sequence[int]) -> dict[int, set[int]]:
    """Whose words these battles hold, those whom the bot had answered in its turns too."""
    statement = select(turns.c.battle_id, turns.c.author_id).where(
        turns.c.battle_id.in_(battle_ids)
    )
    found: dict[int, set[int]] = {battle_id: set() for battle_id in battle_ids}
    for battle_id, author_id in await connection.execute(statement):
        found[battle_id].add(author_id)
    return found


async def _said(
    connection: AsyncConnection, battle_ids: Sequence[int]
) -> dict[tuple[int, int], Consent]:
    """The consents, by member and guild, of those who voted on these battles or speak in them."""
    people = union(
        select(votes.c.voter_id).where(votes.c.battle_id.in_(battle_ids)),
        select(turns.c.author_id).where(turns.c.battle_id.in_(battle_ids)),
    )
    places = select(battles.c.guild_id).where(battles.c.id.in_(battle_ids))
    statement = select(members.c.member_id, members.c.guild_id, members.c.consent).where(
        members.c.member_id.in_(people),
        members.c.consent_version != ASKED,
        or_(members.c.guild_id == EVERYWHERE, members.c.guild_id.in_(places)),
    )
    rows = await connection.execute(statement)
    return {(row.member_id, row.guild_id): Consent(row.consent) for row in rows}


def _of(said: Mapping[tuple[int, int], Consent], member_id: int, guild_id: int | None) -> Said:
    return said.get((member_id, guild_id or EVERYWHERE)), said.get((member_id, EVERYWHERE))


def _seen() -> Select[tuple[object, ...]]:
    """Every member's vote with its battle, how the others voted, and the vote it mirrors."""
    same = (votes.c.battle_id, votes.c.outcome, votes.c.winner_answer_id)
    counted = select(
        votes,
        func.count().over(partition_by=votes.c.battle_id).label("ballots"),
        func.count().over(partition_by=same).label("alike"),
    ).subquery("counted")
    a, b = answers.alias("a"), answers.alias("b")
    first, first_winner = votes.alias("first"), answers.alias("first_winner")
    here, everywhere = members.alias("here"), members.alias("everywhere")
    place = func.coalesce(battles.c.guild_id, EVERYWHERE)
    voter = counted.c.voter_id
    return (
        select(
            counted,
            battles.c.guild_id,
            battles.c.purpose,
            battles.c.parent_id,
            a.c.id.label("a_id"),
            a.c.completion_tokens.label("a_tokens"),
            b.c.completion_tokens.label("b_tokens"),
            first.c.outcome.label("first_outcome"),
            first_winner.c.side.label("first_side"),
            here.c.consent.label("here"),
            everywhere.c.consent.label("everywhere"),
        )
        .join(battles, battles.c.id == counted.c.battle_id)
        .join(a, (a.c.battle_id == battles.c.id) & (a.c.side == Side.A))
        .join(b, (b.c.battle_id == battles.c.id) & (b.c.side == Side.B))
        .outerjoin(
            first, (first.c.battle_id == battles.c.mirror_of_id) & (first.c.voter_id == voter)
        )
        .outerjoin(first_winner, first_winner.c.id == first.c.winner_answer_id)
        .outerjoin(here, _word(here, voter) & (here.c.guild_id == place))
        .outerjoin(everywhere, _word(everywhere, voter) & (everywhere.c.guild_id == EVERYWHERE))
        .where(voter > 0)
        .order_by(voter, counted.c.updated_at, counted.c.id)
    )


def _word(said: FromClause, voter: ColumnElement[int]) -> ColumnElement[bool]:
    """What the voter said; having been asked only is no word."""
    return (said.c.member_id == voter) & (said.c.consent_version != ASKED)


def _seen_vote(row: Row[tuple[object, ...]], settings: Mapping[str, object]) -> SeenVote:
    winner = None
    if row.winner_answer_id is not None:
        winner = Side.A if row.winner_answer_id == row.a_id else Side.B
    # Answers that go on keep their sides, so there no coin was thrown, and half is known.
    side = None if row.parent_id else winner
    consistent = None
    if row.first_outcome is not None:
        # A mirror has the same answers on the other sides.
        first = row.first_side and _OTHER_SIDE[Side(row.first_side)]
        consistent = (row.first_outcome, first) == (row.outcome, winner)
    return SeenVote(
        voter_id=row.voter_id,
        purpose=Purpose(row.purpose),
        outcome=Outcome(row.outcome),
        side=_OTHER_SIDE[side] if side and row.swapped else side,
        seconds=None if row.parent_id else row.seconds,
        tokens=(row.a_tokens, row.b_tokens),
        others=row.ballots - 1,
        agreeing=row.alike - 1,
        consistent=consistent,
        said=(
            row.here and Consent(row.here),
            row.everywhere and Consent(row.everywhere),
        ),
        settings=settings,
    )
