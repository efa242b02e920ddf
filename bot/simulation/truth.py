"""What is true of a community: what its votes would come to if everybody voted on everything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.simulation.ballots import chances
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bot.simulation.playing import Happened
    from bot.simulation.population import Community

    Floats = NDArray[np.float64]

MOST = 400_000
"""Of more battles times members, a part of the battles is looked at."""

_STEPS = 10_000
_CLOSE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What statistics should find, but for what chance did.

    `points` are Davidson's strengths with 400 points for ten to one and the mean 1000, of those
    that met anybody, `tie` is
    how often two equal contenders tie, `first` the share of decided votes for the answer that
    is seen first, `guessed` that of right ones among guesses. `base` is the base models' share
    of decided votes by topic. A member counts by the square root of how many votes or guesses
    they gave, as in rankings, and those who do not read count as well.
    """

    points: Mapping[str, float]
    tie: float
    first: float
    guessed: float
    base: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "points": dict(self.points),
            "tie": self.tie,
            "first": self.first,
            "guessed": self.guessed,
            "base": dict(self.base),
        }


def truth(community: Community, happened: Happened) -> Truth:
    """The truth about the live battles that there were, and those who voted on them."""
    step = 1 + len(happened.sights) * len(community.members) // MOST
    sights = happened.sights[::step]
    slugs = sorted({slug for sight in sights for slug in sight.slugs} or community.kinds)
    place = {slug: at for at, slug in enumerate(slugs)}
    weights = _weights(community, happened.votes)
    won, tied = np.zeros((len(slugs),) * 2), np.zeros((len(slugs),) * 2)
    first = np.zeros(2)
    base: dict[str, Floats] = {}
    for sight in sights:
        said = weights @ np.array([chances(community, m, sight) for m in community.members])
        turned = np.array([chances(community, m, sight.turned) for m in community.members])
        a, b = (place[slug] for slug in sight.slugs)
        won[a, b] += said[0]
        won[b, a] += said[1]
        tied[a, b] += said[2]
        tied[b, a] += said[2]
        first += said[:2] + weights @ turned[:, :2]
        raw = [community.kinds[slug] is Kind.BASE for slug in sight.slugs]
        if True in raw:
            base.setdefault(sight.topic, np.zeros(2))
            base[sight.topic] += said[:2] if raw[0] else said[1::-1]
    strengths, nu = davidson(won, tied)
    guessing = _weights(community, happened.guesses)
    skill = np.array([member.guess for member in community.members])
    return Truth(
        points={
            slug: 1000 + 400 / math.log(10) * strength
            for slug, strength in zip(slugs, strengths.tolist(), strict=True)
        },
        tie=nu / (2 + nu),
        first=float(first[0] / first.sum()),
        guessed=float(guessing @ skill),
        base={topic: float(share[0] / share.sum()) for topic, share in sorted(base.items())},
    )


def davidson(won: Floats, tied: Floats) -> tuple[Floats, float]:
    """Strengths in log odds, mean 0, and the weight of ties, from all wins and ties by pair.

    By the iteration of Davidson (1970), J. Am. Stat. Assoc. 65, 317-328.
    """
    met = won + won.T + tied
    score = won.sum(axis=1) + tied.sum(axis=1) / 2
    strong, nu = np.ones(len(won)), 1.0
    for _ in range(_STEPS):
        both = np.sqrt(np.outer(strong, strong))
        total = strong[:, None] + strong + nu * both
        expected = met * (1 + nu / 2 * np.sqrt(strong / strong[:, None])) / total
        new = score / expected.sum(axis=1)
        new /= np.exp(np.log(new).mean())
        nu = float(tied.sum() / (met * both / total).sum())
        moved = np.abs(np.log(new / strong)).max()
        strong = new
        if moved < _CLOSE:
            break
    return np.log(strong), nu


def _weights(community: Community, given: Mapping[int, int]) -> Floats:
    weights = np.sqrt([given[member.number] for member in community.members])
    found: Floats = weights / max(weights.sum(), 1.0)
    return found
