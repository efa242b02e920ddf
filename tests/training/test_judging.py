"""A judge is asked in both orders, so what it sees first wins nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.engines import Chunk
from bot.engines.scripted import ScriptedEngine
from bot.training.judging import Compared, judge, letter_in
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bot.engines import CompletionRequest

PAIRS = [Compared("How long is a day?", "24 hours", f"a very long time {n}") for n in range(10)]


class Terse(ScriptedEngine):
    """A judge that prefers the shorter reply."""

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        [asked] = request.prompt
        a, b = asked.content.split("[Reply A]\n")[1].split("\n\n[Reply B]\n")
        letter = "T" if len(a) == len(b) else "A" if len(a) < len(b) else "B"
        yield Chunk(text=f"I choose {letter}.", finish_reason=FinishReason.STOP)


async def test_a_judge_that_reads_finds_the_better_one_on_either_side() -> None:
    judged = await judge(Terse(""), PAIRS)
    assert judged is not None
    assert (judged.wins.share, judged.pairs, judged.unclear) == (1.0, 10, 0)
    assert judged.wins.low > 0.5
    turned = await judge(Terse(""), [Compared(p.message, p.second, p.first) for p in PAIRS])
    assert turned is not None
    assert turned.wins.share == 0.0


async def test_a_judge_that_likes_what_it_sees_first_decides_nothing() -> None:
    judged = await judge(ScriptedEngine("text=A"), PAIRS)
    assert judged is not None
    assert (judged.wins.share, judged.pairs) == (0.5, 10)


async def test_a_judge_that_says_nothing_readable_is_no_judge() -> None:
    assert await judge(ScriptedEngine("text=hm"), PAIRS) is None


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        ("A", "A"),
        ("**B**", "B"),
        ("Reply B is better.", "B"),
        ("T", "T"),
        ("At best", None),
        ("Neither A nor B: T", "T"),
        ("B\n\nReply A is too long", "B"),
        ("A and B say the same.\n**T**", "T"),
        ("A is better than B", None),
    ],
)
def test_letters_stand_alone(said: str, letter: str | None) -> None:
    assert letter_in(said) == letter
