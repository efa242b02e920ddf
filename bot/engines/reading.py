"""What a server streams, read without trusting it: any JSON may come, and any amount of text."""
# ruff: noqa: ANN401 - the client takes what comes for what it expects, so nothing has its type

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.engines.delivery import Piece
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

CHARACTERS = 64
"""A token has fewer, but for some that are made of spaces."""

_MOST_COUNTED = 2**31 - 1


class Nonsense(ValueError):
    """What came is no answer, or ended before it was one."""


@dataclass(slots=True)
class _Heard:
    """What the events said so far."""

    reason: FinishReason | None = None
    stop: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


async def pieces_of(events: Any, *, max_tokens: int) -> AsyncGenerator[Piece, None]:
    """Read the server's events as pieces; the last one has the reason and the counts.

    A server that does not stop at `max_tokens` is stopped here. Raises Nonsense when an event
    is none, or the stream ends without a reason.
    """
    heard, pieces, room = _Heard(), 0, CHARACTERS * max_tokens
    async for event in events:
        text = _text(event, heard)
        if text:
            pieces += 1
            yield Piece(
                text=text[:room],
                prompt_tokens=heard.prompt_tokens,
                completion_tokens=max(pieces, heard.completion_tokens),
            )
            room -= len(text)
        if room < 0:
            heard.reason = FinishReason.LENGTH
            break
    if heard.reason is None:
        raise Nonsense
    yield Piece(
        text="",
        finish_reason=heard.reason,
        stop=heard.stop,
        prompt_tokens=heard.prompt_tokens,
        completion_tokens=heard.completion_tokens or pieces,
    )


def _text(event: Any, heard: _Heard) -> str:
    """The new text of an event; what else it says is noted."""
    usage = getattr(event, "usage", None)
    if usage is not None:
        heard.prompt_tokens = _counted(usage, "prompt_tokens")
        heard.completion_tokens = _counted(usage, "completion_tokens")
    choices = getattr(event, "choices", None) or []
    if not isinstance(choices, list):
        raise Nonsense
    if not choices:
        return ""
    choice = choices[0]
    said = choice.delta if hasattr(choice, "delta") else choice
    text = getattr(said, "text" if said is choice else "content", None) or ""
    reason = getattr(choice, "finish_reason", None) or ""
    if not (isinstance(text, str) and isinstance(reason, str)):
        raise Nonsense
    if reason:
        heard.reason = FinishReason.LENGTH if reason == "length" else FinishReason.STOP
        # Which stop it was, where the server tells.
        met = getattr(choice, "stop_reason", None)
        heard.stop = met if isinstance(met, str) else None
    return text


def _counted(usage: Any, name: str) -> int:
    number = getattr(usage, name, None)
    return number if isinstance(number, int) and 0 <= number <= _MOST_COUNTED else 0
