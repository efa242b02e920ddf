"""Who had themselves erased, so that no backup brings them back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from bot.dataset.pseudonyms import Pseudonyms
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from storage.database import Database

FILE = "erased.jsonl"


async def erase_again(store: Database, home: Path, *, at: datetime) -> tuple[int, ...]:
    """Erase whom a database that was brought back does not know to be erased; returns them.

    It must not have been written since. Raises ConfigError where the list is damaged, and
    StorageError.
    """
    newest = await store.census.newest()
    if newest is None:
        return ()
    again = Erased(home).among(await store.people.ids(), since=newest)
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
        line = {"member": self._hash(member_id), "at": at.isoformat()}
        try:
            with self._file.open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")
        except OSError as error:
            raise ConfigError(
                f"{self._file} cannot be written ({error.strerror}), so nothing was erased. Make "
                "it and its folder writable, and try again."
            ) from None

    def among(self, member_ids: Iterable[int], *, since: datetime) -> tuple[int, ...]:
        """Those who were erased since a moment. Raises ConfigError where the list is damaged."""
        if not self._file.exists():
            return ()
        try:
            lines = [orjson.loads(line) for line in self._file.read_bytes().splitlines()]
            erased = {
                line["member"] for line in lines if datetime.fromisoformat(line["at"]) >= since
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"The list of the erased, {self._file}, cannot be read ({error}). Correct it: "
                "without it a backup would bring back who had themselves erased."
            ) from None
        return tuple(member for member in member_ids if self._hash(member) in erased)

    def _hash(self, member_id: int) -> str:
        return Pseudonyms.kept_in(self._home).of("erased", member_id)
