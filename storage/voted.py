"""What was voted on, with what decides whether it may leave the database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import exists, func, select

from storage.guilds import settings_by_guild
from storage.members import ASKED, EVERYWHERE
from storage.pages import ABOUT, page_of
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
from storage.schema import battles, contenders, exports, members, votes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Said
    from storage.transactions import Transactions

AFTER_ALL = 2**63 - 1

_STATES = {state.value: state for state in BattleState}
_PURPOSES = {purpose.value: purpose for purpose in Purpose}
_KINDS = {kind.value: kind for kind in Kind}
_ENDS = {reason.value: reason for reason in FinishReason}


class VotedStore:
    """Votes for exports and figures. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def pages(  # noqa: PLR0913 - what is wanted, all by keyword
        self,
        *,
        format: str = "",  # noqa: A002 - the table's word
        purpose: Consent | None = None,
        guild_ids: Collection[int] = (),
        texts: Collection[str] = ("rendered", "raw"),
        details: bool = False,
        log: bool = False,
        unvoted: bool = False,
        simulated: bool = False,
        since: int = 0,
        before: int = AFTER_ALL,
    ) -> AsyncGenerator[list[VotedBattle], None]:
        """Yield every battle with at least one vote, whatever its state and purpose, in parts.

        The newest come first, so that those which go on from a battle come before it.

        Those that an earlier export of this format and purpose holds come too, and are
        marked, even where they have no votes any more; with `unvoted` so do all that have two
        answers. With `guild_ids` only what was said there is looked at, and only ids from
        `since` on and below `before`. `texts` are those besides what was shown that are
        wanted, `details` what else is known of answers and votes, `log` all that happened to
        votes. They are all `simulated`, or none is. One unchanging view, streamed. It holds a
        connection until it is exhausted: leave it early through `contextlib.aclosing`.
        """
        # Turns of a thread would take as long again. Who exports has a loop to itself.
        async with self._transactions.read(brief=True) as connection:
            said = await _said(connection)
            settings = await settings_by_guild(connection, simulated=simulated)
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
                log=log,
                unvoted=unvoted,
                simulated=simulated,
            )
            bounds = {"since": since, "before": before}
            while rows := (await connection.execute(page, bounds)).all():
                bounds["before"] = rows[-1][0]
                yield [_voted_battle(row, slugs, said, settings) for row in rows]

    async def halfway(
        self, guild_ids: Collection[int] = (), *, least: int = 0, simulated: bool = False
    ) -> int:
        """The battle that half of those with votes come before, and none goes on across.

        So what is before it and what is not can be read apart. 0 where there is none, and
        where fewer than `least` have votes.
        """
        voted = select(battles.c.id).where(
            exists().where(votes.c.battle_id == battles.c.id),
            battles.c.simulated if simulated else ~battles.c.simulated,
        )
        if guild_ids:
            voted = voted.where(battles.c.guild_id.in_(guild_ids))
        async with self._transactions.read() as connection:
            count = await connection.scalar(select(func.count()).select_from(voted.subquery()))
            if not count or count < least:
                return 0
            middle = voted.order_by(battles.c.id).limit(1).offset(count // 2)
            border = await connection.scalar(middle) or 0
            while border:
                across = select(func.min(battles.c.parent_id)).where(
                    battles.c.id >= border, battles.c.parent_id < border
                )
                earlier = await connection.scalar(across)
                if earlier is None:
                    return int(border)
                border = earlier
        return 0


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


def _voted_battle(
    row: Sequence[Any],
    slugs: Mapping[int, str],
    said: _SaidAnywhere,
    settings: Mapping[int | None, Mapping[str, object]],
) -> VotedBattle:
    guild_id, wiped, remarked, happened = row[1], row[10], row[14], row[15]
    half = ABOUT + (len(row) - ABOUT) // 2
    return VotedBattle(
        row[0],
        guild_id,
        _STATES[row[2]],
        _PURPOSES[row[3]],
        row[4],
        conversation_from_json(orjson.loads(row[5])),
        (
            _voted_answer(Side.A, row[ABOUT:half], slugs),
            _voted_answer(Side.B, row[half:], slugs),
        ),
        _votes(orjson.loads(row[12])),
        row[6],
        row[7],
        row[8],
        bool(row[9]),
        wiped and Wiped(wiped),
        frozenset(orjson.loads(row[13])),
        () if remarked == "[]" else tuple([_written(*one) for one in orjson.loads(remarked)]),
        () if happened == "[]" else tuple([_happened(*one) for one in orjson.loads(happened)]),
        said[guild_id],
        settings.get(guild_id) or {},
        bool(row[11]),
        bool(row[16]),
    )


def _votes(found: list[list[Any]]) -> tuple[Cast, ...]:
    if found and found[0][-1] is not None:
        for vote in found:
            vote[-1] = About._make(vote[-1])
    return tuple(map(_cast, found))


_cast = partial(tuple.__new__, Cast)
"""As `Cast._make`, which takes three times as long to see that nothing is missing."""


def _voted_answer(side: Side, row: Sequence[Any], slugs: Mapping[int, str]) -> VotedAnswer:
    number, contender, kind, fingerprint, template, rendered, raw, shown, end, tags = row[:10]
    return VotedAnswer(
        side,
        number,
        slugs[contender],
        _KINDS[kind],
        fingerprint,
        template,
        rendered,
        raw,
        shown,
        _ENDS[end],
        () if tags == "[]" else tuple(orjson.loads(tags)),
        *row[10:],
    )


def _written(voter: int, reason: str | None, *rest: Any) -> Written:  # noqa: ANN401
    return Written(voter, None if reason is None else Reason(reason), *rest)


def _happened(number: int, voter: int, event: str, outcome: str | None, *rest: Any) -> Happened:  # noqa: ANN401
    said = None if outcome is None else Outcome(outcome)
    return Happened(number, voter, VoteEventKind(event), said, *rest)
