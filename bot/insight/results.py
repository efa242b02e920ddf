"""What is found in the votes, as everything that tells of it takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from bot.insight.arena import Entrant
    from bot.insight.counting import Counting
    from storage.records import Kind


BLIND = 0.2
"""Up to here Bang's index is taken for blind."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the 95 % interval that goes with it.

    The interval takes votes of one voter together. It is NaN to NaN where there are too few
    voters to tell.
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval, without which nothing is claimed."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def spans(self, value: float) -> bool:
        """Whether the figure may as well be this one; True where nobody can tell."""
        return not (value < self.low or value > self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One contender in a ranking.

    `score` is in points: 400 for ten to one, 1000 the mean of all. `best` and `worst` are the
    ranks, from 1, that the intervals allow. `ahead` is the share of its decided votes that it
    won. `told` is whether there are votes and voters enough to say anything.
    """

    entrant: Entrant
    score: Estimate
    best: int
    worst: int
    ahead: Estimate
    wins: int
    losses: int
    ties: int
    both_bad: int
    battles: int
    voters: int
    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Two contenders against each other. `ahead` is the first one's share of decided votes."""

    first: str
    second: str
    ahead: Estimate
    wins: int
    losses: int
    undecided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One contender in a line of descent; where the line begins, `generation` is 0.

    `over_parent` is its share of decided votes against what it was trained from, and `decided`
    how many they are; None where the line begins. The score is not known where there are too
    few votes to say anything.
    """

    entrant: Entrant
    generation: int
    score: Estimate
    over_parent: Estimate | None
    decided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """A ranking, the best first. `descent` has each line of descent, the eldest first.

    `tie` is how likely two equally strong ones are to tie (in Davidson's model); `not_counted`
    how many votes were left out, by reason.
    """

    counting: Counting
    lines: tuple[Line, ...]
    meetings: tuple[Meeting, ...]
    votes: int
    battles: int
    voters: int
    tie: float
    not_counted: Mapping[str, int]
    first_day: date | None
    last_day: date | None
    descent: tuple[tuple[Generation, ...], ...] = ()

    @property
    def kinds(self) -> dict[str, Kind]:
        """What sort of model each contender is."""
        return {line.entrant.slug: line.entrant.kind for line in self.lines}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something besides the models that moves votes, as a share of votes.

    `neutral` is the share without it, `votes` how many it rests on. It is an alarm where the
    interval leaves `neutral` out and the figure is off by more than `harmless`.
    """

    name: str
    meaning: str
    estimate: Estimate
    neutral: float
    harmless: float
    votes: int

    @property
    def alarm(self) -> bool:
        """Whether somebody should look into it."""
        off = abs(self.estimate.value - self.neutral) > self.harmless
        return off and not self.estimate.spans(self.neutral)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blinding:
    """How often voters told the base model from the other.

    `guessed` is the share of right ones among guesses, half by chance; `index` is Bang's, from
    -1 to 1, 0 by chance, with "not sure" in the count. `preferred` are the shares of decided
    votes for the base model of those who guessed right, wrong, and were not sure.
    """

    right: int
    wrong: int
    not_sure: int
    guessed: Estimate
    index: Estimate
    preferred: Mapping[str, Estimate]

    @property
    def alarm(self) -> bool:
        """Whether voters see through it: in medicine, an index up to 0.2 is taken for blind."""
        return self.index.low > 0 and self.index.value > BLIND


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreeing:
    """How far voters of the same battles agree.

    `alpha` is Krippendorff's for nominal data, NaN where all said one thing of all; `pairwise`
    how often another voter of a battle said the same. `split` are battles on whose better
    answer voters were divided evenly, the most voted first.
    """

    alpha: float
    pairwise: Estimate
    battles: int
    split: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The base models within one topic, language, template, channel or server.

    `ahead` is their share of decided votes against others; `votes` and `battles` are how many
    it rests on.
    """

    name: str
    ahead: Estimate
    votes: int
    battles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The scores over time, by Elo: each day's last, by contender, NaN before its first vote."""

    days: tuple[date, ...]
    scores: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """All that is found of some votes."""

    leaderboard: Leaderboard
    styled: Leaderboard | None
    effects: tuple[Effect, ...]
    blinding: Blinding | None
    agreement: Agreeing | None
    channels: Mapping[int, Agreeing]
    topics: tuple[Place, ...]
    languages: tuple[Place, ...]
    templates: tuple[Place, ...]
    course: Course
    votes_by_day: tuple[tuple[date, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What a member's own votes say; `votes` are all of them, the rest is of counted ones.

    `agreed` is how often another voter said the same, over the `shared` votes on battles that
    others voted on; `guesses` are right and wrong ones; `base` is the share for the base model
    of the `decided` votes between one and another.
    """

    votes: int
    agreed: float | None
    shared: int
    right: int
    guesses: int
    base: float | None
    decided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What a channel's week was like.

    `upset` is the battle whose winner was the least likely, `base` the one in which a raw
    completion got the most votes; None where nothing was. `closest` are the two contenders
    whose scores are the nearest, `ahead` the one with the highest score, of those that met in
    the channel that week.
    """

    battles: int
    votes: int
    voters: int
    upset: int | None
    base: int | None
    closest: tuple[str, str] | None
    ahead: str | None
