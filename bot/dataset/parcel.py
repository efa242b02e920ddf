"""A small export of one server: the folder as one file, or only a look at it."""

from __future__ import annotations

import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from bot.dataset import layout
from bot.dataset.card.sections import why
from bot.dataset.export import export
from bot.dataset.formats.registry import purposes_of
from bot.dataset.policy import Policy
from bot.dataset.pseudonyms import Pseudonyms
from bot.dataset.request import Means, Request
from bot.disk import size_of
from bot.errors import TwofoldError
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from bot.prompting import Framed
    from bot.redaction import Redactor
    from storage.database import Database
    from storage.records import Consent

MOST_BATTLES = 20_000
"""With votes, in a server: more are for the command line. They take some seconds."""
MOST_WRITTEN = 256 * 2**20
"""Bytes of rows, before they are packed; they lie in the temporary folder for that time."""
MOST_BYTES = 24 * 2**20
"""Discord takes 25 MiB in a request, whatever a server's limit for a file is."""
REASONS = 3
"""Of why there are no rows; the largest ones."""

STOPPING = "I am being restarted. Ask again in a minute."
NO_VOTE = "Nobody has voted here yet, so there is nothing to export."


class NotServed(TwofoldError):
    """There is no export to hand over; the message says why and what to do."""


class TooMuch(NotServed):
    """There is more than should be gone through while the bot is at its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An export as it is asked for in Discord."""

    guild_id: int
    purpose: Consent
    format: str = "dpo"
    chat: bool = False

    @property
    def name(self) -> str:
        """Of the folder."""
        return "-".join(("twofold", self.format, *["chat"] * self.chat, self.purpose.value))

    @property
    def from_operator(self) -> str:
        """How to get it where it is too large for Discord."""
        chat = " --chat" if self.chat else ""
        return (
            "The operator of this bot can make it: "
            f"`twofold export --format {self.format}{chat} --purpose {self.purpose.value} "
            f"--guild {self.guild_id} --out FOLDER`"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An export as one file: its folder in a zip archive."""

    name: str
    data: bytes
    manifest: Mapping[str, Any]


class Parcels:
    """Makes them. `home` has the key for ids, `stopping` says that there is no time left.

    Ids are hashed so that they are the same in all exports of a server, and join with those
    of no other and with none of the operator's.
    """

    def __init__(
        self,
        *,
        home: Path,
        redactor: Redactor,
        templates: Mapping[str, Framed],
        system_prompt: str,
        clock: Callable[[], datetime],
        stopping: Callable[[], bool],
    ) -> None:
        self._home = home
        self._redactor = redactor
        self._templates = templates
        self._system_prompt = system_prompt
        self._clock = clock
        self._stopping = stopping

    async def make(self, store: Database, wanted: Wanted, *, limit: int) -> Parcel:
        """Make one of at most `limit` bytes, which is remembered as every export is.

        Raises NotServed where it is empty or too large, ConfigError where it cannot be
        written, and StorageError.
        """
        with tempfile.TemporaryDirectory(prefix="twofold-") as place:
            folder, archive = Path(place, wanted.name), Path(place, f"{wanted.name}.zip")

            def check(manifest: Mapping[str, Any]) -> None:
                if not manifest["rows"]:
                    raise NotServed(_why_none(manifest))
                _pack(folder, archive)
                size, most = archive.stat().st_size, min(limit, MOST_BYTES)
                if size > most:
                    raise NotServed(
                        f"The file has {_mebibytes(size)} MiB, and Discord takes at most "
                        f"{_mebibytes(most)} here. {wanted.from_operator}"
                    )

            manifest = await self._write(store, wanted, folder, check)
            data = archive.read_bytes()  # noqa: ASYNC240 - nobody else is on this loop
            return Parcel(name=archive.name, data=data, manifest=manifest)

    async def look(
        self, store: Database, wanted: Wanted
    ) -> tuple[Mapping[str, Any], Mapping[str, Any] | None] | None:
        """The manifest of an export that nobody gets, and its first row.

        None where there is too much of it. Of its files nothing stays. Raises as `make`.
        """
        with tempfile.TemporaryDirectory(prefix="twofold-") as place:
            try:
                await self._write(store, wanted, Path(place), _only_look)
            except _LookedAt as found:
                return found.manifest, _first_row(Path(place), found.manifest)
            except TooMuch:
                pass
        return None

    async def _write(
        self,
        store: Database,
        wanted: Wanted,
        folder: Path,
        check: Callable[[Mapping[str, Any]], None],
    ) -> Mapping[str, Any]:
        def progress(battles: int) -> None:
            if self._stopping():
                raise NotServed(STOPPING)
            if battles > MOST_BATTLES or size_of(folder) > MOST_WRITTEN:
                raise TooMuch(
                    f"There is too much here for an export in Discord: more than {MOST_BATTLES:,} "
                    f"battles with votes, or {_mebibytes(MOST_WRITTEN)} MiB of rows. "
                    f"{wanted.from_operator}"
                )

        return await export(
            store,
            Request(
                format=wanted.format,
                chat=wanted.chat,
                purpose=wanted.purpose,
                policy=Policy(guilds=(wanted.guild_id,), purposes=purposes_of(wanted.format)),
            ),
            Means(
                pseudonyms=Pseudonyms.kept_in(self._home).within(wanted.guild_id),
                redactor=self._redactor,
                templates=self._templates,
                system_prompt=self._system_prompt,
            ),
            out=folder,
            at=self._clock(),
            progress=progress,
            check=check,
        )


class _LookedAt(Exception):
    """What makes an export one that nobody gets."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        super().__init__()
        self.manifest = manifest


def _only_look(manifest: Mapping[str, Any]) -> NoReturn:
    raise _LookedAt(manifest)


def _first_row(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for path in layout.tables(manifest).get(layout.ONE_TABLE, {}).values():
        with folder.joinpath(path).open("rb") as file:
            row: Mapping[str, Any] = orjson.loads(file.readline())
            return row
    return None


def _pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder.parent))


def _why_none(manifest: Mapping[str, Any]) -> str:
    """One sentence with the largest reasons."""
    if not manifest["battles"]:
        return NO_VOTE
    reasons = Counter(manifest["funnel"]["left_out"]).most_common(REASONS)
    told = [f"{why('left_out', reason)} ({number:,})" for reason, number in reasons if number]
    return (
        f"None of {count(manifest['battles'], 'battle')} here can be in it: {', '.join(told)}. "
        "Members choose what may leave with /privacy."
    )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f}"
