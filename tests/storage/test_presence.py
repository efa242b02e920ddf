"""A file that was moved away under an open database, and one that is damaged."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from storage.database import Database, database_url
from storage.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_a_file_that_was_moved_away_is_not_used_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "twofold.db"
    async with Database.open(database_url(path)) as store:
        aside = path.rename(tmp_path / "aside.db")
        for use in (
            store.ping,
            store.require_sound,
            partial(store.contenders.register, (), at=NOON),
        ):
            with pytest.raises(StorageError, match="was removed or replaced"):
                await use()
        assert not path.exists(), "and none is begun in its place"
        aside.rename(path)
        await store.ping()


async def test_a_file_with_a_damaged_page_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "twofold.db"
    async with Database.open(database_url(path)) as store:
        await store.require_sound()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xa5" * 8192)
    with pytest.raises(StorageError, match="is damaged; restore a backup"):
        async with Database.open(database_url(path)) as store:
            await store.require_sound()
