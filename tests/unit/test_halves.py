"""Two processes write what one would, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.community import build
from bot.dataset import halves
from bot.dataset.export import export
from bot.dataset.request import Means, Request
from bot.errors import TwofoldError
from bot.prompting import library
from bot.redaction import Redactor
from storage.database import Database, database_url
from storage.records import Consent
from tests.unit.exports import NAMES
from tests.unit.records import NOON

if TYPE_CHECKING:
    from pathlib import Path

VOTES = 1000


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "twofold.db"
    build(path, votes=VOTES)
    return database_url(path)


@pytest.fixture
def means() -> Means:
    return Means(pseudonyms=NAMES, redactor=Redactor(), templates=library({}))


@pytest.mark.parametrize("name", ["dpo", "arena"])
async def test_they_write_the_same_bytes_as_one(
    database: str, means: Means, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    request = Request(format=name, purpose=Consent.TRAIN)
    monkeypatch.setattr("bot.dataset.export.WORTH_IT", 1)
    async with Database.open(database) as store:
        for folder, url in (("one", None), ("two", database)):
            of = Means(
                pseudonyms=means.pseudonyms,
                redactor=means.redactor,
                templates=means.templates,
                url=url,
            )
            await export(store, request, of, out=tmp_path / folder, at=NOON)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


async def test_answers_that_went_on_are_not_parted(database: str) -> None:
    async with Database.open(database) as store:
        border = await store.voted.halfway()
        assert border == VOTES // 5 // 2 + 1
        async with store.voted._transactions.write() as connection:
            across = f"UPDATE battles SET parent_id = id - 30 WHERE id = {border + 10}"
            await connection.exec_driver_sql(across)
        assert await store.voted.halfway() == border - 20


async def test_a_process_that_ends_without_a_word_is_told(
    database: str, means: Means, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.dataset.export.WORTH_IT", 1)
    begun = halves.get_context("spawn").Process.start

    def killed(process: object) -> None:
        begun(process)
        process.kill()

    monkeypatch.setattr(halves.get_context("spawn").Process, "start", killed)
    of = Means(
        pseudonyms=means.pseudonyms,
        redactor=means.redactor,
        templates=means.templates,
        url=database,
    )
    async with Database.open(database) as store:
        with pytest.raises(TwofoldError, match="ended before it was done"):
            await export(
                store,
                Request(format="dpo", purpose=Consent.TRAIN),
                of,
                out=tmp_path / "out",
                at=NOON,
            )
    assert not contents(tmp_path / "out")
