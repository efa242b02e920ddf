"""What the managers of a server get of its votes: an overview, and small exports.

Both go through thousands of battles, which is work for the processor. It is done in a
thread with an event loop and a connection to the database of its own, one at a time.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from bot.dataset.gate import require_permission
from bot.dataset.parcel import STOPPING, NotServed, Parcels, Wanted
from bot.errors import ConfigError
from bot.wording import count
from storage.database import Database
from storage.records import Consent, effective

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from datetime import datetime

    from bot.config import Config
    from bot.dataset.parcel import Parcel
    from bot.governing import GuildService
    from bot.prompting import Framed
    from bot.redaction import Redactor
    from storage.records import Export

log = structlog.get_logger(__name__)

T = TypeVar("T")

COOLDOWN = timedelta(minutes=1)
"""Between two exports of a server."""

BUSY = "Another export is being made just now. Try again in a minute."
COUNTING = "I am counting already. It takes a few seconds."
BROKEN = "The export could not be written on my side. The operator finds out why in the log."
NOT_ASKED = (
    "Members here are not asked for that, so nothing of theirs may leave for it. Raise “The most "
    "members can allow” with /settings, and ask them to use /privacy."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What an export of a server would be.

    `people` are those who wrote or voted there, by what their word comes to. `manifest` and
    `row`, its first one, are those of a DPO export for `purpose`; there is none where there
    is too much to look at. `last` is the newest export with rows of the server, and how many
    battles of it that has. `training` is whether the operator has allowed training.
    """

    purpose: Consent
    cap: Consent
    training: bool
    battles: int
    people: Mapping[Consent, int]
    manifest: Mapping[str, Any] | None
    row: Mapping[str, Any] | None
    last: tuple[Export, int] | None


class ServingService:
    """Gives them out. `url` is that of the database."""

    def __init__(
        self,
        *,
        url: str,
        config: Config,
        guilds: GuildService,
        redactor: Redactor,
        templates: Mapping[str, Framed],
        clock: Callable[[], datetime],
    ) -> None:
        self._url, self._key = url, config.database_key
        self._training = config.training_export
        self._guilds = guilds
        self._clock = clock
        self._turn = asyncio.Lock()
        self._stopping = threading.Event()
        self._exporting = False
        self._counting: set[int] = set()
        self._exported_at: dict[int, datetime] = {}
        self._parcels = Parcels(
            home=config.home,
            redactor=redactor,
            templates=templates,
            system_prompt=config.system_prompt,
            clock=clock,
            stopping=self._stopping.is_set,
        )

    async def overview(self, guild_id: int) -> Overview:
        """Count what there is. Raises NotServed where it is being counted, and StorageError."""
        if guild_id in self._counting:
            raise NotServed(COUNTING)
        self._counting.add(guild_id)
        try:
            cap = (await self._guilds.settings(guild_id)).consent_cap
            return await self._aside(lambda store: self._overview(store, guild_id, cap))
        finally:
            self._counting.discard(guild_id)

    async def export(
        self,
        guild_id: int,
        *,
        format: str = "dpo",  # noqa: A002 - the command's word
        chat: bool = False,
        purpose: Consent | None = None,
        limit: int,
        by: int,
    ) -> Parcel:
        """Make an export of one server's votes for the member `by`, of at most `limit` bytes.

        Without a purpose it is for training where that may be, for statistics elsewhere. It
        is remembered as every export is. Raises ConfigError for a purpose that the operator
        has not allowed, NotServed where there is nothing to hand over, it is too large or too
        soon, and StorageError.
        """
        cap = (await self._guilds.settings(guild_id)).consent_cap
        purpose = purpose or self._most(cap)
        require_permission(purpose, training_export=self._training)
        if not cap.includes(purpose):
            raise NotServed(NOT_ASKED)
        wanted = Wanted(guild_id=guild_id, purpose=purpose, format=format, chat=chat)
        with self._only_one(guild_id):
            made = await self._aside(lambda store: self._parcels.make(store, wanted, limit=limit))
        log.info(
            "an export was made in Discord",
            guild=guild_id,
            by=by,
            format=format,
            chat=chat,
            purpose=purpose.value,
            rows=made.manifest["rows"],
            bytes=len(made.data),
        )
        return made

    async def close(self) -> None:
        """Break off what is being made, and wait until its files are gone."""
        self._stopping.set()
        async with self._turn:
            pass

    def _most(self, cap: Consent) -> Consent:
        trains = self._training and cap.includes(Consent.TRAIN)
        return Consent.TRAIN if trains else Consent.EVALUATE

    @contextmanager
    def _only_one(self, guild_id: int) -> Iterator[None]:
        """Keep to one export at a time, and one a minute for a server."""
        if self._exporting:
            raise NotServed(BUSY)
        now = self._clock()
        recent = {g: at for g, at in self._exported_at.items() if now - at < COOLDOWN}
        if guild_id in recent:
            seconds = (COOLDOWN - (now - recent[guild_id])).total_seconds()
            raise NotServed(
                "This server has asked for an export within the last minute. Try again in "
                f"{count(round(seconds) or 1, 'second')}."
            )
        self._exported_at = {**recent, guild_id: now}
        self._exporting = True
        try:
            yield
        finally:
            self._exporting = False

    async def _aside(self, work: Callable[[Database], Awaitable[T]]) -> T:
        """Do it in a thread, once that is free."""

        async def connected() -> T:
            async with Database.open(self._url, key=self._key) as store:
                return await work(store)

        async with self._turn:
            if self._stopping.is_set():
                raise NotServed(STOPPING)
            try:
                return await asyncio.to_thread(lambda: asyncio.run(connected()))
            except ConfigError:  # about folders and files, which are the operator's
                log.exception("an export failed")
                raise NotServed(BROKEN) from None

    async def _overview(self, store: Database, guild_id: int, cap: Consent) -> Overview:
        purpose = self._most(cap)
        people = dict.fromkeys(Consent, 0)
        for word, number in (await store.census.people(guild_id)).items():
            people[effective(*word, cap)] += number
        wanted = Wanted(guild_id=guild_id, purpose=purpose)
        manifest, row = await self._parcels.look(store, wanted) or (None, None)
        return Overview(
            purpose=purpose,
            cap=cap,
            training=self._training,
            battles=await store.census.battles(guild_id),
            people=people,
            manifest=manifest,
            row=row,
            last=await store.exports.newest_of(guild_id),
        )
