"""What the managers of a server get of its votes: an overview, and small exports.

Both read and write thousands of battles, which is work for the processor. It is done in a
thread with an event loop and a connection to the database of its own, one at a time.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import zipfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import orjson
import structlog

from bot.dataset import layout
from bot.dataset.card.sections import words
from bot.dataset.export import export
from bot.dataset.gate import require_permission
from bot.dataset.policy import Policy
from bot.dataset.pseudonyms import Pseudonyms
from bot.dataset.request import Means, Request
from bot.errors import ConfigError, TwofoldError
from bot.wording import count
from storage.database import Database
from storage.records import Consent, Purpose, effective

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from datetime import datetime

    from bot.config import Config
    from bot.governing import GuildService
    from bot.prompting import Framed
    from bot.redaction import Redactor
    from storage.records import Export

log = structlog.get_logger(__name__)

T = TypeVar("T")

MOST_BATTLES = 20_000
"""With votes, in a server: more are for the command line. They take some seconds."""
MOST_WRITTEN = 256 * 2**20
"""Bytes of rows, before they are packed; they lie in the temporary folder for that time."""
MOST_BYTES = 24 * 2**20
"""Discord takes 25 MiB in a request, whatever a server's limit for a file is."""
COOLDOWN = timedelta(minutes=1)
"""Between two exports of a server."""
REASONS = 3
"""Of why there are no rows; the largest ones."""

BUSY = "Another export is being made just now. Try again in a minute."
COUNTING = "I am counting already. It takes a few seconds."
STOPPING = "I am being restarted. Ask again in a minute."
TOO_MUCH = (
    f"There is too much here for an export in Discord: more than {MOST_BATTLES:,} battles with "
    f"votes, or {MOST_WRITTEN // 2**20} MiB of rows."
)
NO_VOTE = "Nobody has voted here yet, so there is nothing to export."
BROKEN = "The export could not be written on my side. The operator finds out why in the log."


class NotServed(TwofoldError):
    """There is no export to hand over; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An export as it is asked for in Discord. Without a `purpose` it is the most that may be."""

    format: str = "dpo"
    chat: bool = False
    purpose: Consent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """An export as one file: a folder in a zip archive."""

    name: str
    data: bytes
    manifest: Mapping[str, Any]


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
    """Makes them. `url` is that of the database."""

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
        self._url = url
        self._config = config
        self._guilds = guilds
        self._redactor = redactor
        self._templates = templates
        self._clock = clock
        self._turn = asyncio.Lock()
        self._stopping = threading.Event()
        self._exporting = False
        self._counting: set[int] = set()
        self._exported_at: dict[int, datetime] = {}

    async def overview(self, guild_id: int) -> Overview:
        """Count what there is. Raises NotServed where it is being counted, and StorageError."""
        if guild_id in self._counting:
            raise NotServed(COUNTING)
        self._counting.add(guild_id)
        try:
            cap = (await self._guilds.settings(guild_id)).consent_cap
            return await self._aside(lambda: self._overview(guild_id, cap))
        finally:
            self._counting.discard(guild_id)

    async def export(self, guild_id: int, wanted: Wanted, *, limit: int, by: int) -> Handed:
        """Make an export of one server's votes for the member `by`, of at most `limit` bytes.

        It is remembered as every export is. Raises ConfigError for a purpose that the
        operator has not allowed, NotServed where there is nothing to hand over or it is too
        large, and StorageError.
        """
        cap = (await self._guilds.settings(guild_id)).consent_cap
        purpose = wanted.purpose or self._most(cap)
        require_permission(purpose, training_export=self._config.training_export)
        if not cap.includes(purpose):
            raise NotServed(
                "Members here are not asked for that, so nothing of theirs may leave for it. "
                "Raise “The most members can allow” with /settings, and ask them to use /privacy."
            )
        with self._only_one(guild_id):
            handed = await self._aside(
                lambda: self._export(guild_id, wanted, purpose, min(limit, MOST_BYTES))
            )
        log.info(
            "an export was handed over in Discord",
            guild=guild_id,
            by=by,
            format=wanted.format,
            purpose=purpose.value,
            rows=handed.manifest["rows"],
            bytes=len(handed.data),
        )
        return handed

    async def close(self) -> None:
        """Break off what is being made, and wait until its files are gone."""
        self._stopping.set()
        async with self._turn:
            pass

    def _most(self, cap: Consent) -> Consent:
        """For training where that may be, for statistics elsewhere."""
        trains = self._config.training_export and cap.includes(Consent.TRAIN)
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

    async def _aside(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it in a thread, once that is free."""
        async with self._turn:
            if self._stopping.is_set():
                raise NotServed(STOPPING)
            try:
                return await asyncio.to_thread(lambda: asyncio.run(make()))
            except ConfigError:  # about folders and files, which are the operator's
                log.exception("an export failed")
                raise NotServed(BROKEN) from None

    async def _overview(self, guild_id: int, cap: Consent) -> Overview:
        purpose = self._most(cap)
        async with Database.open(self._url) as store:
            said = await store.census.people(guild_id)
            people = dict.fromkeys(Consent, 0)
            for word, number in said.items():
                people[effective(*word, cap)] += number
            manifest, row = await self._sample(store, guild_id, purpose)
            return Overview(
                purpose=purpose,
                cap=cap,
                training=self._config.training_export,
                battles=await store.census.battles(guild_id),
                people=people,
                manifest=manifest,
                row=row,
                last=await store.exports.newest_of(guild_id),
            )

    async def _sample(
        self, store: Database, guild_id: int, purpose: Consent
    ) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """The manifest of an export that nobody gets, and its first row."""
        with tempfile.TemporaryDirectory(prefix="twofold-") as place:
            try:
                await self._write(store, guild_id, Wanted(), purpose, Path(place), _only_look)
            except _LookedAt as found:
                return found.manifest, _first_row(Path(place), found.manifest)
            except _TooMuch:
                pass
        return None, None

    async def _export(self, guild_id: int, wanted: Wanted, purpose: Consent, limit: int) -> Handed:
        name = "-".join(("twofold", wanted.format, *["chat"] * wanted.chat, purpose.value))
        operator = f"The operator of this bot can make it: `{_command(guild_id, wanted, purpose)}`"
        with tempfile.TemporaryDirectory(prefix="twofold-") as place:
            folder, archive = Path(place, name), Path(place, f"{name}.zip")

            def check(manifest: Mapping[str, Any]) -> None:
                if not manifest["rows"]:
                    raise NotServed(_why_none(manifest))
                _pack(folder, archive)
                if (size := archive.stat().st_size) > limit:
                    raise NotServed(
                        f"The file has {_mebibytes(size)} MiB, and Discord takes at most "
                        f"{_mebibytes(limit)} here. {operator}"
                    )

            try:
                async with Database.open(self._url) as store:
                    manifest = await self._write(store, guild_id, wanted, purpose, folder, check)
            except _TooMuch:
                raise NotServed(f"{TOO_MUCH} {operator}") from None
            data = archive.read_bytes()  # noqa: ASYNC240 - nobody else is on this loop
            return Handed(name=archive.name, data=data, manifest=manifest)

    async def _write(
        self,
        store: Database,
        guild_id: int,
        wanted: Wanted,
        purpose: Consent,
        folder: Path,
        check: Callable[[Mapping[str, Any]], None],
    ) -> Mapping[str, Any]:
        def progress(battles: int) -> None:
            if self._stopping.is_set():
                raise NotServed(STOPPING)
            if battles > MOST_BATTLES or _size(folder) > MOST_WRITTEN:
                raise _TooMuch

        purposes = tuple(Purpose) if wanted.format == "raw" else (Purpose.LIVE,)
        return await export(
            store,
            Request(
                format=wanted.format,
                chat=wanted.chat,
                purpose=purpose,
                policy=Policy(guilds=(guild_id,), purposes=purposes),
            ),
            Means(
                pseudonyms=Pseudonyms.kept_in(self._config.home).within(guild_id),
                redactor=self._redactor,
                templates=self._templates,
            ),
            out=folder,
            at=self._clock(),
            progress=progress,
            check=check,
        )


class _LookedAt(Exception):
    def __init__(self, manifest: Mapping[str, Any]) -> None:
        super().__init__()
        self.manifest = manifest


class _TooMuch(Exception):
    pass


def _only_look(manifest: Mapping[str, Any]) -> NoReturn:
    raise _LookedAt(manifest)


def _first_row(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for path in layout.tables(manifest).get(layout.ONE_TABLE, {}).values():
        with folder.joinpath(path).open("rb") as file:
            row: Mapping[str, Any] = orjson.loads(file.readline())
            return row
    return None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder.parent))


def _why_none(manifest: Mapping[str, Any]) -> str:
    """One sentence with the largest reasons."""
    if not manifest["battles"]:
        return NO_VOTE
    reasons = Counter(manifest["funnel"]["left_out"]).most_common(REASONS)
    told = [f"{words()['left_out'][reason]} ({number:,})" for reason, number in reasons if number]
    return (
        f"None of {count(manifest['battles'], 'battle')} here can be in it: {', '.join(told)}. "
        "Members choose what may leave with /privacy."
    )


def _command(guild_id: int, wanted: Wanted, purpose: Consent) -> str:
    chat = " --chat" if wanted.chat else ""
    return (
        f"twofold export --format {wanted.format}{chat} --purpose {purpose.value} "
        f"--guild {guild_id} --out FOLDER"
    )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f}"
