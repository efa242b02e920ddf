"""What was voted on, with what decides whether it may leave the database."""

from __future__ import annotations

import asyncio
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from storage.guilds import settings_by_guild
from storage.members import ASKED, EVERYWHERE
from storage.pages import page_of
from storage.records import (
    About,
    BattleState,
    Cast,
    Consent,
    FinishReason,
    Happened,
    Kind,
    Outcome,
    Purpose,
    Reason,
    Side,
    VotedAnswer,
    VotedBattle,
    VoteEventKind,
    Wiped,
    Written,
)
from storage.rows import conversation_from_json
from storage.schema import contenders, exports, members

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Said
    from storage.transactions import Transactions

_AFTER_ALL = 2**63 - 1

_STATES = {state.value: state for state in BattleState}
_PURPOSES = {purpose.value: purpose for purpose in Purpose}
_KINDS = {kind.value: kind for kind in Kind}
_ENDS = {reason.value: reason for reason in FinishReason}


class VotedStore:
    """Votes for exports and figures. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def pages(
        self,
        *,
        format: str = "",  # noqa: A002 - the table's word
        purpose: Consent | None = None,
        guild_ids: Collection[int] = (),
        texts: Collection[str] = ("rendered", "raw"),
        details: bool = False,
        unvoted: bool = False,
    ) -> AsyncGenerator[list[VotedBattle], None]:
        """Yield every battle with at least one vote, whatever its state and purpose, in parts.

        The newest come first, so that those which go on from a battle come before it.

        Those that an earlier export of this format and purpose holds come too, and are
        marked, even where they have no votes any more; with `unvoted` so do all that have two
        answers. With `guild_ids` only what was said there is looked at. `texts` are those
        besides what was shown that are wanted, `details` what else is known of answers and
        votes, and the log. One unchanging view, streamed. It holds a connection until it is
        exhausted: leave it early through `contextlib.aclosing`.
        """
        async with self._transactions.read() as connection:
            said = await _said(connection)
            settings = await settings_by_guild(connection)
            named = await connection.execute(select(contenders.c.id, contenders.c.slug))
            slugs = {row[0]: row[1] for row in named}
            earlier = select(exports.c.id).where(
                exports.c.format == format, exports.c.purpose == purpose
            )
            page = page_of(
                connection.dialect.name,
                (await connection.scalars(earlier)).all(),
                guild_ids=guild_ids,
                texts=texts,
                details=details,
                unvoted=unvoted,
            )
            async for text in _read_ahead(connection, page):
                found = sorted(orjson.loads(text), key=itemgetter(0), reverse=True)
                yield [_voted_battle(battle, slugs, said, settings) for battle in found]


class _SaidIn(dict[int, "Said"]):
    """What everybody said for one guild and for everywhere, put together when it is asked for."""

    def __init__(self, said: Mapping[tuple[int, int], Consent], guild_id: int) -> None:
        self._said = said
        self._guild_id = guild_id

    def __missing__(self, member_id: int) -> Said:
        word = self._said.get((member_id, self._guild_id)), self._said.get((member_id, EVERYWHERE))
        self[member_id] = word
        return word


class _SaidAnywhere(dict[int | None, _SaidIn]):
    """The same by guild; None is direct messages."""

    def __init__(self, said: Mapping[tuple[int, int], Consent]) -> None:
        self._said = said

    def __missing__(self, guild_id: int | None) -> _SaidIn:
        self[guild_id] = place = _SaidIn(self._said, guild_id or EVERYWHERE)
        return place


async def _said(connection: AsyncConnection) -> _SaidAnywhere:
    columns = (members.c.member_id, members.c.guild_id, members.c.consent)
    rows = await connection.execute(select(*columns).where(members.c.consent_version != ASKED))
    return _SaidAnywhere({(row[0], row[1]): Consent(row[2]) for row in rows})


async def _read_ahead(
    connection: AsyncConnection, page: Select[str, int]
) -> AsyncGenerator[str, None]:
    """Yield page after page, each read while the one before it is made use of.

    A page is one row, so that SQLite's thread asks for Python's lock but once a page.
    """

    def read(before: int) -> asyncio.Task[Row[str, int]]:
        return asyncio.create_task(_one(connection, page, before))

    reading = read(_AFTER_ALL)
    try:
        while (found := await reading)[1] is not None:
            reading = read(found[1])
            await asyncio.sleep(0)  # it begins now, and goes on in its own thread
            yield found[0]
    finally:
        await asyncio.wait({reading})


async def _one(connection: AsyncConnection, page: Select[str, int], before: int) -> Row[str, int]:
    return (await connection.execute(page, {"before": before})).one()


def _voted_battle(
    found: list[Any],
    slugs: Mapping[int, str],
    said: _SaidAnywhere,
    settings: Mapping[int | None, Mapping[str, object]],
) -> VotedBattle:
    (
        (number, guild_id, state, purpose, day, conversation, parent_id, mirror_of_id, bucket),
        (edited, wiped, known, cast_votes, speakers, remarked, happened, a, b),
    ) = found[:9], found[9:]
    return VotedBattle(
        number,
        guild_id,
        _STATES[state],
        _PURPOSES[purpose],
        day,
        conversation_from_json(conversation),
        (_voted_answer(Side.A, a, slugs), _voted_answer(Side.B, b, slugs)),
        _votes(cast_votes),
        parent_id,
        mirror_of_id,
        bucket,
        bool(edited),
        wiped and Wiped(wiped),
        frozenset(speakers),
        tuple([_written(*remark) for remark in remarked]) if remarked else (),
        tuple([_happened(*event) for event in happened]) if happened else (),
        said[guild_id],
        settings.get(guild_id) or {},
        bool(known),
    )


def _votes(found: list[list[Any]]) -> tuple[Cast, ...]:
    if found and found[0][-1] is not None:
        for vote in found:
            vote[-1] = About._make(vote[-1])
    return tuple(map(Cast._make, found))


def _voted_answer(side: Side, found: list[Any], slugs: Mapping[int, str]) -> VotedAnswer:
    found[1] = slugs[found[1]]
    found[2] = _KINDS[found[2]]
    found[8] = _ENDS[found[8]]
    found[9] = tuple(found[9])
    return VotedAnswer(side, *found)


def _written(voter: int, reason: str | None, *rest: Any) -> Written:  # noqa: ANN401
    return Written(voter, None if reason is None else Reason(reason), *rest)


def _happened(number: int, voter: int, event: str, outcome: str | None, *rest: Any) -> Happened:  # noqa: ANN401
    said = None if outcome is None else Outcome(outcome)
    return Happened(number, voter, VoteEventKind(event), said, *rest)
