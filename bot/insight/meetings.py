"""Who met whom, and how that went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bot.insight.arena import BOTH_BAD, TIE, A, B
from bot.insight.clustering import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bot.insight.counting import Weights
    from bot.insight.results import Estimate


class Meetings:
    """Votes by the two contenders, of `count`, that they are about.

    `wins` has the votes for each contender, by row, against each other one; `ties` and `bad` how
    often these two tied or were both bad.
    """

    def __init__(
        self,
        first: NDArray[np.integer],
        second: NDArray[np.integer],
        outcome: NDArray[np.int8],
        voter: NDArray[np.int32],
        *,
        count: int,
        weights: Weights,
    ) -> None:
        self._weights = weights
        pair = first.astype(np.intp) * count + second
        table = np.bincount(pair * 4 + outcome, minlength=count * count * 4)
        table = table.reshape(count, count, 4)
        self.wins = table[:, :, A] + table[:, :, B].T
        self.ties, self.bad = (table[:, :, said] + table[:, :, said].T for said in (TIE, BOTH_BAD))
        decided = outcome < TIE
        one, other = np.divmod(np.arange(count * count), count)
        # numpy sorts small numbers in one pass
        two = (np.minimum(one, other) * count + np.maximum(one, other)).astype(
            np.min_scalar_type(count * count)
        )[pair[decided]]
        hits = (outcome[decided] == A) == (one < other)[pair[decided]]
        order = np.argsort(two, kind="stable")
        ends_at = np.cumsum(np.bincount(two, minlength=count * count))[:-1]
        self._decided = list(
            zip(
                np.split(hits[order], ends_at),
                np.split(voter[decided][order], ends_at),
                strict=True,
            )
        )

    def votes(self) -> NDArray[np.int64]:
        """How many votes there are on each two."""
        found: NDArray[np.int64] = self.wins + self.wins.T + self.ties + self.bad
        return found

    def between(self, first: int, second: int) -> Estimate:
        """The share of decided votes that the first won against the second."""
        return self._share([self._against(first, second)])

    def ahead(self, one: int) -> Estimate:
        """The share of decided votes that a contender won."""
        others = range(len(self.wins))
        return self._share([self._against(one, other) for other in others if other != one])

    def _against(self, first: int, second: int) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
        low, high = min(first, second), max(first, second)
        hits, voter = self._decided[low * len(self.wins) + high]
        return (hits if first == low else ~hits), voter

    def _share(self, parts: list[tuple[NDArray[np.bool_], NDArray[np.int32]]]) -> Estimate:
        hits, voter = zip(_NONE, *parts, strict=True)
        return share(np.concatenate(hits), np.concatenate(voter), weights=self._weights)


_NONE = (np.empty(0, bool), np.empty(0, np.int32))
