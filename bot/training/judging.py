"""A judge: a model that compares two answers, each pair in both orders.

Judges prefer what they see first (Zheng et al. 2023, "Judging LLM-as-a-Judge with MT-Bench and
Chatbot Arena", section 3.3), so a win counts only where both orders agree; else it is a tie.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from bot.engines import ChatMessage, CompletionRequest
from bot.engines.completion import complete
from bot.ranking import wilson
from storage.records import Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.engines import Engine
    from bot.ranking import Interval

AT_ONCE = 8

_ASKED = """\
Here is a message and two replies to it. Which reply is better: more helpful, more to the point, \
better written? Longer is not better. Answer with one letter: A, B, or T for a tie.

[Message]
{message}

[Reply A]
{a}

[Reply B]
{b}"""

_LINE = re.compile(r"^\W*[ABT]\W*$", re.MULTILINE)
_LETTER = re.compile(r"\b([ABT])\b")

Letter = Literal["A", "B", "T"]


class Compared(NamedTuple):
    """Two answers to one message."""

    message: str
    first: str
    second: str


class Judged(NamedTuple):
    """How often the first answer was the better one, ties as halves, and how many were judged.

    `unclear` are pairs of which the judge said nothing that could be read.
    """

    wins: Interval
    pairs: int
    unclear: int


async def judge(
    engine: Engine,
    pairs: Sequence[Compared],
    *,
    deadline: float = 60.0,
) -> Judged | None:
    """Have a chat model compare answers; None where it could say nothing of any pair.

    Raises EngineError as the engine does. `deadline` is in seconds, for one comparison.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def said(pair: Compared, *, turned: bool) -> Letter | None:
        a, b = (pair.second, pair.first) if turned else (pair.first, pair.second)
        asked = _ASKED.format(message=pair.message, a=a, b=b)
        request = CompletionRequest(
            prompt=(ChatMessage("user", asked),),
            sampling=Sampling(temperature=0.0, max_tokens=16),
            deadline=deadline,
        )
        async with limit:
            return letter_in((await complete(engine, request)).raw)

    both = (asyncio.gather(said(p, turned=False), said(p, turned=True)) for p in pairs)
    scores = [
        score
        for first, second in await asyncio.gather(*both)
        if (score := _score(first, second)) is not None
    ]
    if not scores:
        return None
    return Judged(wilson(sum(scores), len(scores)), len(scores), len(pairs) - len(scores))


def letter_in(text: str) -> Letter | None:
    """The letter that a judge decided for.

    The only one that it named, else the last that has a line for itself, else the only one after
    the last colon. None where none of these is there: both names are in a sentence then.
    """
    for said in (text, "".join(_LINE.findall(text)[-1:]), text.rpartition(":")[2]):
        letters = set(_LETTER.findall(said))
        if len(letters) == 1:
            return letters.pop()  # type: ignore[no-any-return]
    return None


def _score(as_shown: Letter | None, turned: Letter | None) -> float | None:
    """1 where the first answer won in both orders, 0 where the second did, a half otherwise."""
    if as_shown is None or turned is None:
        return None
    return {("A", "B"): 1.0, ("B", "A"): 0.0}.get((as_shown, turned), 0.5)
