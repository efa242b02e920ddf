"""Records become rows and JSON, and come back."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from storage.records import (
    NOBODY,
    Answer,
    Battle,
    BattleState,
    Closing,
    Contender,
    Continuing,
    Conversation,
    FinishReason,
    Kind,
    Outcome,
    Purpose,
    Reason,
    Remark,
    Sampling,
    Side,
    Turn,
    Vote,
    VoteEvent,
    VoteEventKind,
    Wiped,
)
from storage.schema import clean
from storage.style import style_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import RowMapping


def conversation_to_json(conversation: Conversation) -> dict[str, Any]:
    """Make the JSON form of a conversation; ids are strings there, as everywhere in JSON."""
    return {
        "bot_name": clean(conversation.bot_name),
        "continuing": conversation.continuing,
        "turns": [
            {
                "author_id": str(turn.author_id),
                "name": clean(turn.name),
                "text": clean(turn.text),
                "is_bot": turn.is_bot,
                "message_id": None if turn.message_id is None else str(turn.message_id),
            }
            for turn in conversation.turns
        ],
    }


def conversation_from_json(data: Mapping[str, Any]) -> Conversation:
    """Read what `conversation_to_json` made; the first ones had no `continuing`."""
    turns = [
        Turn(
            author_id=int(turn["author_id"]),
            name=turn["name"],
            text=turn["text"],
            is_bot=turn["is_bot"],
            message_id=None if turn["message_id"] is None else int(turn["message_id"]),
        )
        for turn in data["turns"]
    ]
    continuing = data.get("continuing", Continuing.WINNER)
    return Conversation(
        turns=tuple(turns), bot_name=data["bot_name"], continuing=_CONTINUING[continuing]
    )


_CONTINUING = {rule.value: rule for rule in Continuing}
"""A call of the enum takes ten times as long."""


Words = tuple[int, int | None]
"""Whose words, and the message that they stand in."""


def words_in(conversation: Conversation) -> list[Words]:
    """Find what people said themselves, in order."""
    return [
        (turn.author_id, turn.message_id)
        for turn in conversation.turns
        if not turn.is_bot and turn.author_id != NOBODY
    ]


def without_texts(conversation: Conversation) -> Conversation:
    """Keep which ids took turns; wipe what was said and what they were called."""
    turns = tuple(replace(turn, text="", name="") for turn in conversation.turns)
    return replace(conversation, turns=turns)


def battle_of(row: RowMapping, answers: Sequence[Answer]) -> Battle:
    """Make a record of a row of `battles` and its answers."""
    return Battle(
        id=row["id"],
        source_message_id=row["source_message_id"],
        guild_id=row["guild_id"],
        channel_id=row["channel_id"],
        author_id=row["author_id"],
        conversation=conversation_from_json(row["conversation"]),
        state=BattleState(row["state"]),
        purpose=Purpose(row["purpose"]),
        created_at=row["created_at"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        shown_message_id=row["shown_message_id"],
        failure=row["failure"],
        parent_id=row["parent_id"],
        mirror_of_id=row["mirror_of_id"],
        closed_because=row["closed_because"] and Closing(row["closed_because"]),
        revealed_at=row["revealed_at"],
        edited_at=row["edited_at"],
        wiped_because=row["wiped_because"] and Wiped(row["wiped_because"]),
        texts_since=row["texts_since"],
        answers=tuple(answers),
    )


def answer_values(answer: Answer, *, battle_id: int, contender_id: int) -> dict[str, Any]:
    """Make a new row of `answers`."""
    values = asdict(answer)
    del values["id"], values["contender"], values["parent"]
    values["tags"] = list(answer.tags)
    values |= style_of(answer.shown)._asdict()
    return values | {"battle_id": battle_id, "contender_id": contender_id}


def answer_of(row: RowMapping) -> Answer:
    """Make a record of a row of `answers` that has its contender's `slug` and `parent`."""
    return Answer(
        id=row["id"],
        side=Side(row["side"]),
        contender=row["slug"],
        kind=Kind(row["kind"]),
        fingerprint=row["fingerprint"],
        template=row["template"],
        rendered=row["rendered"],
        raw=row["raw"],
        shown=row["shown"],
        finish_reason=FinishReason(row["finish_reason"]),
        tags=tuple(row["tags"]),
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        seconds_to_first_token=row["seconds_to_first_token"],
        seconds=row["seconds"],
        seed=row["seed"],
        retries=row["retries"],
        parent=row["parent"],
    )


def vote_of(row: Mapping[Any, Any]) -> Vote:
    """Make a record of a row of `votes`."""
    values = {field.name: row[field.name] for field in fields(Vote)}
    return Vote(**values | {"outcome": Outcome(row["outcome"])})


def remark_of(row: RowMapping) -> Remark:
    """Make a record of a row of `remarks`."""
    values = {field.name: row[field.name] for field in fields(Remark)}
    return Remark(**values | {"reason": row["reason"] and Reason(row["reason"])})


def vote_event_of(row: RowMapping) -> VoteEvent:
    """Make a record of a row of `vote_events`."""
    return VoteEvent(
        id=row["id"],
        battle_id=row["battle_id"],
        voter_id=row["voter_id"],
        event=VoteEventKind(row["event"]),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        winner_answer_id=row["winner_answer_id"],
        blind=row["blind"],
        at=row["at"],
    )


def contender_of(row: RowMapping) -> Contender:
    """Make a record of a row of `contenders`."""
    return Contender(
        slug=row["slug"],
        kind=Kind(row["kind"]),
        model=row["model"],
        template=row["template"],
        sampling=Sampling(**row["sampling"]),
        base_url=row["base_url"],
        adapter=row["adapter"],
        parent=row["parent"],
        revision=row["revision"],
        fingerprint=row["fingerprint"],
    )
