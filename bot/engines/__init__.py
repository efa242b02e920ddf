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

__all__ = [
    "ChatMessage",
    "Chunk",
    "CompletionRequest",
    "Engine",
    "FinishReason",
    "Prompt",
    "estimated_tokens",
]

BYTES_PER_TOKEN = 3
"""Of UTF-8. English has about 4, other languages in their own scripts about 3."""

TOKENS_PER_MESSAGE = 4
"""What a chat template puts around a message: two marks, the role, a line break."""


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

    `so_far` is the beginning of the answer that was made already: the completion is
    what comes after it, as far as the engine can, and does not repeat it.
    `stops` are texts at which the completion ends, wherever they appear in it.
    `seed` makes the draw repeatable as far as the engine can. `deadline` is in
    seconds from the call, waiting in the queue included.
    """

    prompt: Prompt
    so_far: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    stops: tuple[str, ...] = ()
    seed: int = 0
    deadline: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of the completion.

    The texts of all chunks joined are the raw completion: it ends before a stop
    text and holds no special tokens. Only the last chunk has a `finish_reason`,
    the token counts, in `stop` the stop text that ended it, if one did, and in
    `made_by` which of its ways the engine took, where it has more than one.
    """

    text: str
    finish_reason: FinishReason | None = None
    stop: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    made_by: str = ""


class Engine(Protocol):
    """One model, ready to complete."""

    @property
    def revision(self) -> str:
        """What exactly answers: a hash or a provider's model id, and the dtype where known."""

    async def start(self) -> None:
        """Load and warm up; raises ModelError. The event loop is not held up."""

    @property
    def room(self) -> int | None:
        """The most tokens that prompt and completion can have together; None: nobody here knows."""

    def render(self, prompt: Prompt) -> str:
        """Return the exact text that the model sees for `prompt`, as stored with the answer."""

    def count(self, prompt: Prompt) -> int:
        """How many tokens `prompt` is, control tokens included.

        Exact where the tokenizer is here, else `estimated_tokens`. Cheap enough for the
        event loop: about a millisecond for 2,000 characters. Raises EngineError as
        `render` does.
        """

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; raises EngineError. Closing the iterator early cancels the work."""

    async def close(self) -> None:
        """Stop, failing what is still running; safe to call twice."""


def estimated_tokens(prompt: Prompt) -> int:
    """About how many tokens `prompt` is for a model whose tokenizer is elsewhere.

    Rather too many than too few: a prompt that is cut somewhat early is still answered.
    """
    if not isinstance(prompt, str):
        return sum(estimated_tokens(m.content) + TOKENS_PER_MESSAGE for m in prompt)
    return -(-len(prompt.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
