"""An engine that writes by rules, in a time of its own."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING

from bot.engines import estimated_tokens
from bot.engines.delivery import Line, Piece
from bot.simulation.chance import draws
from bot.simulation.writing import HANDS, write
from storage.records import FinishReason
from storage.simulations import MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bot.engines import Chunk, CompletionRequest, Prompt

_TOKEN = re.compile(r"\s*\S+|\s+")
_BEGINNING = 3
"""Tokens that come first; the others come at once."""


class Stopwatch:
    """Seconds that pass without anybody waiting, in each task for itself."""

    def __init__(self) -> None:
        self._passed: ContextVar[float] = ContextVar("passed", default=0.0)

    def __call__(self) -> float:
        return self._passed.get()

    def run(self, seconds: float) -> None:
        """Let so many pass."""
        self._passed.set(self() + seconds)


class SimulatedEngine:
    """Answers as one of HANDS; how long that takes is on `stopwatch` alone."""

    def __init__(self, slug: str, *, stopwatch: Stopwatch) -> None:
        self._slug = slug
        self._stopwatch = stopwatch
        self._line = Line(1000)

    @property
    def revision(self) -> str:
        """The rules have no other one."""
        return f"{MODEL}{self._slug}"

    async def start(self) -> None:
        """Do nothing: there is nothing to load."""

    @property
    def room(self) -> None:
        """There is no end to it."""

    def render(self, prompt: Prompt) -> str:
        """Return a raw prompt as it is, a chat line by line."""
        if isinstance(prompt, str):
            return prompt
        return "\n".join(f"{message.role}: {message.content}" for message in prompt)

    def count(self, prompt: Prompt) -> int:
        """Count as for a model whose tokenizer is elsewhere."""
        return estimated_tokens(prompt)

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; raises EngineError once closed."""
        return self._line.deliver(self._pieces(request), request)

    async def close(self) -> None:
        """Fail who comes after."""
        self._line.close()

    async def _pieces(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        hand, rng = HANDS[self._slug], draws(request.seed, "speed")
        raw = isinstance(request.prompt, str)
        text = write(self._slug, self.render(request.prompt), request.seed, raw=raw)
        words = _TOKEN.findall(text)[: request.sampling.max_tokens]
        begun, rest = words[:_BEGINNING], words[_BEGINNING:]
        self._stopwatch.run(hand.wait * rng.uniform(0.7, 1.5))
        yield Piece(text="".join(begun), completion_tokens=len(begun))
        self._stopwatch.run(len(rest) / (hand.speed * rng.uniform(0.8, 1.2)))
        cut = len("".join(words)) < len(text)
        yield Piece(
            text="".join(rest),
            finish_reason=FinishReason.LENGTH if cut else FinishReason.STOP,
            prompt_tokens=self.count(request.prompt),
            completion_tokens=len(words),
        )
