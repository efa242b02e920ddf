"""How sure a fit is where the votes of one voter go together: the sandwich."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bot.insight.arena import NOBODY
from bot.insight.clustering import degrees, pooled
from bot.insight.design import HALVES, TIE, sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bot.insight.design import Design, Floats, Indexes

LIGHT = 0.01
"""Who gave less than this part of every contender's votes is not left out: it changes nothing."""

_TINY = 1e-300


class Clustered(NamedTuple):
    """A covariance of all parameters.

    `degrees` of freedom are by contender, and the last ones of all votes; `voters` are the known
    ones by contender.
    """

    covariance: Floats
    degrees: Floats
    voters: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Votes by the row of a design that they are in."""

    design: Design
    row: Indexes
    outcome: NDArray[np.integer]
    weight: Floats
    voter: NDArray[np.int32]

    def where(self, chosen: NDArray[np.bool_]) -> Votes:
        """Some of them."""
        if chosen.all():
            return self
        return Votes(
            self.design,
            self.row[chosen],
            self.outcome[chosen],
            self.weight[chosen],
            self.voter[chosen],
        )

    def table(self, values: Floats) -> Floats:
        """Sums of the votes' values by row and outcome."""
        rows = len(self.design.first)
        return sums(self.row * 3 + self.outcome, values, rows * 3).reshape(rows, 3)

    def given(self) -> Floats:
        """The weight of each voter's votes by contender, and of all at the end."""
        design, row, weight = self.design, self.row, self.weight
        return self._by_voter(
            design.count + 1,
            (design.first[row], weight),
            (design.second[row], weight),
            (design.count, weight),
        )

    def slopes(self, chances: Floats) -> Floats:
        """What each voter's votes add to the slope of the likelihood."""
        design, row = self.design, self.row
        lead = self.weight * (HALVES[self.outcome] - (chances @ HALVES)[row])
        tied = self.weight * ((self.outcome == TIE) - chances[row, TIE])
        features = enumerate(design.features.T, design.count)
        return self._by_voter(
            design.size,
            (design.first[row], lead),
            (design.second[row], -lead),
            *((at, lead * feature[row]) for at, feature in features),
            (design.size - 1, tied),
        )

    def parts(self, voters: Indexes) -> Iterator[tuple[int, Indexes]]:
        """Which votes each of these voters gave."""
        theirs = np.flatnonzero(np.isin(self.voter, voters))
        theirs = theirs[np.argsort(self.voter[theirs], kind="stable")]
        ends = (np.searchsorted(self.voter[theirs], voters, end) for end in ("left", "right"))
        for voter, start, stop in zip(voters.tolist(), *ends, strict=True):
            yield voter, theirs[start:stop]

    def _by_voter(self, wide: int, *parts: tuple[Indexes | int, Floats]) -> Floats:
        """Sums of values by voter, in rows, and by the columns where each of them goes."""
        high = int(self.voter.max(initial=NOBODY)) + 1
        begin = self.voter.astype(np.intp) * wide
        place = np.concatenate([begin + at for at, _ in parts])
        values = np.concatenate([values for _, values in parts])
        return sums(place, values, high * wide).reshape(high, wide)


def clustered(votes: Votes, chances: Floats, information: Floats) -> Clustered:
    """The covariance of what was fitted to the votes, with the information that it rests on.

    It is the jackknife's: voters are left out in turn, each by one step of Newton's. Votes of
    NOBODY are taken to spread as much more than independent ones as those of known voters do.
    Sources: Liang and Zeger (1986), Biometrika 73, 13-22; leaving out, known as CV3, MacKinnon,
    Nielsen and Webb (2023), J. Econometrics 232, 272-299.
    """
    inverse = np.asarray(np.linalg.inv(information), np.float64)
    known = votes.voter != NOBODY
    theirs, others = votes.where(known), votes.where(~known)
    equal = replace(theirs, weight=np.ones(len(theirs.row)))
    weight, given = theirs.given(), equal.given()
    moved = _without_each(theirs, chances, information, inverse, weight)
    voters = max(int((given[:, -1] > 0).sum()), 1)
    covariance = np.asarray(moved.T @ moved) * (voters - 1) / voters
    freedom = degrees(weight, given)
    if len(others.row):
        alone = votes.design.scatter(chances, others.table(others.weight**2))
        alone = inverse @ alone @ inverse * _effect(equal, chances, inverse)
        covariance += alone
        part = float((information * alone).sum() / (information * covariance).sum())
        freedom = pooled(part, freedom, degrees(given))
    return Clustered(covariance, freedom, (given[:, :-1] > 0).sum(axis=0))


def _without_each(
    votes: Votes, chances: Floats, information: Floats, inverse: Floats, given: Floats
) -> Floats:
    """How far the parameters go without each voter."""
    slopes = votes.slopes(chances)
    moved = slopes @ inverse
    heavy = np.flatnonzero((given > LIGHT * given.sum(axis=0)).any(axis=1))
    for voter, part in votes.parts(heavy):
        rows, place = np.unique(votes.row[part], return_inverse=True)
        own = votes.design.of(rows).information(
            chances[rows], sums(place, votes.weight[part], len(rows))
        )
        moved[voter] = np.linalg.solve(information - own, slopes[voter])
    return moved


def _effect(votes: Votes, chances: Floats, inverse: Floats) -> float:
    """How much more votes spread than if each were of another voter; at least 1.

    The mean design effect of Rao and Scott (1981), J. Am. Stat. Assoc. 76, 221-230.
    """
    slopes = votes.slopes(chances)
    alone = votes.design.scatter(chances, votes.table(votes.weight**2))
    independent = float((inverse * alone).sum())
    return max(1.0, float((slopes @ inverse * slopes).sum()) / max(independent, _TINY))
