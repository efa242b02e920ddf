"""How a model behaves over many prompts: what tells a tuned model from a collapsed one."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

from bot.answers import CUT_SHORT, LOOP, normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.answers import Finished

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Shares are from 0 to 1 of all answers.

    `words` is the mean length. `distinct` is distinct-2: different pairs of neighbouring words
    by all of them, over all answers together, so that a model that says the same to everybody
    has little (Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation
    Models", section 5.3). `same` is the share of the most frequent answer.
    """

    answers: int
    words: float
    distinct: float
    looping: float
    empty: float
    cut_short: float
    same: float


def behaviour(answers: Sequence[Finished]) -> Behaviour:
    """What one model's answers to different prompts are like. There must be at least one."""
    said = [_WORD.findall(answer.shown.casefold()) for answer in answers]
    pairs = [pair for words in said for pair in pairwise(words)]
    [(_, most)] = Counter(normalised(answer.shown) for answer in answers).most_common(1)
    return Behaviour(
        answers=len(answers),
        words=fmean(map(len, said)),
        distinct=len(set(pairs)) / len(pairs) if pairs else 0.0,
        looping=_share(answers, LOOP),
        empty=fmean(not answer.shown for answer in answers),
        cut_short=_share(answers, CUT_SHORT),
        same=most / len(answers),
    )


def _share(answers: Sequence[Finished], tag: str) -> float:
    return fmean(tag in answer.tags for answer in answers)
