"""The preference sets of LMArena, and what our own `arena` export makes of them.

Known are the columns of arena-human-preference-140k and -100k (`id`, `model_a`, `model_b`,
`winner`, `evaluation_session_id`, `conversation_a`, `conversation_b`, `timestamp`), of
chatbot_arena_conversations with 33,000 rows (`question_id`, `judge`, `turn`, `anony`,
`tstamp`), and of the Kaggle set with 55,000 (`id`, `prompt`, `response_a`, `response_b`,
`winner_model_a`, `winner_model_b`, `winner_tie`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bot.dataset.importing.parts import (
    ASSISTANT,
    USER,
    Ballot,
    Found,
    FoundAnswer,
    talk,
    text_of,
    time_of,
    two,
    winner_of,
)
from bot.dataset.importing.skips import Skip, Skipped
from storage.records import FinishReason, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.dataset.importing.parts import Hashes, Word
    from bot.dataset.importing.read import Row

ONE_HOT = {"winner_model_a": "model_a", "winner_model_b": "model_b", "winner_tie": "tie"}
MOST_TOKENS = 10**9

YES = {"1", "1.0", "true"}

Messages = list[tuple[object, str]]


def is_votes(row: Row) -> bool:
    """Whether it is of the table of votes of our `arena` export, whose texts are in another."""
    return {"battle", "winner", "judge"} <= row.keys() and "conversation_a" not in row


def is_battle(row: Row) -> bool:
    """Whether it has both conversations, or a prompt and two responses."""
    keys = row.keys()
    return {"conversation_a", "conversation_b"} <= keys or {
        "prompt",
        "response_a",
        "response_b",
    } <= keys


def vote(row: Row, hashes: Hashes) -> tuple[str, Ballot]:
    """The id of a battle, and a vote on it, of a row of the table of votes."""
    return str(row["battle"]), _ballot(row, winner_of(row["winner"]), hashes)


def battle(row: Row, hashes: Hashes) -> Found:
    """The battle of a row, with its vote where it has a winner.

    The turns up to the last question are the context, which both sides share here: where
    the sides answered earlier questions in their own ways, raises Skipped.
    """
    a, b = _conversations(row)
    models = two(row.get("model_a"), row.get("model_b"))
    (*before, (role_a, text_a)), (*before_b, (role_b, text_b)) = a, b
    if (role_a, role_b) != (ASSISTANT, ASSISTANT):
        raise Skipped(Skip.ROLES)
    if before != before_b:
        raise Skipped(Skip.FORKED)
    conversation = talk(before)
    said = [part for message in before for part in message]
    identity = (_id(row), *models, text_a, text_b, *said)
    try:
        votes: tuple[Ballot, ...] = (_ballot(row, _word(row), hashes, *identity),)
    except Skipped:
        votes = ()
    return Found(
        source=hashes.of("battle", *identity),
        conversation=conversation,
        answers=(_answer(row, "a", models[0], text_a), _answer(row, "b", models[1], text_b)),
        votes=votes,
        at=_time(row),
        key=str(_id(row)),
    )


def _answer(row: Row, side: str, model: str, text: str) -> FoundAnswer:
    """An answer with what our own export tells of it, which others do not."""

    def of(column: str, key: str) -> Any:  # noqa: ANN401 - what a row has there
        values = row.get(column)
        return values.get(key) if isinstance(values, dict) else None

    kind = of("kinds", f"model_{side}")
    cut = of("finish_reasons", f"model_{side}") == FinishReason.LENGTH
    tags = of("tags", f"model_{side}")
    tokens = of("conv_metadata", f"sum_assistant_{side}_tokens")
    return FoundAnswer(
        model=model,
        text=text,
        kind=next((known for known in Kind if known == kind), None),
        finish_reason=FinishReason.LENGTH if cut else FinishReason.STOP,
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        tokens=tokens if isinstance(tokens, int) and 0 < tokens <= MOST_TOKENS else 0,
    )


def _id(row: Row) -> object:
    return next((row[key] for key in ("id", "question_id") if row.get(key) is not None), "")


def _time(row: Row) -> Any:  # noqa: ANN401
    return time_of(row.get("timestamp", row.get("tstamp")))


def _ballot(row: Row, word: Word, hashes: Hashes, *identity: object) -> Ballot:
    """A row's vote. Nobody knows who cast one without a judge or a session: each is another."""
    judge = row.get("judge") or row.get("evaluation_session_id")
    voter = hashes.of("voter", judge) if judge else hashes.of("vote", _id(row), *identity)
    blind = row.get("blind") is not False and row.get("anony") is not False
    return Ballot(voter, word, blind, _time(row))


def _word(row: Row) -> Word:
    if "winner" in row:
        return winner_of(row["winner"])
    given = [label for key, label in ONE_HOT.items() if str(row.get(key)).lower() in YES]
    if len(given) != 1:
        raise Skipped(Skip.NO_WINNER)
    return winner_of(given[0])


def _conversations(row: Row) -> tuple[Messages, Messages]:
    if "conversation_a" in row:
        return _messages(row["conversation_a"]), _messages(row["conversation_b"])
    prompts, *answers = (_list(row[key]) for key in ("prompt", "response_a", "response_b"))
    a, b = (_alternating(prompts, answered) for answered in answers)
    return a, b


def _messages(conversation: object) -> Messages:
    found = _list(conversation)
    if not all(isinstance(message, dict) for message in found):
        raise Skipped(Skip.ROLES)
    return [(message.get("role"), text_of(message.get("content"))) for message in found]


def _alternating(prompts: list[Any], answers: list[Any]) -> Messages:
    if len(prompts) != len(answers):
        raise Skipped(Skip.ROLES)

    def turns() -> Iterator[tuple[object, str]]:
        for prompt, answer in zip(prompts, answers, strict=True):
            yield USER, text_of(prompt)
            yield ASSISTANT, text_of(answer)

    return list(turns())


def _list(value: object) -> list[Any]:
    """A list, also one that is written as JSON, as in CSV, where a text alone may be too."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = [value]
    if not isinstance(value, list) or not value:
        raise Skipped(Skip.NO_TEXT)
    return value
