"""What a member's own votes say; for nobody else to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bot.insight.agreement import alike, tally
from bot.insight.arena import RIGHT, WRONG
from bot.insight.choosing import chosen, counted
from bot.insight.places import for_base
from bot.insight.results import Own

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bot.insight.arena import Arena
    from bot.insight.counting import Counting


def own(arena: Arena, member_id: int, counting: Counting) -> Own:
    """A member's votes on closed battles: all of them, and what the counted ones say.

    Nothing is known of who did not agree to be kept: then there are 0 votes.
    """
    there = chosen(arena, counting)
    given = np.isin(there.voter, np.flatnonzero(there.ids == member_id))
    theirs = np.bincount(there.of[given], minlength=len(there.battle)) > 0
    live = counted(there.keep(battles=theirs), counting)
    mine = np.isin(live.voter, np.flatnonzero(live.ids == member_id))
    same = alike(live, tally(live))[mine]
    same = same[~np.isnan(same)]
    decide, hits = for_base(live)
    hits = hits[mine[decide]]
    right = int((live.guess[mine] == RIGHT).sum())
    return Own(
        votes=int(given.sum()),
        agreed=_mean(same),
        shared=len(same),
        right=right,
        guesses=right + int((live.guess[mine] == WRONG).sum()),
        base=_mean(hits),
        decided=len(hits),
    )


def _mean(values: NDArray[np.float64 | np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None
