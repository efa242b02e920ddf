"""What rankings count, contender by contender."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.insight.arena import Gathering
from bot.insight.counting import Counting
from bot.insight.kept import read
from bot.insight.leaderboard import leaderboard

if TYPE_CHECKING:
    from storage.database import Database


async def standings(
    store: Database, counting: Counting | None = None
) -> dict[str, tuple[int, int, int, int]]:
    """How often each contender won, lost, tied, and was as bad as the other, by slug."""
    counting = counting or Counting()
    arena = await read(store.arena, Gathering({}), simulated=counting.simulated)
    return {
        line.entrant.slug: (line.wins, line.losses, line.ties, line.both_bad)
        for line in leaderboard(arena, counting).lines
    }
