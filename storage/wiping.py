"""Taking the texts out of battles. The rows stay, with counts and the ids of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from storage.learning import mark_stale
from storage.records import NOBODY, BattleState, Closing, Conversation, Turn, Wiped
from storage.rows import conversation_to_json
from storage.schema import answers, battles, remarks, turns
from storage.transactions import in_parts

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

_SILENCE = conversation_to_json(
    Conversation(turns=(Turn(author_id=NOBODY, name="", text=""),), bot_name="")
)


async def wipe(
    connection: AsyncConnection, battle_ids: Collection[int], because: Wiped, *, at: datetime
) -> None:
    """Wipe every text of these battles, and whose they were.

    Open ones are closed by that, as nobody can vote on texts that are gone. Those that were
    wiped before keep the reason of then. Exports of them, and what was trained on them,
    are stale.
    """
    closed = {
        "state": BattleState.CLOSED,
        "closed_because": Closing.RETENTION,
        "closed_at": at,
    }
    silent = {
        "prompt": "",
        "prompt_key": None,
        "topic": None,
        "language": None,
        "conversation": _SILENCE,
        "author_id": NOBODY,
    }
    await mark_stale(connection, battle_ids, at=at)
    for ids in in_parts(battle_ids):
        mine = battles.c.id.in_(ids)
        kept = battles.c.wiped_because.is_(None)
        for statement in (
            update(battles).where(mine, battles.c.state == BattleState.OPEN).values(closed),
            update(battles).where(mine, kept).values(wiped_because=because),
            update(battles).where(mine).values(silent),
            update(answers)
            .where(answers.c.battle_id.in_(ids))
            .values(rendered="", raw="", shown=""),
            update(remarks)
            .where(remarks.c.battle_id.in_(ids))
            .values(comment=None, edited_answer_id=None, edit=None),
            delete(turns).where(turns.c.battle_id.in_(ids)),
        ):
            await connection.execute(statement)
