"""Battles and votes that others collected, in a database of their own."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from storage.buckets import BUCKETS
from storage.errors import StorageError
from storage.records import NOBODY, BattleState, Import, Purpose, Side, VoteEventKind
from storage.rows import conversation_to_json, words_in
from storage.schema import answers, battles, contenders, imports, turns, vote_events, votes
from storage.style import style_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import ImportedAnswer, ImportedBattle, ImportedVote
    from storage.transactions import Transactions

_AT_ONCE = 500
"""Battles that are held in memory at a time."""


class ImportStore:
    """The files of a collection. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def all(self) -> tuple[Import, ...]:
        """Every file that was imported, oldest first; none in a database of a bot."""
        async with self._transactions.read() as connection:
            rows = (await connection.execute(select(imports).order_by(imports.c.id))).mappings()
            return tuple(Import(**row) for row in rows)

    async def add(
        self,
        *,
        file: str,
        sha256: str,
        licence: str,
        battles: Iterable[ImportedBattle],
        at: datetime,
    ) -> Import | None:
        """Store what a file brings, all or nothing; None where this very file is there already.

        `file` is its name, `sha256` its own, in hex. Battles that are there already, by their
        `source_message_id`, are skipped with their votes. `battles` is read in parts. No vote
        may be a second one of its voter's on a battle. Raises StorageError where a contender
        is not registered.
        """
        facts = {"file": file, "sha256": sha256, "licence": licence, "at": at}
        counts = dict.fromkeys(("battles", "votes", "skipped"), 0)
        known = select(imports.c.id).where(imports.c.sha256 == sha256)
        async with self._transactions.write() as connection:
            if await connection.scalar(known) is not None:
                return None
            contestants = await _contestants(connection)
            coming = iter(battles)
            while part := list(islice(coming, _AT_ONCE)):
                new = await _new(connection, part)
                await _store(connection, new, contestants)
                counts["battles"] += len(new)
                counts["votes"] += sum(len(battle.votes) for battle in new)
                counts["skipped"] += len(part) - len(new)
            row = await connection.execute(
                insert(imports).values(**facts, **counts).returning(imports)
            )
            return Import(**row.mappings().one())


async def _contestants(connection: AsyncConnection) -> dict[str, RowMapping]:
    rows = (await connection.execute(select(contenders))).mappings()
    return {row["slug"]: row for row in rows}


async def _new(connection: AsyncConnection, part: Iterable[ImportedBattle]) -> list[ImportedBattle]:
    """Those that are not there yet, each once."""
    by_source: dict[int, ImportedBattle] = {}
    for battle in part:
        by_source.setdefault(battle.source_message_id, battle)
    there = select(battles.c.source_message_id).where(battles.c.source_message_id.in_(by_source))
    for source in await connection.scalars(there):
        del by_source[source]
    return list(by_source.values())


async def _store(
    connection: AsyncConnection,
    new: list[ImportedBattle],
    contestants: Mapping[str, RowMapping],
) -> None:
    if not new:
        return
    returned = insert(battles).returning(battles.c.source_message_id, battles.c.id)
    rows = await connection.execute(returned, list(map(_battle_row, new)))
    ids = {row.source_message_id: row.id for row in rows}
    with_ids = [(ids[battle.source_message_id], battle) for battle in new]
    said = [
        {"battle_id": number, "author_id": author, "message_id": message}
        for number, battle in with_ids
        for author, message in words_in(battle.conversation)
    ]
    given = [
        _answer_row(number, side, answer, contestants)
        for number, battle in with_ids
        for side, answer in zip(Side, battle.answers, strict=True)
    ]
    answered = insert(answers).returning(answers.c.battle_id, answers.c.side, answers.c.id)
    winners: dict[tuple[int, str], int] = {
        (battle_id, side): number
        for battle_id, side, number in await connection.execute(answered, given)
    }
    cast = [
        (_choice(number, vote, winners), before, vote)
        for number, battle in with_ids
        for before, vote in enumerate(battle.votes)
    ]
    voted = [
        choice
        | {"by_author": False, "votes_before": before, "created_at": v.at, "updated_at": v.at}
        for choice, before, v in cast
    ]
    events = [choice | {"event": VoteEventKind.CAST, "at": v.at} for choice, _, v in cast]
    for table, values in ((turns, said), (votes, voted), (vote_events, events)):
        if values:
            await connection.execute(insert(table), values)


def _battle_row(battle: ImportedBattle) -> dict[str, Any]:
    return {
        "source_message_id": battle.source_message_id,
        "guild_id": None,
        "channel_id": 0,
        "author_id": NOBODY,
        "prompt": battle.conversation.prompt.text,
        "conversation": conversation_to_json(battle.conversation),
        "state": BattleState.CLOSED,
        "purpose": Purpose.CONTROL if _of_one(battle) else Purpose.LIVE,
        "created_at": battle.at,
        "opened_at": battle.at,
        "closed_at": battle.at,
        "prompt_key": battle.prompt_key,
        "topic": battle.topic,
        "language": battle.language,
        # By how its conversation began, which its other turns have in common with it.
        "bucket": battle.root_key % BUCKETS,
    }


def _of_one(battle: ImportedBattle) -> bool:
    """Whether one contender gave both answers: that ranks nobody."""
    return len({answer.contender for answer in battle.answers}) == 1


def _answer_row(
    battle_id: int, side: Side, answer: ImportedAnswer, contestants: Mapping[str, RowMapping]
) -> dict[str, Any]:
    contender = contestants.get(answer.contender)
    if contender is None:
        raise StorageError(f"There is no contender {answer.contender}; register it first.")
    return {
        "battle_id": battle_id,
        "side": side,
        "contender_id": contender["id"],
        "kind": contender["kind"],
        "fingerprint": contender["fingerprint"],
        "template": "",
        "rendered": "",
        "raw": answer.text,
        "shown": answer.text,
        "finish_reason": answer.finish_reason,
        "tags": list(answer.tags),
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "seconds_to_first_token": 0.0,
        "seconds": 0.0,
        "seed": 0,
        "retries": 0,
        **style_of(answer.text)._asdict(),
    }


def _choice(
    battle_id: int, vote: ImportedVote, winners: Mapping[tuple[int, str], int]
) -> dict[str, Any]:
    return {
        "battle_id": battle_id,
        "voter_id": vote.voter_id,
        "outcome": vote.outcome,
        "winner_answer_id": vote.winner and winners[battle_id, vote.winner],
        "blind": vote.blind,
    }
