"""How a member's mind becomes a vote: Davidson's model, with habits of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.simulation.population import Spam
from storage.records import Choice, Kind

if TYPE_CHECKING:
    from random import Random

    from bot.simulation.population import Community, Member

HASTE = (0.5, 2.5)
"""Seconds that somebody takes who does not read."""

SECONDS_PER_CHARACTER = 0.05
"""About 240 words a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a member looks at: contenders and lengths by the sides as they see them.

    `worths` are what the texts themselves are worth to those who read them.
    """

    slugs: tuple[str, str]
    characters: tuple[int, int]
    topic: str
    worths: tuple[float, float] = (0.0, 0.0)

    @property
    def turned(self) -> Sight:
        """The same with its sides exchanged."""
        return Sight(
            slugs=self.slugs[::-1],
            characters=self.characters[::-1],
            topic=self.topic,
            worths=self.worths[::-1],
        )

    @property
    def longer(self) -> float:
        """How much longer the first one is, from -1 to 1."""
        first, second = self.characters
        return (first - second) / max(first + second, 1)


def odds(community: Community, member: Member, sight: Sight) -> float:
    """The log odds of the answer on A against that on B, for one who reads."""

    def worth(slug: str) -> float:
        gains = community.nature.topics.get(sight.topic, 0) * (community.kinds[slug] is Kind.BASE)
        return community.strengths[slug] + member.taste[slug] + gains

    liked = worth(sight.slugs[0]) - worth(sight.slugs[1]) + sight.worths[0] - sight.worths[1]
    return member.skill * liked + member.side + member.length * sight.longer


def chances(community: Community, member: Member, sight: Sight) -> tuple[float, float, float]:
    """How likely A, B and neither are; both contenders the same is mostly a tie.

    Source: Davidson (1970), J. Am. Stat. Assoc. 65, 317-328.
    """
    if member.spam is Spam.ONE_SIDE:
        return 1.0, 0.0, 0.0
    if member.spam is Spam.RANDOM:
        return 0.25, 0.25, 0.5
    ahead = odds(community, member, sight) / 2
    a, b, tie = math.exp(ahead), math.exp(-ahead), community.nature.tie
    if sight.slugs[0] == sight.slugs[1]:
        tie *= 4
    return a / (a + b + tie), b / (a + b + tie), tie / (a + b + tie)


def choice(community: Community, member: Member, sight: Sight, rng: Random) -> Choice:
    """What a member presses."""
    a, b, neither = chances(community, member, sight)
    bad = 0.5 if member.spam else community.nature.bad
    options = (Choice.A, Choice.B, Choice.TIE, Choice.BOTH_BAD)
    [pressed] = rng.choices(options, (a, b, neither * (1 - bad), neither * bad))
    return pressed


def reading(member: Member, sight: Sight, rng: Random) -> float:
    """Seconds from seeing both answers to pressing."""
    if member.spam:
        return rng.uniform(*HASTE)
    return 2 + sum(sight.characters) * SECONDS_PER_CHARACTER * member.pace * rng.uniform(0.7, 1.3)
