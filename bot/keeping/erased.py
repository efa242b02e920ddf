"""Who had themselves erased, so that no backup brings them back."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from bot.dataset.pseudonyms import KEY_FILE, Pseudonyms
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from storage.database import Database

FILE = "erased.jsonl"
_KIND = "erased"
_NEVER = datetime.min.replace(tzinfo=UTC)


async def erase_again(store: Database, home: Path, *, at: datetime) -> tuple[int, ...]:
    """Erase whom a database that was brought back does not know to be erased; returns them.

    Raises ConfigError where the list is damaged, and StorageError.
    """
    again = Erased(home).among(await store.people.since())
    for member in again:
        await store.erasure.erase(member, at=at)
    if again:
        await store.erasure.rewrite_file()
    return again


class Erased:
    """A list of keyed hashes in the data folder, which tells nobody who they are.

    It lies outside of the database: what is in a backup knows nothing of what came later.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file = home / FILE

    def note(self, member_id: int, *, at: datetime) -> None:
        """Note an erasure, before it is done. Raises ConfigError where that cannot be written."""
        names = Pseudonyms.kept_in(self._home)
        line = {"member": names.of(_KIND, member_id), "at": at.isoformat(), "key": names.mark}
        try:
            with self._file.open("ab") as file:
                # On a line of its own, whatever a full disk left of the one before.
                file.write(b"\n" + orjson.dumps(line) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigError(
                f"{self._file} cannot be written ({error.strerror}), so nothing was erased. Make "
                "it and its folder writable, and try again."
            ) from None

    def among(self, since: Mapping[int, datetime]) -> tuple[int, ...]:
        """Those who have something from before they were erased last, by since when they have.

        Who came back after it has nothing as old. Raises ConfigError where the list is damaged,
        or was written under another key.
        """
        if not self._file.exists():
            return ()
        names = Pseudonyms.kept_in(self._home)
        erased: dict[str, datetime] = {}
        try:
            for line in filter(None, self._file.read_bytes().splitlines()):
                noted = orjson.loads(line)
                member, at = noted["member"], datetime.fromisoformat(noted["at"])
                if noted.get("key", names.mark) != names.mark:  # the first lines had none
                    raise ConfigError(
                        f"{self._file}, the list of the erased, was written under another "
                        f"{KEY_FILE} than the one beside it. Put that key back: without it a "
                        "backup would bring back who had themselves erased."
                    )
                erased[member] = max(at, erased.get(member, at))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"The list of the erased, {self._file}, cannot be read ({error}). Correct it: "
                "without it a backup would bring back who had themselves erased."
            ) from None
        return tuple(
            member
            for member, oldest in since.items()
            if oldest <= erased.get(names.of(_KIND, member), _NEVER)
        )
