"""Tuned contenders that were trained here: what they learnt from, and where they stand."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, func, insert, literal, select, union, update

from storage.contenders import take_turn_to_register
from storage.errors import StorageError
from storage.learning import leave_unranked
from storage.records import Kind, Standing, Tuning
from storage.rows import contender_of
from storage.schema import (
    answers,
    battles,
    contenders,
    exported,
    exports,
    recounts,
    trained_on,
    tunings,
)
from storage.transactions import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, RowMapping, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.transactions import Transactions


_COLUMNS = tuple(column.name for column in tunings.columns if column.name != "contender_id")
_AGAIN = ("method", "dataset", "evaluation")
"""What is stored anew of one that is known."""
_TOLD = ("revision", "fingerprint")
"""What is stored of a contender when its engine answers: a training does not know it."""


class TuningStore:
    """Tuned contenders by slug. Every method raises StorageError."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def record(self, tuning: Tuning) -> int:
        """Remember an adapter and its contender; return how many battles it learnt from.

        Those are the battles of every export of its dataset, and all that its parent had learnt
        from. It is stale from the start where its parent is, or where one of them was erased
        while it was trained. One that is known already gets its new evaluation and folder, and
        the battles that were not known then; it keeps its standing. Raises StorageError where
        the slug is another contender's, or the adapter's weights are others.
        """
        contender = tuning.contender
        described = asdict(contender) | {"updated_at": tuning.trained_at}
        async with self._transactions.write(alone=True) as connection:
            await take_turn_to_register(connection)
            await _require_same(connection, tuning)
            registering = upsert(
                connection, contenders, described, key=["slug"], keep=_TOLD, returning=True
            )
            row = (await connection.execute(registering, described)).mappings().one()
            number = row["id"]
            parent = await connection.scalar(_id_of(contender.parent))
            own, values = tunings.c.contender_id == number, _values(tuning)
            if await connection.scalar(select(exists().where(own))):
                anew = {name: values[name] for name in _AGAIN}
                await connection.execute(update(tunings).where(own).values(anew))
            else:
                await connection.execute(insert(tunings).values(contender_id=number, **values))
            await _learn(connection, number, parent, tuning)
            learnt = select(func.count()).where(trained_on.c.contender_id == number)
            return int(await connection.scalar(learnt) or 0)

    async def all(self) -> tuple[Tuning, ...]:
        """Every tuned contender that was trained here, the oldest first."""
        statement = (
            select(contenders, tunings)
            .join(tunings, tunings.c.contender_id == contenders.c.id)
            .order_by(tunings.c.trained_at, contenders.c.slug)
        )
        async with self._transactions.read() as connection:
            return tuple(map(_tuning_of, (await connection.execute(statement)).mappings()))

    async def learnt_from(self, slug: str | None) -> frozenset[int]:
        """The battles that a tuned contender, or one that it comes from, was trained on."""
        of = _id_of(slug).scalar_subquery()
        statement = select(trained_on.c.battle_id).where(trained_on.c.contender_id == of)
        async with self._transactions.read() as connection:
            return frozenset(await connection.scalars(statement))

    async def set_standing(self, slug: str, standing: Standing) -> None:
        """Say where a tuned contender stands. Raises StorageError where none is so called."""
        await self._change(slug, {"standing": standing})

    async def evaluated(self, slug: str, evaluation: Mapping[str, object]) -> None:
        """Keep what was found of it on prompts that it was not trained on. Raises StorageError."""
        await self._change(slug, {"evaluation": dict(evaluation)})

    async def _change(self, slug: str, values: Mapping[str, object]) -> None:
        mine = tunings.c.contender_id == _id_of(slug).scalar_subquery()
        statement = update(tunings).where(mine).values(values)
        async with self._transactions.write() as connection:
            if not (await connection.execute(statement)).rowcount:
                raise StorageError(
                    f"No tuned contender is called {slug}. `twofold models list` has their names."
                )


async def _require_same(connection: AsyncConnection, tuning: Tuning) -> None:
    """Raise StorageError where the slug is of something else already."""
    slug = tuning.contender.slug
    statement = (
        select(contenders.c.kind, tunings.c.adapter_sha256)
        .outerjoin(tunings, tunings.c.contender_id == contenders.c.id)
        .where(contenders.c.slug == slug)
    )
    there = (await connection.execute(statement)).one_or_none()
    if there is None:
        return
    if there.kind != Kind.TUNED or there.adapter_sha256 not in {None, tuning.adapter_sha256}:
        raise StorageError(
            f"There is another contender {slug} already, and answers refer to it. Give the new "
            "adapter another name."
        )


async def _learn(
    connection: AsyncConnection, number: int, parent: int | None, tuning: Tuning
) -> None:
    """Note what it learnt from, and what follows of that."""
    of_dataset = (
        select(exported.c.battle_id)
        .join(exports, exports.c.id == exported.c.export_id)
        .where(_of(tuning.dataset))
    )
    of_parent = select(trained_on.c.battle_id).where(trained_on.c.contender_id == parent)
    learnt = union(of_dataset, of_parent).subquery()
    known = select(trained_on.c.battle_id).where(trained_on.c.contender_id == number)
    fresh = select(literal(number), learnt.c.battle_id).where(learnt.c.battle_id.not_in(known))
    await connection.execute(insert(trained_on).from_select(["contender_id", "battle_id"], fresh))
    if since := await _stale_since(connection, number, parent, tuning):
        own = (tunings.c.contender_id == number, tunings.c.stale_since.is_(None))
        await connection.execute(update(tunings).where(*own).values(stale_since=since))
    answered = exists().where(answers.c.battle_id == battles.c.id, answers.c.contender_id == number)
    if await leave_unranked(connection, [number], answered):
        await connection.execute(insert(recounts).values(at=tuning.trained_at))


async def _stale_since(
    connection: AsyncConnection, number: int, parent: int | None, tuning: Tuning
) -> datetime | None:
    """Since when what it learnt from is not to be used any more, if it is so already."""
    erased = exists().where(
        trained_on.c.contender_id == number,
        trained_on.c.battle_id == battles.c.id,
        battles.c.wiped_because.is_not(None),
    )
    parents = select(tunings.c.stale_since).where(tunings.c.contender_id == parent)
    newest = exports.c.id.desc()
    written = select(exports.c.stale_since).where(_of(tuning.dataset)).order_by(newest).limit(1)
    for known in (parents, written):
        since: datetime | None = await connection.scalar(known)
        if since is not None:
            return since
    return tuning.trained_at if await connection.scalar(select(erased)) else tuning.stale_since


def _of(dataset: str | None) -> ColumnElement[bool]:
    """Of exports: those of this dataset; those that were not recorded to their end have none."""
    return and_(exports.c.dataset.is_not(None), exports.c.dataset == dataset)


def _id_of(slug: str | None) -> Select[int]:
    return select(contenders.c.id).where(contenders.c.slug == slug)


def _values(tuning: Tuning) -> dict[str, object]:
    values = {name: getattr(tuning, name) for name in _COLUMNS}
    return values | {"evaluation": dict(tuning.evaluation)}


def _tuning_of(row: RowMapping) -> Tuning:
    values = {name: row[name] for name in _COLUMNS}
    return Tuning(
        contender=contender_of(row), **values | {"standing": Standing(values["standing"])}
    )
