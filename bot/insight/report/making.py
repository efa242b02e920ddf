"""From the votes to a page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.insight.choosing import chosen, ranked
from bot.insight.clustering import share
from bot.insight.options import require_known
from bot.insight.places import for_base
from bot.insight.report.page import Page, Report, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bot.insight.arena import Arena
    from bot.insight.counting import Counting
    from bot.insight.report.texts import Reader
    from bot.insight.results import Estimate
    from bot.insight.service import InsightService

SPLIT = 5
"""Battles with evenly divided voters that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes the page of a report, as it is at the time. `limit` is how many battles it shows."""

    insight: InsightService
    reader: Reader
    counting: Counting
    limit: int
    clock: Callable[[], datetime]
    collection: str | None = None

    async def make(self, tell: Callable[[str], object] = lambda _: None) -> Page:
        """The page; `tell` is told what is being done.

        Raises ConfigError for names that no battle has, and StorageError.
        """
        tell("Reading the votes")
        counting = self.counting
        arena = await self.insight.arena(simulated=counting.simulated)
        require_known(arena, counting)
        stats = await self.insight.stats(counting)
        tell("Reading the texts")
        split = stats.agreement.split if stats.agreement else ()
        texts = await self.reader.read(
            arena,
            counting,
            limit=self.limit,
            named=split[:SPLIT],
            progress=lambda looked: tell(f"Reading the texts of {looked:,} battles"),
        )
        tell("Drawing the pictures")
        report = Report(
            stats=stats,
            base=await asyncio.to_thread(_of_base, arena, counting),
            texts=texts,
            showing=self.reader.showing,
            pseudonyms=self.reader.pseudonyms,
            at=self.clock(),
            collection=self.collection,
        )
        return await asyncio.to_thread(page, report)


def _of_base(arena: Arena, counting: Counting) -> Estimate | None:
    live = ranked(chosen(arena, counting), counting)
    decide, hits = for_base(live)
    return share(hits, live.voter[decide], weights=counting.weights) if len(hits) else None
