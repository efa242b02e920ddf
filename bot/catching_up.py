"""What was said while nobody listened: from when on, and which of it is still to be answered."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bot.battles import BattleService
    from bot.governing import GuildService
    from storage.heard import HeardStore

MOST_BACK = timedelta(minutes=15)
"""Who waited longer for an answer does not wait any more."""

DISORDER = timedelta(seconds=1)
"""Messages may arrive in another order than that of their ids."""

REMEMBERED = 1000
"""Messages that were heard last, so that none of them is taken for missed."""

CHANNELS = "channels"
"""The setting that has everything in a channel answered."""


class Gap(NamedTuple):
    """What a shard may have missed: all since a moment, in so many interruptions."""

    since: datetime
    interruptions: int


class CatchingUpService:
    """Knows for each shard how far it heard, in moments of Discord's clock.

    A gap begins with a session that knows nothing of the one before, and ends when what was
    missed is answered; a restart before that looks for it again.
    """

    def __init__(
        self,
        *,
        heard: HeardStore,
        guilds: GuildService,
        battles: BattleService,
        clock: Callable[[], datetime],
    ) -> None:
        self._heard = heard
        self._guilds = guilds
        self._battles = battles
        self._clock = clock
        self._until: dict[int, datetime] = {}
        self._noted: dict[int, datetime] = {}
        self._earliest: datetime | None = None
        self._gaps: defaultdict[int, list[datetime]] = defaultdict(list)
        self._latest: deque[int] = deque(maxlen=REMEMBERED)

    async def start(self) -> None:
        """Learn how far earlier processes heard. Raises StorageError."""
        self._until = await self._heard.until()
        self._noted = dict(self._until)
        self._earliest = min(self._until.values(), default=None)

    def hears(self, shard_id: int, message_id: int, at: datetime) -> None:
        """A message was heard that was sent `at` this moment."""
        self._latest.append(message_id)
        self._until[shard_id] = max(at, self._until.get(shard_id, at))

    def interrupted(self, shard_id: int) -> None:
        """A session begins that knows nothing of what was before.

        A shard that is new has servers of others, where there were any: their number changed.
        """
        begins = self._earliest or self._clock()
        self._gaps[shard_id].append(self._until.setdefault(shard_id, begins))

    def gap(self, shard_id: int) -> Gap | None:
        """What the shard may have missed."""
        gaps = self._gaps[shard_id]
        if not gaps:
            return None
        return Gap(max(min(gaps) - DISORDER, self._clock() - MOST_BACK), len(gaps))

    def caught_up(self, shard_id: int, gap: Gap) -> None:
        """What was missed is answered; there may have been another interruption since."""
        del self._gaps[shard_id][: gap.interruptions]

    async def enabled_since(self, guild_id: int, channel_id: int) -> datetime | None:
        """When a channel was last enabled, as far as that is known. Raises StorageError."""
        for change in await self._guilds.history(guild_id):
            before, after = (cast("list[int]", v or []) for v in (change.before, change.after))
            if change.setting == CHANNELS and channel_id in after and channel_id not in before:
                return change.at
        return None

    async def missed(self, message_id: int, at: datetime) -> bool:
        """Whether a message of this moment was neither heard nor answered, and still may be.

        Raises StorageError.
        """
        if message_id in self._latest or at < self._clock() - MOST_BACK:
            return False
        return await self._battles.answered(message_id) is None

    async def keep(self) -> None:
        """Write down how far was heard without a gap, where that is news. Raises StorageError."""
        whole = {shard: min(self._gaps[shard], default=at) for shard, at in self._until.items()}
        news = {shard: at for shard, at in whole.items() if self._noted.get(shard) != at}
        if news:
            await self._heard.note(news)
            self._noted |= news
