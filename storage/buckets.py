"""What a new battle is split by into datasets, so that no prompt is a row of two splits.

A battle has the bucket of the battles that it shares its prompt or a message with, and none
where these differ. It is given once and never changed, so a row stays in its split however
much comes later. A prompt that has none for that reason can still be context of later ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, or_, select, union

from storage.schema import battles, turns

if TYPE_CHECKING:
    from sqlalchemy import BindParameter
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.records import Conversation

BUCKETS = 256

_MESSAGES: BindParameter[list[int]] = bindparam("messages", expanding=True)
# They all have the same one, so the first that the index has will do.
_SAME_PROMPT = (
    select(battles.c.bucket)
    .where(battles.c.prompt_key == bindparam("key"), battles.c.bucket.is_not(None))
    .limit(1)
    .subquery()
)
_SHARED = select(battles.c.bucket).where(
    battles.c.bucket.is_not(None),
    or_(
        battles.c.id == bindparam("copied"),
        battles.c.source_message_id.in_(_MESSAGES),
        battles.c.shown_message_id.in_(_MESSAGES),
        battles.c.id.in_(select(turns.c.battle_id).where(turns.c.message_id.in_(_MESSAGES))),
    ),
)
FOUND = union(select(_SAME_PROMPT.c.bucket), _SHARED)
"""The buckets of those that a battle shares a text with, each once: one statement a battle."""


async def bucket_for(
    connection: AsyncConnection, conversation: Conversation, *, key: int, copied: int | None
) -> int | None:
    """The bucket, from 0 to 255, of a battle that is not stored yet.

    `key` is its `prompt_key`, `copied` the battle that it goes on from or shows again. None
    where earlier ones have different buckets: whichever it had, it would leak from another.
    """
    messages = [turn.message_id for turn in conversation.turns if turn.message_id is not None]
    which = {"key": key, "copied": copied, "messages": messages}
    found = (await connection.scalars(FOUND, which)).all()
    if not found:
        return key % BUCKETS
    return found[0] if len(found) == 1 else None
