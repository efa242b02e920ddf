"""Battles and their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from storage.buckets import bucket_for
from storage.errors import StorageError
from storage.learning import leave_unranked
from storage.records import (
    Answer,
    Battle,
    BattleState,
    Closing,
    Conversation,
    Kind,
    Purpose,
)
from storage.rows import (
    answer_of,
    answer_values,
    battle_of,
    conversation_from_json,
    conversation_to_json,
    without_texts,
    words_in,
)
from storage.schema import answers as answer_rows
from storage.schema import battles, contenders, turns
from storage.shards import EVERY
from storage.transactions import insert_if_new, lock_battle, take_turn

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.rows import Words
    from storage.shards import Shards
    from storage.transactions import Transactions


_CREATING = 1
"""The turn of a battle that is created."""

_OF_PROMPT = ("prompt_key", "topic", "language")
"""What is known of a prompt, and goes with it."""


class BattleStore:
    """What a battle goes through, each step one transaction.

    Every method raises StorageError when the database cannot do it.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def create(  # noqa: PLR0913 - a battle's facts, all by keyword
        self,
        *,
        source_message_id: int,
        guild_id: int | None,
        channel_id: int,
        author_id: int,
        conversation: Conversation,
        purpose: Purpose,
        at: datetime,
        prompt_key: int | None = None,
        topic: str | None = None,
        language: str | None = None,
        parent_id: int | None = None,
        mirror_of_id: int | None = None,
        copy_of_id: int | None = None,
        simulated: bool = False,
    ) -> Battle | None:
        """Store a battle as `answering`; None when that message already has one.

        The conversation is read from Discord, or is that of the battle `copy_of_id`, by
        default of the parent or the mirrored one: then it is kept for no longer than
        there, and None is returned where it was wiped meanwhile. What the bot says in it
        counts as words of those whom it had answered. The returned conversation is as
        stored: without NUL and lone surrogates. `prompt_key` is the same for battles whose
        prompts say the same, by default that of the copied one; without any, the battle is
        in no split of a dataset. So are `topic` and `language`, by which rankings can be had.
        A copy of a `simulated` battle is one as well.
        """
        copied = copy_of_id or parent_id or mirror_of_id
        values = {
            "source_message_id": source_message_id,
            "guild_id": guild_id,
            "channel_id": channel_id,
            "author_id": author_id,
            "prompt": conversation.prompt.text,
            "conversation": conversation_to_json(conversation),
            "state": BattleState.ANSWERING,
            "purpose": purpose,
            "created_at": at,
            "parent_id": parent_id,
            "mirror_of_id": mirror_of_id,
            "topic": topic,
            "language": language,
            "simulated": simulated,
        }
        async with self._transactions.write(brief=True) as connection:
            # Two at once would give one prompt two buckets.
            await take_turn(connection, _CREATING)
            if copied is not None:
                await lock_battle(connection, copied)
            original = await _one(connection, battles.c.id == copied) if copied else None
            if original is not None:
                if original.wiped_because is not None:
                    return None
                values["texts_since"] = original.texts_since or original.created_at
                known = select(*(battles.c[name] for name in _OF_PROMPT), battles.c.simulated)
                its = (await connection.execute(known.where(battles.c.id == copied))).one()
                values["simulated"] = simulated or its.simulated
                values["topic"] = its.topic if topic is None else topic
                values["language"] = its.language if language is None else language
                prompt_key = its.prompt_key if prompt_key is None else prompt_key
            if prompt_key is not None:
                values["prompt_key"] = prompt_key
                values["bucket"] = await bucket_for(
                    connection, conversation, key=prompt_key, copied=copied
                )
            statement = insert_if_new(connection, battles, values, key=["source_message_id"])
            row = (await connection.execute(statement.returning(battles))).mappings().one_or_none()
            if row is None:
                return None
            said = words_in(conversation)
            said += dict.fromkeys(
                words
                for words in await _answered(connection, conversation, original)
                if words not in said
            )
            if said:
                await connection.execute(
                    insert(turns),
                    [
                        {"battle_id": row["id"], "author_id": author, "message_id": message}
                        for author, message in said
                    ],
                )
            return battle_of(row, ())

    async def open(
        self,
        battle_id: int,
        answers: Sequence[Answer],
        *,
        at: datetime,
        closing: Closing | None = None,
    ) -> Battle | None:
        """Store both answers and let the vote begin: `answering → open`.

        Where there is a reason for `closing`, the battle is closed at once. None, and nothing
        stored, when it is no longer answering. The answers come back with their ids. No message
        shows it until one is `shown`, also where one was `placed`. It ranks nobody where a tuned
        contender learnt from its prompt. Raises StorageError when a
        contender is not registered.
        """
        values = {"opened_at": at, "shown_message_id": None}
        async with self._transactions.write(brief=True) as connection:
            if not await _move(
                connection, battle_id, BattleState.ANSWERING, BattleState.OPEN, **values
            ):
                return None
            if closing is not None:
                await _close(connection, battle_id, because=closing, at=at)
            ids = await _contender_ids(connection, {answer.contender for answer in answers})
            rows = [
                answer_values(answer, battle_id=battle_id, contender_id=ids[answer.contender])
                for answer in answers
            ]
            await connection.execute(insert(answer_rows), rows)
            if any(answer.kind is Kind.TUNED for answer in answers):
                await leave_unranked(connection, list(ids.values()), battles.c.id == battle_id)
            return await _one(connection, battles.c.id == battle_id)

    async def placed(self, battle_id: int, message_id: int) -> None:
        """Remember which message will show a battle that is still being answered."""
        mine = (battles.c.id == battle_id, battles.c.state == BattleState.ANSWERING)
        statement = update(battles).where(*mine).values(shown_message_id=message_id)
        async with self._transactions.write(brief=True) as connection:
            await connection.execute(statement)

    async def shown(self, battle_id: int, message_id: int) -> bool:
        """Remember which message shows the ballot; False where it was given up meanwhile."""
        given_up = battles.c.state.in_((BattleState.FAILED, BattleState.CANCELLED))
        statement = update(battles).where(battles.c.id == battle_id, ~given_up)
        async with self._transactions.write(brief=True) as connection:
            done = await connection.execute(statement.values(shown_message_id=message_id))
        return done.rowcount == 1

    async def fail(self, battle_id: int, *, reason: str, at: datetime) -> bool:
        """Give up on a battle that could not be answered, or not be shown, and wipe its texts.

        False when it is in another state.
        """
        async with self._transactions.write() as connection:
            return await _drop(connection, battle_id, BattleState.FAILED, failure=reason, at=at)

    async def close(self, battle_id: int, *, because: Closing, at: datetime) -> bool:
        """End the vote; False when the battle is not open, closed already for instance."""
        async with self._transactions.write(brief=True) as connection:
            return await _close(connection, battle_id, because=because, at=at)

    async def revealed(self, battle_id: int, *, at: datetime) -> None:
        """Note that the message of an ended battle tells so, or that there is none."""
        ended = battles.c.state.in_((BattleState.CLOSED, BattleState.CANCELLED))
        statement = update(battles).where(battles.c.id == battle_id, ended)
        async with self._transactions.write(brief=True) as connection:
            await connection.execute(statement.values(revealed_at=at))

    async def cancel(self, battle_id: int, *, at: datetime) -> bool:
        """Withdraw a battle that is answering or open and wipe every text in it.

        What remains is who, where and when. False when it is in another state.
        """
        async with self._transactions.write() as connection:
            return await _drop(connection, battle_id, BattleState.CANCELLED, failure=None, at=at)

    async def left_answering(self, *, at: datetime, shards: Shards = EVERY) -> tuple[Battle, ...]:
        """At start-up: the battles that an earlier process left answering.

        Simulated ones, which nobody waits for, are failed.
        """
        answering = battles.c.state == BattleState.ANSWERING
        simulated = select(battles.c.id).where(answering, battles.c.simulated)
        async with self._transactions.write() as connection:
            for battle_id in (await connection.scalars(simulated)).all():
                await _drop(connection, battle_id, BattleState.FAILED, failure="interrupted", at=at)
            return await load(connection, answering, shards.clause(battles.c.guild_id))

    async def unshown(self, *, shards: Shards = EVERY) -> tuple[Battle, ...]:
        """At start-up: the battles with answers, the latest first, that no message shows.

        Those that are open, and those that were closed at once. Simulated ones never are on show.
        """
        unseen = battles.c.shown_message_id.is_(None) & battles.c.revealed_at.is_(None)
        answered = battles.c.state.in_((BattleState.OPEN, BattleState.CLOSED))
        async with self._transactions.read() as connection:
            here = shards.clause(battles.c.guild_id)
            found = await load(connection, answered, unseen, ~battles.c.simulated, here)
        return found[::-1]

    async def get(self, battle_id: int) -> Battle | None:
        """Find the battle with this id."""
        which = {"battle_id": battle_id}
        async with self._transactions.read(brief=True) as connection:
            row = (await connection.execute(_BY_ID, which)).mappings().one_or_none()
            if row is None:
                return None
            given = (await connection.execute(_ITS_ANSWERS, which)).mappings()
            return battle_of(row, list(map(answer_of, given)))

    async def by_source(self, message_id: int) -> Battle | None:
        """Find the battle that answers this message."""
        async with self._transactions.read(brief=True) as connection:
            return await _one(connection, battles.c.source_message_id == message_id)

    async def people_behind(self, message_ids: Collection[int]) -> dict[int, set[int]]:
        """Find whose words the battles hold that these messages show, by message id."""
        statement = (
            select(battles.c.shown_message_id, turns.c.author_id)
            .join(turns, turns.c.battle_id == battles.c.id)
            .where(battles.c.shown_message_id.in_(message_ids))
        )
        found: dict[int, set[int]] = {}
        async with self._transactions.read(brief=True) as connection:
            for message_id, author_id in await connection.execute(statement):
                found.setdefault(message_id, set()).add(author_id)
        return found

    async def by_shown_many(self, message_ids: Collection[int]) -> dict[int, Battle]:
        """Find the battles that these messages show, by message id; others are left out."""
        async with self._transactions.read(brief=True) as connection:
            found = await load(connection, battles.c.shown_message_id.in_(message_ids))
        return {
            battle.shown_message_id: battle
            for battle in found
            if battle.shown_message_id is not None
        }


async def _answered(
    connection: AsyncConnection, conversation: Conversation, original: Battle | None
) -> list[Words]:
    """Whose words the bot had answered in its turns, as far as it shows battles with them.

    One step back: with those that these had answered before, and so on, every battle of a busy
    channel would hold all that was ever said there. What a copied battle knows of that still
    holds where those were wiped since.
    """
    shows = [turn.message_id for turn in conversation.turns if turn.is_bot]
    if not shows:
        return []
    read = await connection.scalars(_READ_BEFORE, {"shown": list(filter(None, shows))})
    found = [words for said in read for words in words_in(conversation_from_json(said))]
    if original is not None:
        words = select(turns.c.author_id, turns.c.message_id).order_by(turns.c.id)
        known = (await connection.execute(words.where(turns.c.battle_id == original.id))).all()
        own = words_in(original.conversation)
        found += [(author, message) for author, message in known if (author, message) not in own]
    return found


async def _move(
    connection: AsyncConnection,
    battle_id: int,
    before: BattleState | Collection[BattleState],
    after: BattleState,
    **values: datetime | str | None,
) -> bool:
    """Change the state and `values`; False, and no change, unless the state was `before`."""
    states = [before] if isinstance(before, BattleState) else before
    statement = (
        update(battles)
        .where(battles.c.id == battle_id, battles.c.state.in_(states))
        .values(state=after, **values)
    )
    return (await connection.execute(statement)).rowcount == 1


async def _close(
    connection: AsyncConnection, battle_id: int, *, because: Closing, at: datetime
) -> bool:
    return await _move(
        connection,
        battle_id,
        BattleState.OPEN,
        BattleState.CLOSED,
        closed_because=because,
        closed_at=at,
    )


async def _drop(
    connection: AsyncConnection,
    battle_id: int,
    state: BattleState,
    *,
    failure: str | None,
    at: datetime,
) -> bool:
    """End a battle that will not be voted on, and wipe every text in it."""
    mine = battles.c.id == battle_id
    unended = (BattleState.ANSWERING, BattleState.OPEN)
    gone = dict.fromkeys(_OF_PROMPT)
    values: dict[str, datetime | str | None] = {"prompt": "", "closed_at": at, **gone}
    if failure is not None:
        values["failure"] = failure
    if not await _move(connection, battle_id, unended, state, **values):
        return False
    said = (await connection.scalars(select(battles.c.conversation).where(mine))).one()
    silent = conversation_to_json(without_texts(conversation_from_json(said)))
    await connection.execute(update(battles).where(mine).values(conversation=silent))
    await connection.execute(
        update(answer_rows)
        .where(answer_rows.c.battle_id == battle_id)
        .values(rendered="", raw="", shown="")
    )
    return True


async def _contender_ids(connection: AsyncConnection, slugs: Collection[str]) -> dict[str, int]:
    statement = select(contenders.c.slug, contenders.c.id).where(contenders.c.slug.in_(slugs))
    ids = {row.slug: row.id for row in await connection.execute(statement)}
    if len(ids) < len(slugs):
        raise StorageError(
            "A contender is not in the database; start the program again to register the roster."
        )
    return ids


_READ_BEFORE = select(battles.c.conversation).where(
    battles.c.shown_message_id.in_(bindparam("shown", expanding=True)),
    battles.c.wiped_because.is_(None),
)
# Made once, as every press reads a battle.
_BY_ID = select(battles).where(battles.c.id == bindparam("battle_id"))
_ITS_ANSWERS = (
    select(answer_rows, contenders.c.slug, contenders.c.parent)
    .join(contenders, contenders.c.id == answer_rows.c.contender_id)
    .where(answer_rows.c.battle_id == bindparam("battle_id"))
    .order_by(answer_rows.c.side)
)


async def _one(connection: AsyncConnection, condition: ColumnElement[bool]) -> Battle | None:
    found = await load(connection, condition)
    return found[0] if found else None


async def load(
    connection: AsyncConnection, *conditions: ColumnElement[bool], limit: int | None = None
) -> tuple[Battle, ...]:
    """Read the matching battles with their answers, both in order: two statements in all."""
    statement = select(battles).where(*conditions).order_by(battles.c.id).limit(limit)
    rows = (await connection.execute(statement)).mappings().all()
    given: dict[int, list[Answer]] = {row["id"]: [] for row in rows}
    if rows:
        join = (
            select(answer_rows, contenders.c.slug, contenders.c.parent)
            .join(contenders, contenders.c.id == answer_rows.c.contender_id)
            .where(answer_rows.c.battle_id.in_(given))
            .order_by(answer_rows.c.battle_id, answer_rows.c.side)
        )
        for row in (await connection.execute(join)).mappings():
            given[row["battle_id"]].append(answer_of(row))
    return tuple(battle_of(row, given[row["id"]]) for row in rows)
