"""What the shapes have in common: names, ids, texts, times and winners as rows spell them.

Each of these takes whatever a row holds, and raises Skipped where that is not one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from bot.dataset.importing.skips import Skip, Skipped
from storage.records import NOBODY, Conversation, FinishReason, Kind, Outcome, Side, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable

USER = "user"
ASSISTANT = "assistant"

Word = tuple[Outcome, Side | None]
"""What a vote says."""

WINNERS: dict[str, Word] = {
    "model_a": (Outcome.WIN, Side.A),
    "model_b": (Outcome.WIN, Side.B),
    "tie": (Outcome.TIE, None),
    "both_bad": (Outcome.BOTH_BAD, None),
    "bothbad": (Outcome.BOTH_BAD, None),
    "tie (bothbad)": (Outcome.BOTH_BAD, None),
}
"""The labels of all releases of LMArena, the older ones included."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SLUG_LENGTH = 64
_YEAR_2200 = 7_258_118_400
_THINNER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAnswer:
    """An answer as a row has it, under its model's own name; `kind` where the row tells it."""

    model: str
    text: str
    kind: Kind | None = None
    finish_reason: FinishReason = FinishReason.STOP
    tags: tuple[str, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A battle as a row has it, answered on sides A and B.

    `source` is a hash. `key` is its id in a table of votes, if there is one. `at` is None where
    the row has no time.
    """

    source: int
    conversation: Conversation
    answers: tuple[FoundAnswer, FoundAnswer]
    votes: tuple[Ballot, ...]
    at: datetime | None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One voter's word on a battle."""

    voter: int
    word: Word
    blind: bool
    at: datetime | None


class Hashes:
    """Ids of a source as numbers of our own, which lead back to nobody.

    BLAKE2b, keyed with the collection's name, so that the same person has another number in
    another collection.
    """

    def __init__(self, collection: str) -> None:
        self._key = collection.encode()

    def of(self, what: str, *ids: object) -> int:
        """A positive number of 63 bits; `what` keeps a battle and a voter of one id apart."""
        digest = blake2b(key=self._key, person=what.encode(), digest_size=8)
        for one in ids:
            said = str(one).encode("utf-8", "surrogatepass")
            digest.update(len(said).to_bytes(8, "big") + said)
        return (int.from_bytes(digest.digest(), "big") >> 1) or 1


def name_of(value: object) -> str:
    """A model's name."""
    if not isinstance(value, str) or not value.strip():
        raise Skipped(Skip.NO_MODEL)
    return value.strip()


def two(a: object, b: object) -> tuple[str, str]:
    """The names of two models that are not one."""
    names = name_of(a), name_of(b)
    if names[0] == names[1]:
        raise Skipped(Skip.ONE_MODEL)
    return names


def slug_of(name: str) -> str:
    """The name with what contenders may be called by; empty where nothing of it is left."""
    return _UNSAFE.sub("-", name).strip("-._")[:_SLUG_LENGTH]


def text_of(content: object) -> str:
    """A message's text; of one in parts, as images are sent, the parts that are text."""
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        content = "\n".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str) or not content.strip():
        raise Skipped(Skip.NO_TEXT)
    return content


def talk(messages: Iterable[tuple[object, str]]) -> Conversation:
    """The turns before an answer, of roles and texts; a person's is the last.

    Whose they were is not kept, so that no name is looked for in the texts either.
    """
    turns = tuple(
        Turn(author_id=NOBODY, name=str(role), text=text, is_bot=role == ASSISTANT)
        for role, text in messages
    )
    if not turns or turns[-1].is_bot or {turn.name for turn in turns} - {USER, ASSISTANT}:
        raise Skipped(Skip.ROLES)
    return Conversation(turns=turns, bot_name=ASSISTANT)


def winner_of(value: object) -> Word:
    """What a label of LMArena says."""
    word = WINNERS.get(value.strip().lower()) if isinstance(value, str) else None
    if word is None:
        raise Skipped(Skip.NO_WINNER)
    return word


def time_of(value: object) -> datetime | None:
    """A moment: ISO 8601, or seconds since 1970, or thousandths of them and less.

    None where it is neither; a time without a zone is taken for UTC.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if not _is_number(value) else float(value)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        while math.isfinite(value) and value >= _YEAR_2200:
            value /= _THINNER
        return datetime.fromtimestamp(value, UTC) if value > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _is_number(value: str) -> bool:
    return value.replace(".", "", 1).isdecimal()
