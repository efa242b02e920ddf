"""The members of a simulated community, drawn by its nature and a seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from bot.simulation.chance import draws
from bot.simulation.nature import STRENGTH_SPREAD, STRENGTHS, Nature
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

NAMES = (
    "Ada", "Ben", "Chloe", "Deniz", "Eero", "Fatma", "Goran", "Hana", "Ines", "Jonas", "Kaya",
    "Lior", "Mira", "Nils", "Oluchi", "Pavel", "Quynh", "Rosa", "Sami", "Tomas", "Uma", "Vera",
    "Wim", "Xenia", "Yusuf", "Zoe",
)  # fmt: skip


class Spam(StrEnum):
    """How somebody votes who does not read."""

    ONE_SIDE = "one_side"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who votes, and how. `number` counts from 0; what is liked is in log odds.

    `taste` is by contender, its liking for base models in it. `pace` is how many times the
    usual time the reading takes.
    """

    number: int
    name: str
    activity: float
    skill: float
    side: float
    length: float
    guess: float
    pace: float
    taste: Mapping[str, float]
    spam: Spam | None = None


@dataclass(frozen=True, kw_only=True)
class Community:
    """Members, what contenders there are, and how strong these are to the mean member."""

    seed: int
    nature: Nature
    kinds: Mapping[str, Kind]
    strengths: Mapping[str, float]
    members: tuple[Member, ...]

    def busy(self, rng: Random, count: int) -> list[Member]:
        """So many different members, the busier ones the likelier."""
        count = min(count, len(self.members))
        found: dict[int, Member] = {}
        while len(found) < count:
            [member] = rng.choices(self.members, cum_weights=self._busyness)
            found[member.number] = member
        return list(found.values())

    @cached_property
    def _busyness(self) -> list[float]:
        return list(accumulate(member.activity for member in self.members))


def community(
    seed: int,
    *,
    members: int,
    kinds: Mapping[str, Kind],
    strengths: Mapping[str, float] | None = None,
    nature: Nature | None = None,
) -> Community:
    """The community of a seed: the same one again for the same arguments.

    Where a contender's strength is not given, it is drawn around that of its kind. Strengths
    are told with the mean 0.
    """
    nature = nature or Nature()
    rng = draws(seed, "strengths")
    found = {slug: rng.gauss(STRENGTHS[kind], STRENGTH_SPREAD) for slug, kind in kinds.items()}
    found |= strengths or {}
    mean = sum(found[slug] for slug in kinds) / len(kinds)
    return Community(
        seed=seed,
        nature=nature,
        kinds=kinds,
        strengths={slug: found[slug] - mean for slug in kinds},
        members=tuple(
            _member(number, kinds, nature, draws(seed, "member", number), spam)
            for number, spam in enumerate(_spam(members, nature, draws(seed, "spam")))
        ),
    )


def _member(
    number: int, kinds: Mapping[str, Kind], nature: Nature, rng: Random, spam: Spam | None
) -> Member:
    raw = rng.gauss(0, nature.raw)
    return Member(
        number=number,
        name=rng.choice(NAMES),
        activity=rng.paretovariate(nature.activity),
        skill=rng.uniform(*nature.skill),
        side=rng.gauss(nature.side, nature.side_spread),
        length=rng.gauss(nature.length, nature.length_spread),
        guess=rng.uniform(*nature.guess),
        pace=rng.uniform(0.6, 2.0),
        taste={
            slug: rng.gauss(0, nature.taste) + raw * (kind is Kind.BASE)
            for slug, kind in kinds.items()
        },
        spam=spam,
    )


def _spam(members: int, nature: Nature, rng: Random) -> Sequence[Spam | None]:
    """Exactly the share of them, in turn of each sort, anywhere."""
    number = round(members * nature.spam)
    sorts: list[Spam | None] = [list(Spam)[at % len(Spam)] for at in range(number)]
    sorts += [None] * (members - number)
    rng.shuffle(sorts)
    return sorts
