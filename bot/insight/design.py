"""Davidson's model on votes that are taken together: chances, slopes and information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indexes = NDArray[np.intp]

WIN, LOSS, TIE = range(3)
"""What a vote said, by the first of its two contenders."""

HALVES = np.array([0.5, -0.5, 0.0])
"""What each outcome takes of the log odds: half for, half against, none."""

_TIED = np.array([0.0, 0.0, 1.0])


def sums(at: NDArray[np.integer], values: Floats, size: int) -> Floats:
    """Sums of values by where they are."""
    return np.asarray(np.bincount(at, values, size), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Which strengths and effects bear on each row; a row is votes that look the same.

    Parameters are `count` strengths, an effect for each column of features, and last the
    logarithm of what Davidson calls nu. Sources: Davidson (1970), J. Am. Stat. Assoc. 65,
    317-328; with features as Davidson and Beaver (1977), Biometrics 33, 693-702.
    """

    first: Indexes
    second: Indexes
    features: Floats
    count: int

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.count + len(self.features.T) + 1

    def of(self, rows: Indexes) -> Design:
        """The same for some rows only."""
        return Design(self.first[rows], self.second[rows], self.features[rows], self.count)

    def chances(self, parameters: Floats) -> Floats:
        """How likely a win, a loss and a tie are, by row."""
        odds = parameters[self.first] - parameters[self.second]
        odds = odds + self.features @ parameters[self.count : -1]
        scores = np.column_stack([odds / 2, -odds / 2, np.full(len(odds), parameters[-1])])
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        found: Floats = scores / scores.sum(axis=1, keepdims=True)
        return found

    def slope(self, chances: Floats, counts: Floats) -> Floats:
        """The slope of the likelihood where rows had these outcomes."""
        missing = counts - counts.sum(axis=1, keepdims=True) * chances
        return np.append(self._sums(missing @ HALVES), missing[:, TIE].sum())

    def information(self, chances: Floats, weight: Floats) -> Floats:
        """Fisher's information in rows of these weights."""
        lead, tied = chances @ HALVES, chances[:, TIE]
        return self._block(
            weight * ((1 - tied) / 4 - lead * lead),
            -weight * lead * tied,
            weight * tied * (1 - tied),
        )

    def scatter(self, chances: Floats, squares: Floats) -> Floats:
        """The sum over votes of the products of slopes; `squares` of weights by outcome."""
        lead = HALVES - (chances @ HALVES)[:, None]
        tied = _TIED - chances[:, TIE:]
        products = (lead * lead, lead * tied, tied * tied)
        return self._block(*((squares * product).sum(axis=1) for product in products))

    def _sums(self, values: Floats) -> Floats:
        by_contender = sums(self.first, values, self.count)
        by_contender -= sums(self.second, values, self.count)
        return np.append(by_contender, values @ self.features)

    def _block(self, odds: Floats, across: Floats, tied: Floats) -> Floats:
        """The matrix of sums over rows of products of what bears on the row."""
        count = self.count
        between = sums(self.first * count + self.second, odds, count * count)
        between = between.reshape(count, count)
        between = between + between.T
        found = np.zeros((self.size, self.size))
        found[:count, :count] = np.diag(between.sum(axis=0)) - between
        for at, feature in enumerate(self.features.T, count):
            found[at, :-1] = found[:-1, at] = self._sums(odds * feature)
        found[-1, :-1] = found[:-1, -1] = self._sums(across)
        found[-1, -1] = tied.sum()
        return found


def rows_of(
    first: NDArray[np.integer],
    second: NDArray[np.integer],
    count: int,
    features: Floats | None = None,
) -> tuple[Design, Indexes]:
    """The design of votes, and each vote's row: without features one for two contenders."""
    if features is not None:
        rows = first.astype(np.intp), second.astype(np.intp)
        return Design(*rows, features, count), np.arange(len(first))
    pair = first.astype(np.intp) * count + second
    met = np.flatnonzero(np.bincount(pair, minlength=count * count))
    place = np.zeros(count * count, np.intp)
    place[met] = range(len(met))
    return Design(met // count, met % count, np.empty((len(met), 0)), count), place[pair]
