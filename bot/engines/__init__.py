"""Engines turn a request into a stream of text.

`local` runs weights in this process, `remote` asks an OpenAI-compatible server,
`scripted` answers from a script. All three keep the `Engine` protocol below and
pass the same contract test (`tests/engines/test_contract.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from storage.records import FinishReason, Sampling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["ChatMessage", "Chunk", "CompletionRequest", "Engine", "FinishReason", "Prompt"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat, for models that have a chat template."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = str | tuple[ChatMessage, ...]
"""Raw text to continue (base models), or a chat (instruct models)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """What is asked of an engine.

    `stops` are texts at which the completion ends, wherever they appear in it.
    `seed` makes the draw repeatable as far as the engine can. `deadline` is in
    seconds from the call, waiting in the queue included.
    """

    prompt: Prompt
    sampling: Sampling = field(default_factory=Sampling)
    stops: tuple[str, ...] = ()
    seed: int = 0
    deadline: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of the completion.

    The texts of all chunks joined are the raw completion: it ends before a stop
    text and holds no special tokens. Only the last chunk has a `finish_reason`,
    the token counts, and in `stop` the stop text that ended it, if one did.
    """

    text: str
    finish_reason: FinishReason | None = None
    stop: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Engine(Protocol):
    """One model, ready to complete."""

    @property
    def revision(self) -> str:
        """What exactly answers: a hash or a provider's model id, and the dtype where known."""

    async def start(self) -> None:
        """Load and warm up; raises ModelError. The event loop is not held up."""

    def render(self, prompt: Prompt) -> str:
        """Return the exact text that the model sees for `prompt`, as stored with the answer."""

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; raises EngineError. Closing the iterator early cancels the work."""

    async def close(self) -> None:
        """Stop, failing what is still running; safe to call twice."""
