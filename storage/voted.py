"""What was voted on, with what decides whether it may leave the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Select, exists, func, or_, select, union

from storage.battles import load
from storage.members import EVERYWHERE
from storage.records import (
    BattleState,
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

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Battle, Said
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
        """Yield every battle with at least one vote, whatever its state and purpose, by id.

        Those that an earlier export of this format and purpose holds come too, and are
        marked, even where they have no votes any more. One unchanging view, read a hundred
        battles at a time. It holds a connection until it is exhausted: leave it early
        through `contextlib.aclosing`.
        """
        last = 0
        has_vote = exists().where(votes.c.battle_id == battles.c.id)
        was_exported = exists().where(
            exported.c.battle_id == battles.c.id,
            exports.c.id == exported.c.export_id,
            exports.c.format == format,
            exports.c.purpose == purpose,
        )
        wanted = or_(has_vote, was_exported)
        async with self._transactions.read() as connection:
            settings = await _settings(connection)
            while page := await load(connection, battles.c.id > last, wanted, limit=_PAGE):
                last = page[-1].id
                ids = [battle.id for battle in page]
                cast = await _votes(connection, ids)
                continued = await _continued(connection, ids)
                said = await _said(connection, ids)
                known = select(battles.c.id).where(battles.c.id.in_(ids), was_exported)
                earlier = set((await connection.execute(known)).scalars())
                for battle in page:
                    people = _people(battle, cast[battle.id])
                    yield VotedBattle(
                        battle=battle,
                        votes=tuple(cast[battle.id]),
                        continued=battle.id in continued,
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


def _people(battle: Battle, cast: Sequence[Vote]) -> set[int]:
    authors = {turn.author_id for turn in battle.conversation.turns if not turn.is_bot}
    return authors | {vote.voter_id for vote in cast}


async def _settings(connection: AsyncConnection) -> dict[int | None, Mapping[str, object]]:
    rows = await connection.execute(select(guilds.c.id, guilds.c.settings))
    return {row.id: row.settings for row in rows}


async def _votes(connection: AsyncConnection, battle_ids: Sequence[int]) -> dict[int, list[Vote]]:
    statement = select(votes).where(votes.c.battle_id.in_(battle_ids)).order_by(votes.c.id)
    cast: dict[int, list[Vote]] = {battle_id: [] for battle_id in battle_ids}
    for row in (await connection.execute(statement)).mappings():
        cast[row["battle_id"]].append(vote_of(row))
    return cast


async def _continued(connection: AsyncConnection, battle_ids: Sequence[int]) -> set[int]:
    """Those of these battles whose answers went on in another one that has votes and texts."""
    parents = select(battles.c.parent_id).where(
        battles.c.parent_id.in_(battle_ids),
        battles.c.state.in_((BattleState.OPEN, BattleState.CLOSED)),
        battles.c.wiped_because.is_(None),
        exists().where(votes.c.battle_id == battles.c.id),
    )
    return {parent for parent in (await connection.execute(parents)).scalars() if parent}


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
        .outerjoin(here, (here.c.member_id == voter) & (here.c.guild_id == place))
        .outerjoin(
            everywhere, (everywhere.c.member_id == voter) & (everywhere.c.guild_id == EVERYWHERE)
        )
        .where(voter > 0)
        .order_by(voter, counted.c.updated_at, counted.c.id)
    )


def _seen_vote(row: Row[tuple[object, ...]], settings: Mapping[str, object]) -> SeenVote:
    winner = None
    if row.winner_answer_id is not None:
        winner = Side.A if row.winner_answer_id == row.a_id else Side.B
    # Answers that go on keep their sides, so there no coin was thrown.
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
        seconds=row.seconds,
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
