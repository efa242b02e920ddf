"""The statement that exports read battles by, a page of them at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Select,
    Text,
    bindparam,
    cast,
    exists,
    literal,
    null,
    or_,
    select,
)

from storage.lists import all_of, array, day, number, text
from storage.records import Side
from storage.schema import answers, battles, exported, remarks, turns, unranked, vote_events, votes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, ScalarSelect, Table
    from sqlalchemy.sql.selectable import NamedFromClause

PAGE = 128
"""How many battles an export holds in memory at once."""


def page_of(
    dialect: str,
    earlier: Sequence[int],
    *,
    guild_ids: Collection[int],
    texts: Collection[str],
    details: bool,
    log: bool,
    unvoted: bool,
    simulated: bool = False,
) -> Select[*tuple[Any, ...]]:
    """The last battles before one and since another, a row for each, votes and the like as JSON.

    There are ABOUT columns, and as many for the answer on A as for that on B. Where they are
    `simulated`, only such battles are among them, and otherwise none.
    """
    known = exists().where(exported.c.battle_id == battles.c.id, exported.c.export_id.in_(earlier))
    a, b = answers.alias("a"), answers.alias("b")

    def listed(table: Table, *columns: ColumnElement[Any]) -> ScalarSelect[str]:
        made = columns[0] if len(columns) == 1 else array(dialect, *columns)
        mine = select(all_of(dialect, made)).where(table.c.battle_id == battles.c.id)
        return mine.scalar_subquery()

    columns = (
        battles.c.id,
        battles.c.guild_id,
        text(battles.c.state),
        text(battles.c.purpose),
        day(battles.c.created_at),
        cast(battles.c.conversation, Text),
        battles.c.parent_id,
        battles.c.mirror_of_id,
        battles.c.bucket,
        number(battles.c.edited_at.is_not(None)),
        text(battles.c.wiped_because),
        number(known) if earlier else literal(0),
        listed(votes, *_of_votes(dialect, details=details)),
        listed(turns, turns.c.author_id),
        listed(remarks, *_OF_REMARKS),
        listed(vote_events, *_OF_EVENTS) if log else literal("[]"),
        number(exists().where(unranked.c.battle_id == battles.c.id)) if details else literal(0),
    )
    page = (
        select(
            *columns,
            *_of_answers(a, texts, details=details),
            *_of_answers(b, texts, details=details),
        )
        .join(a, (a.c.battle_id == battles.c.id) & (a.c.side == Side.A))
        .join(b, (b.c.battle_id == battles.c.id) & (b.c.side == Side.B))
        .where(battles.c.id < bindparam("before"), battles.c.id >= bindparam("since"))
        .where(battles.c.simulated if simulated else ~battles.c.simulated)
        .order_by(battles.c.id.desc())
        .limit(PAGE)
    )
    if guild_ids:
        page = page.where(battles.c.guild_id.in_(guild_ids))
    if unvoted:
        return page
    has_vote = exists().where(votes.c.battle_id == battles.c.id)
    return page.where(or_(has_vote, known) if earlier else has_vote)


ABOUT = 17
"""How many columns there are before those of the answers."""

_OF_REMARKS: tuple[ColumnElement[Any], ...] = (
    remarks.c.voter_id,
    text(remarks.c.reason),
    remarks.c.comment,
    remarks.c.edited_answer_id,
    remarks.c.edit,
)

_OF_EVENTS: tuple[ColumnElement[Any], ...] = (
    vote_events.c.id,
    vote_events.c.voter_id,
    text(vote_events.c.event),
    text(vote_events.c.outcome),
    vote_events.c.winner_answer_id,
    number(vote_events.c.blind),
    day(vote_events.c.at),
)


def _of_votes(dialect: str, *, details: bool) -> list[ColumnElement[Any]]:
    about = array(
        dialect,
        votes.c.id,
        day(votes.c.updated_at),
        votes.c.seconds,
        number(votes.c.full_text),
        votes.c.votes_before,
        number(votes.c.swapped),
        number(votes.c.guessed_at.is_not(None)),
        votes.c.guessed_base_answer_id,
    )
    return [
        votes.c.voter_id,
        text(votes.c.outcome),
        votes.c.winner_answer_id,
        number(votes.c.blind),
        number(votes.c.by_author),
        about if details else null(),
    ]


def _of_answers(
    answer: NamedFromClause, texts: Collection[str], *, details: bool
) -> list[ColumnElement[Any]]:
    columns: list[ColumnElement[Any]] = [
        answer.c.id,
        answer.c.contender_id,
        text(answer.c.kind),
        answer.c.fingerprint,
        answer.c.template,
        *(answer.c[name] if name in texts else literal("") for name in ("rendered", "raw")),
        answer.c.shown,
        text(answer.c.finish_reason),
        cast(answer.c.tags, Text),
    ]
    if details:
        figures = ("prompt_tokens", "completion_tokens", "seconds_to_first_token", "seconds")
        columns += [answer.c[name] for name in (*figures, "seed", "retries")]
    return columns
