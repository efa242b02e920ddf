"""RetentionService: what is kept without consent is kept for running only, and then wiped."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from storage.records import Consent, Wiped
from storage.retention import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    from bot.governing import GuildService
    from bot.guilds import GuildSettings
    from storage.retention import RetentionStore, Withdrawn
    from storage.shards import Shards

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=10)
"""A round reads about all that is kept, so there are only some in an hour."""

REVEALING = timedelta(hours=1)
"""How long a closed battle waits for its message to say who was who, which needs its texts."""

REMEMBERED = timedelta(hours=1)
"""How long it is known that a message was deleted: a battle may just be made of it."""

BATCH = 100
"""Battles wiped in one transaction; votes that come in between do not wait for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one round did: battles wiped, and votes that became nobody's."""

    battles: int = 0
    votes: int = 0


class RetentionService:
    """Finds what is kept too long, and wipes it. `hours` is the operator's window.

    Of several processes the one with shard 0 does so for all. Every method raises StorageError
    when the database cannot do it.
    """

    def __init__(
        self,
        *,
        store: RetentionStore,
        guilds: GuildService,
        hours: int,
        clock: Callable[[], datetime],
        shards: Shards,
    ) -> None:
        self._store = store
        self._guilds = guilds
        self._hours = hours
        self._clock = clock
        self._shards = shards
        self._swept_at: datetime | None = None
        self._overwritten = True
        self._deleted: dict[int, datetime] = {}

    def hours(self, settings: GuildSettings) -> int:
        """The window of a guild: its own, but never a longer one than the operator's."""
        return min(self._hours, settings.retention_hours or self._hours)

    async def due(self) -> tuple[int, ...]:
        """The open battles that must be closed now: too old, and somebody did not agree.

        That is somebody whose words they hold, or who voted on them.
        """
        if not self._shards.first:
            return ()
        return tuple(
            [
                battle_id
                for window in await self._windows()
                for battle_id in await self._store.lapsed_open(window)
            ]
        )

    async def sweep(self) -> Swept:
        """Wipe all that is kept too long, unless a round was just done.

        Battles that are open or being answered are left; `due` is for those. What was wiped
        is overwritten in the file at the end of each round, whoever wiped it; where a reader
        is in the way, that is tried again at every call.
        """
        now = self._clock()
        if self._swept_at is not None and now - self._swept_at < EVERY:
            if not self._overwritten:
                await self._overwrite()
            return Swept()
        self._swept_at = now
        await self._wipe_deleted_meanwhile(now)
        if not self._shards.first:
            return Swept()
        swept = Swept(battles=await self._wipe_texts(), votes=await self._forget_voters())
        await self._overwrite()
        if swept != Swept():
            log.info("wiped what nobody agreed to", battles=swept.battles, votes=swept.votes)
        return swept

    async def deleted(self, message_ids: Collection[int]) -> tuple[Withdrawn, ...]:
        """Messages were deleted: wipe every battle that holds one of them, or that they show.

        Open ones that answer one of them, or that they show, are cancelled, and returned so
        that their messages can say so. Other open ones are closed.
        """
        now = self._clock()
        self._deleted.update(dict.fromkeys(message_ids, now))
        withdrawn = await self._store.deleted(message_ids, Wiped.DELETED, at=now)
        if withdrawn is None:
            return ()
        await self._overwrite()
        return withdrawn

    async def edited(self, message_id: int) -> None:
        """A message was edited: what holds it is marked, once."""
        await self._store.edited(message_id, at=self._clock())

    async def _windows(self) -> Sequence[Window]:
        """All guilds, by what holds in them."""
        rules: dict[tuple[int, bool], set[int]] = defaultdict(set)
        for guild_id in await self._store.guilds_with_rules():
            settings = await self._guilds.settings(guild_id)
            rules[self._rule(settings)].add(guild_id)
        usual = self._rule(await self._guilds.settings(None))
        rules.pop(usual, None)
        others = frozenset(guild_id for guilds in rules.values() for guild_id in guilds)
        return [
            self._window(usual, others, elsewhere=True),
            *(self._window(rule, frozenset(guilds)) for rule, guilds in rules.items()),
        ]

    def _rule(self, settings: GuildSettings) -> tuple[int, bool]:
        return self.hours(settings), settings.consent_cap is not Consent.NONE

    def _window(
        self, rule: tuple[int, bool], guilds: frozenset[int], *, elsewhere: bool = False
    ) -> Window:
        hours, may_ask = rule
        now = self._clock()
        return Window(
            made_before=now - timedelta(hours=hours),
            unrevealed_before=now - REVEALING,
            guilds=guilds,
            elsewhere=elsewhere,
            may_ask=may_ask,
        )

    async def _wipe_texts(self) -> int:
        wiped = 0
        for window in await self._windows():
            for some in _batches(await self._store.lapsed(window)):
                await self._store.wipe(some, Wiped.RETENTION, at=self._clock())
                wiped += len(some)
        return wiped

    async def _forget_voters(self) -> int:
        votes = 0
        for window in await self._windows():
            for some in _batches(await self._store.lapsed_voters(window)):
                votes += await self._store.forget_voters(some, window)
        return votes

    async def _overwrite(self) -> None:
        self._overwritten = await self._store.overwrite()

    async def _wipe_deleted_meanwhile(self, now: datetime) -> None:
        """A message may go while it is read for a battle, or while that is answered."""
        self._deleted = {
            message: at for message, at in self._deleted.items() if now - at < REMEMBERED
        }
        for some in _batches(tuple(self._deleted)):
            await self._store.deleted(some, Wiped.DELETED, at=now)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
