"""A fixed database gives the files that are committed, and the same ones again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bot.dataset.files import Files, Kind, Packing
from storage.database import Database, database_url
from tests.unit import golden
from tests.unit.exports import export

if TYPE_CHECKING:
    from pathlib import Path

RENEW = (
    "The files of an export are other ones than before, for everybody. Where that is meant, "
    "`python -m tests.unit.golden` renews tests/unit/golden; look at the difference."
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    asyncio.run(golden.build(folder))
    return folder


@pytest.mark.parametrize("name", golden.FORMATS)
async def test_every_format_has_the_bytes_that_are_committed(home: Path, name: str) -> None:
    async with Database.open(database_url(home / "twofold.db")) as store:
        written = await golden.write(store, home / name, name)
    committed = golden.read(golden.HERE / name)
    assert list(written) == list(committed), RENEW
    for path, content in written.items():
        assert content.splitlines() == committed[path].splitlines(), f"{name}/{path}: {RENEW}"
        assert content == committed[path], RENEW


@pytest.mark.parametrize("name", ["dpo-chat", "arena"])
@pytest.mark.parametrize(
    "files",
    [
        Files(),
        Files(packing=Packing.GZ),
        Files(packing=Packing.ZST),
        Files(Kind.PARQUET),
        Files(Kind.PARQUET, Packing.GZ),
    ],
)
async def test_the_same_database_gives_the_same_bytes_in_every_kind_of_file(
    home: Path, tmp_path: Path, name: str, files: Files
) -> None:
    options = dict(golden.FORMATS[name])
    format_name = options.pop("format")
    async with Database.open(database_url(home / "twofold.db")) as store:
        for out in ("one", "two"):
            await export(store, tmp_path / out, format_name, files=files, **options)
    one, two = (
        {
            str(path.relative_to(tmp_path / out)): path.read_bytes()
            for path in (tmp_path / out).rglob("*")
            if path.is_file()
        }
        for out in ("one", "two")
    )
    assert one == two
    assert len(one) >= 5
