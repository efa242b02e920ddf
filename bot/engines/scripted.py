"""The scripted engine: answers that depend on the prompt and the seed alone.

For tests and demonstrations. A chat gets a short, helpful-sounding reply; a raw
prompt is continued in its own pattern and runs on into the next speaker's turn,
as base models do.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from bot.engines.delivery import Line, Piece
from bot.errors import EngineUnavailable, ModelNameError
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bot.engines import Chunk, CompletionRequest, Prompt

_REPLIES = (
    "Good question. Start with the smallest step that could work, then look at the result.",
    "Here is the short version: try it once, note what happens, and change one thing at a time.",
    "Happy to help! It depends on what matters more to you, time or certainty.",
    "Yes, and there is a simple reason: the parts fit together better than they look.",
)
_LINES = (
    "I was thinking about the sea again, how it never files its nails",
    "nobody told the clock, so it went on being noon",
    "the train was late and so was everyone who had ever loved it",
    "well that is what the map said, before the rain got to it",
    "they kept the lamp lit in case the river came home",
)
_FACTS = ("Lisbon", "seven", "the blue one", "1987", "a kind of moss", "north of the lake")
_ASKED = ("Who paints the bridges?", "What do owls count?", "Where is the oldest door?")

_SPEAKER = re.compile(r"^([^\s:][^:\n]{0,31}):", re.MULTILINE)
_KINDS: dict[str, type[float | int | str]] = {
    "delay": float,
    "fail": int,
    "empty": int,
    "hang": int,
    "tokens": int,
    "text": str,
}
_MOST = 1_000_000
_TOKEN = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class Script:
    """What a scripted engine does, as written in its source: `scripted:delay=0.05&fail=2`.

    `delay` is in seconds before each chunk; the first `fail` calls are refused and
    the first `empty` completions hold no text; with `hang` no answer ever comes;
    `text` is the whole completion; `tokens` repeats or cuts it to that many words.
    """

    delay: float = 0.0
    fail: int = 0
    empty: int = 0
    hang: int = 0
    tokens: int = 0
    text: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """All that counts something."""
        return (self.fail, self.empty, self.hang, self.tokens)


def parse_script(options: str) -> Script:
    """Read a query such as `delay=0.05&fail=2`; raises ModelNameError on anything else."""
    values: dict[str, Any] = {}
    try:
        for name, value in parse_qsl(options, keep_blank_values=True, strict_parsing=bool(options)):
            values[name] = _KINDS[name](value)
    except (KeyError, ValueError):
        values = {"delay": -1}
    script = Script(**values)
    if not (0 <= script.delay < _MOST and all(0 <= n < _MOST for n in script.numbers)):
        raise ModelNameError(
            "A scripted model takes delay=SECONDS, fail=N, empty=N, hang=1, tokens=N and "
            "text=TEXT, joined by &, and no number below zero."
        )
    return script


class ScriptedEngine:
    """An engine that follows `options` (see Script); raises ModelNameError on bad ones."""

    def __init__(self, options: str = "", *, max_waiting: int = 64) -> None:
        self._script = parse_script(options)
        self._options = options
        self._line = Line(max_waiting)
        self._calls = 0
        self._emptied = 0

    def __repr__(self) -> str:
        return f"ScriptedEngine({self._options!r})"

    @property
    def revision(self) -> str:
        """The source: it says all."""
        return f"scripted:{self._options}"

    async def start(self) -> None:
        """Do nothing: there is nothing to load."""

    @property
    def room(self) -> None:
        """There is no end to it."""

    def count(self, prompt: Prompt) -> int:
        """Words count as tokens here."""
        return len(_TOKEN.findall(self.render(prompt)))

    def render(self, prompt: Prompt) -> str:
        """Return a raw prompt as it is, a chat as JSON."""
        if isinstance(prompt, str):
            return prompt
        messages = [{"role": m.role, "content": m.content} for m in prompt]
        return json.dumps(messages, ensure_ascii=False)

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate a word at a time; raises EngineError as the script says."""
        return self._line.deliver(self._pieces(request), request)

    async def close(self) -> None:
        """Fail who waits."""
        self._line.close()

    async def _pieces(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        script = self._script
        self._calls += 1
        if self._calls <= script.fail:
            raise EngineUnavailable("The scripted model fails as its script says. Try again.")
        if script.hang:
            await asyncio.Event().wait()
        words = _TOKEN.findall(self._text(request))[len(_TOKEN.findall(request.so_far)) :]
        asked = self.count(request.prompt)
        limit = request.sampling.max_tokens
        for count, word in enumerate(words[:limit], start=1):
            await asyncio.sleep(script.delay)
            yield Piece(text=word, prompt_tokens=asked, completion_tokens=count)
        yield Piece(
            text="",
            finish_reason=FinishReason.LENGTH if len(words) > limit else FinishReason.STOP,
            prompt_tokens=asked,
            completion_tokens=min(len(words), limit),
        )

    def _text(self, request: CompletionRequest) -> str:
        if self._emptied < self._script.empty:
            self._emptied += 1
            return ""
        text = self._script.text or compose(request.prompt, request.seed)
        if self._script.tokens:
            words = _TOKEN.findall(text + " ")
            text = "".join(words[i % len(words)] for i in range(self._script.tokens))
        return text


def compose(prompt: Prompt, seed: int) -> str:
    """Write the text for `prompt` under `seed`: a reply to a chat, or a run-on continuation."""
    if not isinstance(prompt, str):
        return _pick(_REPLIES, seed, "reply", *(m.content for m in prompt))
    line, fact = _pick(_LINES, seed, "line", prompt), _pick(_FACTS, seed, "fact", prompt)
    speakers = _SPEAKER.findall(prompt)
    if "Q" in speakers:
        return f" {fact}\nQ: {_pick(_ASKED, seed, prompt)} A: {_pick(_FACTS, seed, line, prompt)}"
    if speakers:
        other = next((name for name in speakers if name != speakers[-1]), "Someone")
        then = _pick(_LINES, seed, "then", prompt)
        return f" {line}.\n{other}: {then}?\n{speakers[-1]}: {fact}."
    return f" and {line}. After that, {fact}."


def _pick(options: tuple[str, ...], seed: int, *key: str) -> str:
    digest = hashlib.sha256("\0".join((str(seed), *key)).encode("utf-8", "surrogatepass")).digest()
    return options[int.from_bytes(digest[:8], "big") % len(options)]
