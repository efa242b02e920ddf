"""Files that others wrote: imported, checked, or refused in a sentence, whatever is in them."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from bot.config import Config
from bot.dataset.importing.collection import Wanted, bring
from bot.dataset.importing.parts import Hashes
from bot.dataset.importing.read import rows
from bot.dataset.importing.skips import Skip, Skipped
from bot.dataset.importing.survey import understood
from bot.dataset.lint import telling
from bot.dataset.lint.checking import check
from bot.errors import ConfigError
from bot.moderation import WordModerator, read_words
from bot.redaction import Redactor
from tests.fuzz.cases import chosen, counting, fuzzed, require_sentence
from tests.fuzz.texts import any_text, as_lines, damaged, json_values, said, spoiled
from tests.unit import test_importing as importing
from tests.unit import test_lint as lint
from tests.unit.folders import ROWS, manifest
from tests.unit.records import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_55K = {
    "id": "1",
    "model_a": "a",
    "model_b": "b",
    "prompt": '["hello"]',
    "response_a": '["one"]',
    "response_b": '["two"]',
    "winner_model_a": "1",
    "winner_model_b": "0",
    "winner_tie": "0",
}
IMPORTED = [
    importing.row_33k(),
    importing.row_140k(),
    importing.pair(),
    importing.feedback(),
    dict(importing.OURS),
    OF_55K,
]
CHECKED = [*ROWS.values(), *IMPORTED[:2]]


def texts_in(value: Any, text: str) -> Any:
    """A row with a text at the end of each of its own, so that it stays what it is."""
    if isinstance(value, dict):
        return {key: texts_in(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [texts_in(one, text) for one in value]
    return f"{value} {text}" if isinstance(value, str) and " " in value else value


def found(shapes: list[Any]) -> st.SearchStrategy[Any]:
    """Rows of these shapes, whole with other texts, or spoiled."""
    shape = st.sampled_from(shapes)
    return st.one_of(st.builds(texts_in, shape, said), shape.flatmap(spoiled), json_values)


def as_csv(table: list[Any]) -> bytes:
    file = io.StringIO()
    kept = [row for row in table if isinstance(row, dict)] or [{"id": 1}]
    writer = csv.DictWriter(file, [str(key) for key in kept[0]], extrasaction="ignore")
    writer.writeheader()
    for row in kept:
        writer.writerow({key: str(value) for key, value in row.items()})
    return file.getvalue().encode("utf-8", "surrogatepass")


def as_parquet(table: list[Any]) -> bytes:
    """What Arrow can make a table of; other rows are left away one by one."""
    file = io.BytesIO()
    for keep in range(len(table), -1, -1):
        with suppress(Exception):
            kept = [row for row in table[:keep] if isinstance(row, dict)]
            parquet.write_table(pa.Table.from_pylist(kept or [{"id": 1}]), file)
            break
        file = io.BytesIO()
    return file.getvalue()


FORMS = {
    ".jsonl": lambda table: as_lines(*table),
    ".json": lambda table: json.dumps(table).encode(),
    ".csv": as_csv,
    ".parquet": as_parquet,
    ".jsonl.gz": lambda table: gzip.compress(as_lines(*table), 1),
    ".jsonl.zst": lambda table: zstandard.ZstdCompressor().compress(as_lines(*table)),
    ".csv.gz": lambda table: gzip.compress(as_csv(table), 1),
}


@st.composite
def contents(draw: st.DrawFn, table: list[Any], suffix: str) -> bytes:
    """A table as a file, mostly whole."""
    content = FORMS[suffix](table)
    return draw(damaged(content)) if draw(st.integers(0, 2)) == 0 else content


@fuzzed("import of rows")
@given(
    data=st.data(), table=st.lists(found(IMPORTED), max_size=3), suffix=st.sampled_from(list(FORMS))
)
def test_any_file_is_read_row_by_row_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, table: list[Any], suffix: str
) -> None:
    path = _folder(tmp_path_factory) / f"rows{suffix}"
    path.write_bytes(data.draw(contents(table, suffix)))
    hashes = Hashes("x")
    try:
        for row in rows(path):
            assert isinstance(row, dict | Skip)
            with suppress(Skipped, RecursionError):
                assert all(0 < battle.source < 2**63 for battle in understood(row, hashes))
    except ConfigError as refused:
        require_sentence(refused)


NUMBERS = count(1)


def _folder(factory: pytest.TempPathFactory) -> Path:
    """One for all cases of a test: each would be kept until the end."""
    folder = factory.getbasetemp() / "files"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


ROWS_EACH = 20


@chosen(each=ROWS_EACH)
@given(
    data=st.data(),
    table=st.lists(found(IMPORTED), min_size=ROWS_EACH, max_size=ROWS_EACH + 10),
    suffix=st.sampled_from(list(FORMS)),
    base=st.sampled_from([frozenset(), frozenset({"gpt-4"}), frozenset({"a b"})]),
)
def test_any_table_is_brought_into_a_collection_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    runner: asyncio.Runner,
    data: st.DataObject,
    table: list[Any],
    suffix: str,
    base: frozenset[str],
) -> None:
    counting("collections", len(table))
    home = _folder(tmp_path_factory)
    path = home / f"table{suffix}"
    path.write_bytes(data.draw(contents(table, suffix)))
    wanted = Wanted(
        name=f"theirs-{next(NUMBERS) // 50}",
        files=[path],
        base=base,
        licence="CC-BY-4.0",
        redact=Redactor().redact,
        at=NOON,
        language=lambda _: None,
    )
    try:
        brought = runner.run(bring(Config(home=home), wanted))
    except ConfigError as refused:
        require_sentence(refused)
        return
    if brought is not None:
        assert 0 <= brought.battles <= brought.rows
        assert brought.skips.total() <= brought.rows


LINTED = ("train.jsonl", "test.jsonl.gz", "dev.jsonl.zst", "train.parquet", "odd/votes.jsonl")


@chosen(each=3)
@given(
    data=st.data(),
    names=st.sets(st.sampled_from(LINTED), min_size=3, max_size=4),
    told=st.one_of(st.just(manifest()), spoiled(manifest()), json_values),
    card=said | st.just("---\nconfigs: [{config_name: x, data_files: [{split: train}]}]\n---\n"),
)
def test_any_folder_is_checked(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    names: set[str],
    told: Any,
    card: str,
) -> None:
    counting("lint", len(names))
    folder = _folder(tmp_path_factory) / "dataset"
    (folder / "odd").mkdir(parents=True, exist_ok=True)
    for old in LINTED:
        (folder / old).unlink(missing_ok=True)
    for name in sorted(names):
        table = data.draw(st.lists(found(CHECKED), max_size=4))
        (folder / name).write_bytes(data.draw(contents(table, "".join(Path(name).suffixes))))
    (folder / "manifest.json").write_text(json.dumps(told))
    (folder / "README.md").write_text(card, "utf-8", "replace")
    report = check(folder, lint.EVERYTHING)
    orjson.dumps(report.as_dict())
    telling.write(report, folder / telling.FILE_NAME)


@fuzzed("word lists")
@given(
    content=st.binary(max_size=80)
    | st.lists(said, max_size=5).map(lambda w: "\n".join(w).encode()),
    text=any_text,
)
def test_any_word_list_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner, content: bytes, text: str
) -> None:
    path = _folder(tmp_path_factory) / "words.txt"
    path.write_bytes(content)
    try:
        entries = read_words(path)
    except ConfigError as refused:
        require_sentence(refused)
        return
    moderator = WordModerator(entries)
    (found_in,) = runner.run(moderator.judge([text]))
    assert set(found_in) <= {"words"}
