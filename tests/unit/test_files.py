"""The files of an export come whole or not at all, and only its own are taken away."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
import zstandard

from bot.dataset.export import export as write
from bot.dataset.files import _BATCH, Files, Kind, Packing, Writer, line_of
from bot.dataset.request import Means, Request
from bot.errors import ConfigError
from bot.prompting import library
from bot.redaction import Redactor
from storage.records import Consent, Outcome
from tests.unit.exports import NAMES, export
from tests.unit.records import NOON
from tests.unit.town import AUTHOR, Town, town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

VOTER = 2**60 + 100
SPECS = {"": {"text": "string", "n": "int", "list": ["string"], "deep": {"x": "float"}}}
ROWS = [
    {"text": f"text {n} \u2028", "n": n, "list": ["a"] * (n % 3), "deep": {"x": n / 2}}
    for n in range(1203)
]
KINDS = [Files(kind, packing) for kind in Kind for packing in Packing]


def all_of(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("files", KINDS)
def test_rows_come_back_from_every_kind_of_file(tmp_path: Path, files: Files) -> None:
    with Writer(tmp_path, SPECS, files) as writer:
        for row in ROWS:
            writer.write("", "test", line_of(row))
        told = writer.finish()
    ((name, content),) = all_of(tmp_path).items()
    digest = hashlib.sha256(content).hexdigest()
    assert told == {name: {"rows": len(ROWS), "bytes": len(content), "sha256": digest}}
    if files.kind is Kind.PARQUET:
        assert pq.read_table(tmp_path / name).to_pylist() == ROWS
        return
    if files.packing is Packing.GZ:
        content = gzip.decompress(content)
    elif files.packing is Packing.ZST:
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    assert [json.loads(line) for line in content.split(b"\n")[:-1]] == ROWS


@pytest.mark.parametrize("files", KINDS)
def test_what_breaks_off_leaves_nothing_and_the_old_files_as_they_were(
    tmp_path: Path, files: Files
) -> None:
    old = tmp_path / files.path("", "train")
    old.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        _break_off(Writer(tmp_path, SPECS, files))
    assert all_of(tmp_path) == {old.name: b"old"}


def _break_off(writer: Writer) -> None:
    with writer:
        for split in ("train", "test"):
            for row in ROWS:
                writer.write("", split, line_of(row))
        writer.write("", "train", line_of({"n": 1 // 0}))


def test_a_row_of_another_type_is_refused_in_columns(tmp_path: Path) -> None:
    rows = ({**ROWS[0], "n": "one"}, {**ROWS[0], "more": 1})
    for row in rows:
        writer = Writer(tmp_path, SPECS, Files(Kind.PARQUET))
        writer.write("", "train", line_of(row))
        with pytest.raises(ValueError, match=r"JSON"), writer:
            writer.finish()
    assert all_of(tmp_path) == {}


@pytest.fixture
async def voted(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, VOTER)
        for choice in (0, 1, Outcome.TIE):
            await t.vote(await t.battle(), VOTER, choice)
        yield t


async def test_an_export_that_breaks_off_leaves_the_earlier_one(
    voted: Town, tmp_path: Path
) -> None:
    await export(voted.store, tmp_path / "out")
    before = all_of(tmp_path / "out")

    def fail(_: int) -> None:
        raise ConfigError("stop")

    await voted.vote(await voted.battle(), VOTER, 0)
    means = Means(pseudonyms=NAMES, redactor=Redactor(), templates=library({}))
    request = Request(format="dpo", purpose=Consent.TRAIN)
    with pytest.raises(ConfigError, match="stop"):
        await write(voted.store, request, means, out=tmp_path / "out", at=NOON, progress=fail)
    assert all_of(tmp_path / "out") == before
    assert len(await voted.store.exports.all()) == 1


async def test_files_that_the_new_export_has_not_go_away_and_nothing_else(
    voted: Town, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = await export(voted.store, tmp_path / "first", chat=True)
    theirs = {"notes.txt": b"mine", "more/train.jsonl": b"mine", "train.csv": b"mine"}
    for name, content in theirs.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    await export(voted.store, out, since=first, chat=True)
    assert "tombstones.jsonl" in all_of(out)
    manifest = await export(voted.store, out, "arena", files=Files(Kind.PARQUET))
    left = all_of(out)
    ours = {*manifest["files"], "manifest.json", "README.md"}
    pictures = {name for name in left if name.endswith(".png")}
    assert left.keys() == ours | pictures | theirs.keys()
    assert {name: left[name] for name in theirs} == theirs


HOSTILE = ("../train.jsonl", "../../train.jsonl", "/tmp/train.jsonl", "sub/../train.jsonl", ".", "")


@pytest.mark.parametrize(
    "manifest",
    [{"files": {name: {} for name in HOSTILE}}, {"files": ["../train.jsonl"]}, [], "x"],
)
async def test_a_manifest_of_somebody_else_deletes_nothing_of_theirs(
    voted: Town, tmp_path: Path, manifest: object
) -> None:
    out = tmp_path / "a" / "out"
    others = [tmp_path / "train.jsonl", tmp_path / "a" / "train.jsonl", out / "notes.txt"]
    out.mkdir(parents=True)
    for path in others:
        path.write_text("mine")
    (out / "manifest.json").write_text(json.dumps(manifest))
    await export(voted.store, out, "arena")
    assert [path.read_text() for path in others] == ["mine"] * 3


async def test_a_folder_that_cannot_be_written_is_a_sentence(voted: Town, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "taken" / "manifest.json").mkdir(parents=True)
    for name in ("file", "taken"):
        with pytest.raises(ConfigError, match=r"cannot be written: .*\. Choose another --out\."):
            await export(voted.store, tmp_path / name)


async def test_a_delta_does_not_take_the_place_of_what_it_is_a_delta_to(
    voted: Town, tmp_path: Path
) -> None:
    first = await export(voted.store, tmp_path / "out")
    before = all_of(tmp_path / "out")
    with pytest.raises(ConfigError, match="holds the very export that --since names"):
        await export(voted.store, tmp_path / "out", since=first)
    assert all_of(tmp_path / "out") == before


async def test_a_readme_of_somebody_else_stays(voted: Town, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match=r"has a README.md that no export wrote"):
        await export(voted.store, tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize("rows", [_BATCH - 1, _BATCH, 2 * _BATCH])
def test_parquet_takes_any_number_of_rows(tmp_path: Path, rows: int) -> None:
    with Writer(tmp_path, {"": {"n": "int"}}, Files(Kind.PARQUET)) as writer:
        for number in range(rows):
            writer.write("", "train", line_of({"n": number}))
        writer.finish()
    assert pq.read_table(tmp_path / "train.parquet").num_rows == rows
