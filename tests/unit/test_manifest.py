"""What a manifest tells, and what it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.records import Contender, Kind
from tests.unit.exports import exported
from tests.unit.records import NOON
from tests.unit.town import AUTHOR, town

if TYPE_CHECKING:
    from pathlib import Path


async def test_models_in_folders_do_not_tell_where_they_lie(tmp_path: Path) -> None:
    async with town(tmp_path) as t:
        own = Contender(
            slug="base", kind=Kind.BASE, model="path:/home/dana/own-7b", fingerprint="print-0"
        )
        await t.store.contenders.register([own], at=NOON)
        await t.agree(AUTHOR)
        await t.vote(await t.battle("worse", "better"), AUTHOR, 0)
    (base, _) = (await exported(tmp_path))["contenders"]
    assert base["model"] == "path:own-7b"
    for told in ("manifest.json", "README.md"):
        assert "dana" not in (tmp_path / "out" / told).read_text()
