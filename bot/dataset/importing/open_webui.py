"""The feedback of Open WebUI, as an admin exports it from Evaluations.

The file is an array of records `id`, `user_id`, `type`, `data`, `meta`, `snapshot`,
`created_at`, `updated_at` (seconds). `data` has `rating` (1 or -1), `model_id` and, where
the question was answered more than once, `sibling_model_ids`; `meta` has `arena` and
`message_id`; `snapshot.chat` is the whole chat as it was stored, whose `chat.history.messages`
maps ids to messages with `parentId`, `childrenIds`, `role`, `content`, `model` and, in the
arena, `selectedModelId`. Source: open-webui/open-webui, `FeedbackModel` in
backend/open_webui/models/feedbacks.py and `feedbackHandler` in
src/lib/components/chat/Messages/ResponseMessage.svelte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.dataset.importing.parts import (
    ASSISTANT,
    Ballot,
    Found,
    FoundAnswer,
    talk,
    text_of,
    time_of,
    two,
)
from bot.dataset.importing.skips import Skip, Skipped
from storage.records import Conversation, Outcome, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.dataset.importing.parts import Hashes
    from bot.dataset.importing.read import Row

RATINGS = {"1": True, "-1": False}

ASIDE, ASIDE_ENDS = '<details type="', "</details>"
"""Reasoning and calls of tools stand so in an answer's content, and not in what is shown of it
(`removeDetails` in src/lib/utils/index.ts)."""

Message = dict[str, Any]


def is_feedback(row: Row) -> bool:
    """Whether it is a record of feedback."""
    return isinstance(row.get("data"), dict) and {"type", "meta"} <= row.keys()


def battles(row: Row, hashes: Hashes) -> list[Found]:
    """A battle with one vote for each other answer to the question of the rated one.

    A thumb up wins against each of them, a thumb down loses, as on Open WebUI's own
    leaderboard (`_calculate_elo` in backend/open_webui/routers/evaluations.py). Names are
    hidden in its arena alone, so votes elsewhere are not blind. Raises Skipped where no
    battle comes of it.
    """
    liked = RATINGS.get(str(row["data"].get("rating")))
    if liked is None:
        raise Skipped(Skip.NO_WINNER)
    meta = row["meta"] if isinstance(row["meta"], dict) else {}
    messages = _history(row.get("snapshot"))
    rated = messages.get(str(meta.get("message_id")))
    if rated is None:
        raise Skipped(Skip.NO_TEXT)
    conversation = talk((m.get("role"), _shown(m)) for m in _before(rated, messages))
    found, reason = [], Skip.ALONE
    earlier = True
    for other in _siblings(rated, messages):
        if other is rated:
            earlier = False
            continue
        pair = (other, rated) if earlier else (rated, other)
        side = Side.A if liked is not earlier else Side.B
        try:
            found.append(_battle(row, conversation, pair, side, hashes))
        except Skipped as skipped:
            reason = skipped.reason
    if not found:
        raise Skipped(reason)
    return found


def _battle(
    row: Row,
    conversation: Conversation,
    pair: tuple[Message, Message],
    winner: Side,
    hashes: Hashes,
) -> Found:
    """The rated answer and another, in the order in which they were shown."""
    a, b = pair
    models = two(*(m.get("selectedModelId") or m.get("model") for m in pair))
    texts = _shown(a), _shown(b)
    chat = row["meta"].get("chat_id")
    source = hashes.of("battle", chat, a.get("id"), b.get("id"), *models, *texts)
    user = row.get("user_id")
    voter = hashes.of("voter", user) if user else hashes.of("vote", row.get("id"), source)
    blind = row["meta"].get("arena") is True
    return Found(
        source=source,
        conversation=conversation,
        answers=(
            FoundAnswer(model=models[0], text=texts[0]),
            FoundAnswer(model=models[1], text=texts[1]),
        ),
        votes=(Ballot(voter, (Outcome.WIN, winner), blind, time_of(row.get("updated_at"))),),
        at=time_of(row.get("created_at")),
    )


def _history(snapshot: object) -> dict[str, Message]:
    """The chat's messages by id; none where the export was made to be shared, without texts."""
    found = snapshot
    for key in ("chat", "chat", "history", "messages"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return {}
    return {str(key): value for key, value in found.items() if isinstance(value, dict)}


def _siblings(rated: Message, messages: dict[str, Message]) -> Iterator[Message]:
    """All answers to the question of the rated one, itself included, each once."""
    question = messages.get(str(rated.get("parentId")), {})
    children = question.get("childrenIds")
    for key in dict.fromkeys(map(str, children if isinstance(children, list) else ())):
        if key in messages:
            yield messages[key]


def _before(rated: Message, messages: dict[str, Message]) -> list[Message]:
    """The messages that led to it, oldest first."""
    found: list[Message] = []
    seen = {id(rated)}
    message = messages.get(str(rated.get("parentId")))
    while message is not None:
        if id(message) in seen:
            raise Skipped(Skip.ROLES)  # it goes round in a circle
        seen.add(id(message))
        found.append(message)
        message = messages.get(str(message.get("parentId")))
    return found[::-1]


def _shown(message: Message) -> str:
    text = text_of(message.get("content"))
    if message.get("role") != ASSISTANT:
        return text
    kept, at = [], 0
    while (start := text.find(ASIDE, at)) >= 0 and (end := text.find(ASIDE_ENDS, start)) >= 0:
        kept.append(text[at:start])
        at = end + len(ASIDE_ENDS)
    if not kept:
        return text
    return text_of("".join([*kept, text[at:]]).strip())
