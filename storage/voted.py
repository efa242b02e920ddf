"""What was voted on, with what decides whether it may leave the database."""

from __future__ import annotations

import asyncio
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import (
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
)

from storage.guilds import settings_by_guild
from storage.members import ASKED, EVERYWHERE
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
from storage.schema import (
    answers,
    battles,
    contenders,
    exported,
    exports,
    members,
    remarks,
    turns,
    vote_events,
    votes,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Row, ScalarSelect, Table
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.selectable import NamedFromClause

    from storage.records import Said
    from storage.transactions import Transactions

_PAGE = 128
"""How many battles an export holds in memory at once."""

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
            page = _page(
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


def _text(column: ColumnElement[Any]) -> ColumnElement[str]:
    return type_coerce(column, Text)


def _number(column: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(column, Integer)


def _day(column: ColumnElement[Any]) -> ColumnElement[str]:
    """The day of a moment, as `2026-11-01`."""
    return func.substr(cast(column, Text), 1, 10)


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


def _page(
    dialect: str,
    earlier: Sequence[int],
    *,
    guild_ids: Collection[int],
    texts: Collection[str],
    details: bool,
    unvoted: bool,
) -> Select[str, int]:
    """The battles before one, as one text of JSON, and the first of them.

    The database writes battles, answers and votes as lists in lists in a fraction of the time
    that handing each row over would take.
    """
    known = exists().where(exported.c.battle_id == battles.c.id, exported.c.export_id.in_(earlier))
    wanted = select(battles.c.id).where(battles.c.id < bindparam("before"))
    if guild_ids:
        wanted = wanted.where(battles.c.guild_id.in_(guild_ids))
    if not unvoted:
        has_vote = exists().where(votes.c.battle_id == battles.c.id)
        wanted = wanted.where(or_(has_vote, known) if earlier else has_vote)
    ids = wanted.order_by(battles.c.id.desc()).limit(_PAGE).cte("page")
    a, b = answers.alias("a"), answers.alias("b")

    def listed(table: Table, *columns: ColumnElement[Any]) -> ScalarSelect[Any]:
        made = columns[0] if len(columns) == 1 else _array(dialect, *columns)
        mine = select(_all(dialect, made)).where(table.c.battle_id == battles.c.id)
        return mine.scalar_subquery()

    battle = _array(
        dialect,
        battles.c.id,
        battles.c.guild_id,
        _text(battles.c.state),
        _text(battles.c.purpose),
        _day(battles.c.created_at),
        _json(dialect, battles.c.conversation),
        battles.c.parent_id,
        battles.c.mirror_of_id,
        battles.c.bucket,
        _number(battles.c.edited_at.is_not(None)),
        _text(battles.c.wiped_because),
        _number(known) if earlier else literal(0, Integer),
        listed(votes, *_of_votes(dialect, details=details)),
        listed(turns, turns.c.author_id),
        listed(
            remarks,
            remarks.c.voter_id,
            _text(remarks.c.reason),
            remarks.c.comment,
            remarks.c.edited_answer_id,
            remarks.c.edit,
        ),
        listed(vote_events, *_OF_EVENTS) if details else _array(dialect),
        _array(dialect, *_of_answers(dialect, a, texts, details=details)),
        _array(dialect, *_of_answers(dialect, b, texts, details=details)),
    )
    # Of all that were looked at: a page may have none with two answers, and more come after it.
    first = select(func.min(ids.c.id)).correlate(None).scalar_subquery()
    return (
        select(_text(_all(dialect, battle)), first)
        .select_from(ids)
        .join(battles, battles.c.id == ids.c.id)
        .join(a, (a.c.battle_id == battles.c.id) & (a.c.side == Side.A))
        .join(b, (b.c.battle_id == battles.c.id) & (b.c.side == Side.B))
    )


_OF_EVENTS: tuple[ColumnElement[Any], ...] = (
    vote_events.c.id,
    vote_events.c.voter_id,
    _text(vote_events.c.event),
    _text(vote_events.c.outcome),
    vote_events.c.winner_answer_id,
    _number(vote_events.c.blind),
    _day(vote_events.c.at),
)


def _of_votes(dialect: str, *, details: bool) -> list[ColumnElement[Any]]:
    about = _array(
        dialect,
        votes.c.id,
        _day(votes.c.updated_at),
        votes.c.seconds,
        _number(votes.c.full_text),
        votes.c.votes_before,
        _number(votes.c.swapped),
        _number(votes.c.guessed_at.is_not(None)),
        votes.c.guessed_base_answer_id,
    )
    return [
        votes.c.voter_id,
        _text(votes.c.outcome),
        votes.c.winner_answer_id,
        _number(votes.c.blind),
        _number(votes.c.by_author),
        about if details else null(),
    ]


def _of_answers(
    dialect: str, answer: NamedFromClause, texts: Collection[str], *, details: bool
) -> list[ColumnElement[Any]]:
    columns: list[ColumnElement[Any]] = [
        answer.c.id,
        answer.c.contender_id,
        _text(answer.c.kind),
        answer.c.fingerprint,
        answer.c.template,
        *(answer.c[name] if name in texts else literal("") for name in ("rendered", "raw")),
        answer.c.shown,
        _text(answer.c.finish_reason),
        _json(dialect, answer.c.tags),
    ]
    if details:
        figures = ("prompt_tokens", "completion_tokens", "seconds_to_first_token", "seconds")
        columns += [answer.c[name] for name in (*figures, "seed", "retries")]
    return columns


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


def _all(dialect: str, values: ColumnElement[Any]) -> ColumnElement[Any]:
    """The values of all rows as one list in JSON."""
    if dialect == "sqlite":
        return func.json_group_array(values)
    return func.coalesce(func.json_agg(values), func.json_build_array())


def _array(dialect: str, *values: ColumnElement[Any]) -> ColumnElement[Any]:
    """The values of one row as a list in JSON."""
    return func.json_array(*values) if dialect == "sqlite" else func.json_build_array(*values)


def _json(dialect: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """What is stored as JSON, as such and not as a text."""
    return func.json(_text(column)) if dialect == "sqlite" else column
