"""Whether votes were blind in earnest: how often voters tell the base model from the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bot.insight.arena import NO_GUESS, NOT_SURE, RIGHT, WRONG
from bot.insight.choosing import chosen, counted
from bot.insight.clustering import share
from bot.insight.places import for_base
from bot.insight.results import Blinding, Estimate

if TYPE_CHECKING:
    from bot.insight.arena import Arena
    from bot.insight.counting import Counting

GUESSES = {"right": RIGHT, "wrong": WRONG, "not sure": NOT_SURE}


def blinding(arena: Arena, counting: Counting) -> Blinding | None:
    """What voters took for the base model's answer; None where nobody was asked.

    The index is that of Bang, Ni and Davis (2004), Control. Clin. Trials 25, 143-156: right
    guesses less wrong ones, by all answers. Every battle has both models, so that it has but
    one arm. In medicine, an index between -0.2 and 0.2 is taken for blind.
    """
    live = counted(chosen(arena, counting), counting)
    asked = live.keep(votes=live.guess != NO_GUESS)
    if not len(asked.guess):
        return None
    sure = asked.guess != NOT_SURE
    worth = np.select([~sure, asked.guess == RIGHT], [0.5, 1.0], 0.0)
    index = share(worth, asked.voter, weights=counting.weights)
    decide, hits = for_base(asked)
    preferred = {}
    for word, guess in GUESSES.items():
        such = asked.guess[decide] == guess
        if such.any():
            voter = asked.voter[decide][such]
            preferred[word] = share(hits[such], voter, weights=counting.weights)
    return Blinding(
        right=int((asked.guess == RIGHT).sum()),
        wrong=int((asked.guess == WRONG).sum()),
        not_sure=int((~sure).sum()),
        guessed=share(asked.guess[sure] == RIGHT, asked.voter[sure], weights=counting.weights),
        index=Estimate(2 * index.value - 1, 2 * index.low - 1, 2 * index.high - 1),
        preferred=preferred,
    )
