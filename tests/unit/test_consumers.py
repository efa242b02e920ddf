"""Exports as those read them that they are for: `datasets`, providers, leaderboards."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import datasets
import pytest

from bot.dataset.files import Files, Kind, Packing
from bot.dataset.formats import Making
from bot.dataset.formats.registry import CHATS, FORMATS
from bot.dataset.layout import SPLITS
from bot.dataset.policy import Policy
from storage.database import Database, database_url
from tests.unit.answered import TIE, VOTERS, answered
from tests.unit.counts import standings
from tests.unit.exports import NAMES, export, exported, rows
from tests.unit.town import AUTHOR, town

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIANTS = [(name, chat) for name in FORMATS for chat in sorted({False, name in CHATS})]
FILES = [Files(), Files(packing=Packing.GZ), Files(packing=Packing.ZST), Files(Kind.PARQUET)]
THIRDS = {"validation": 0.3, "test": 0.3}
TYPES = {"string": "string", "int": "int64", "float": "float64", "bool": "bool", "day": "date32"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answered")
    asyncio.run(answered(folder))
    return folder


def tables(name: str, *, chat: bool) -> Mapping[str, Mapping[str, Any]]:
    making = Making(policy=Policy(), selector=None, pseudonyms=NAMES, templates={}, chat=chat)
    return FORMATS[name](making).tables


def loaded(folder: Path, table: str = "") -> datasets.DatasetDict:
    cache = str(folder.parent / f"{folder.name}-cache")
    return datasets.load_dataset(str(folder), table or "default", cache_dir=cache)


def typed(spec: Any) -> Any:
    """What a format's table says of a column, as `datasets` says it."""
    if isinstance(spec, dict):
        return {name: typed(inner) for name, inner in spec.items()}
    return datasets.List(typed(spec[0])) if isinstance(spec, list) else datasets.Value(TYPES[spec])


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()
    }


@pytest.mark.parametrize(("name", "chat"), VARIANTS)
@pytest.mark.parametrize("files", FILES, ids=["jsonl", "gz", "zst", "parquet"])
async def test_datasets_loads_what_was_written(
    home: Path, tmp_path: Path, name: str, files: Files, *, chat: bool
) -> None:
    written = home / f"{name}-{chat}"
    if not written.exists():
        await exported(home, written.name, name, chat=chat, **THIRDS)
    folder = tmp_path / "folder"
    manifest = await exported(home, str(folder), name, chat=chat, files=files, **THIRDS)
    splits: Counter[str] = Counter()
    for table, columns in tables(name, chat=chat).items():
        data = loaded(folder, table)
        splits += Counter({split: len(part) for split, part in data.items()})
        for part in data.values():
            assert part.features == {column: typed(spec) for column, spec in columns.items()}
        found = [plain(row) for _, part in sorted(data.items()) for row in part]
        assert found == rows(written, table)
    assert splits == manifest["splits"]
    assert splits.keys() == ({"train"} if name in {"arena", "raw"} else set(SPLITS))


async def test_a_list_that_is_empty_in_one_split_has_texts_in_another(
    home: Path, tmp_path: Path
) -> None:
    await exported(home, str(tmp_path), "dpo", **THIRDS)
    data = loaded(tmp_path)
    tagged = {split for split, part in data.items() if any(part["chosen_tags"])}
    assert (tagged, data.keys()) == ({"test"}, set(SPLITS))


@pytest.mark.parametrize("files", FILES[::3], ids=["jsonl", "parquet"])
async def test_datasets_loads_what_changed(tmp_path: Path, files: Files) -> None:
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, *VOTERS)
        await t.vote(await t.battle("old", "also old"), VOTERS[0], 0)
        before = await export(t.store, tmp_path / "before", files=files)
        await t.vote(await t.battle("new", "also new"), VOTERS[0], 0)
        await export(t.store, tmp_path / "after", files=files, since=before)
    (row,) = (row for part in loaded(tmp_path / "after").values() for row in part)
    assert row["chosen"] == " new"


def messages(found: Any, *, roles: set[str]) -> list[str]:
    """The roles of messages, in order; the rules of a provider's check on each of them."""
    assert isinstance(found, list)
    for message in found:
        assert message.keys() == {"role", "content"}
        assert message["role"] in roles
        assert isinstance(message["content"], str)
        assert message["content"].strip()
    return [message["role"] for message in found]


def check_preference(line: str) -> None:
    """A line of OpenAI's preference format, by the rules that Together's file check has too."""
    row = json.loads(line)
    assert row.keys() == {"input", "preferred_output", "non_preferred_output"}
    assert row["input"].keys() == {"messages", "tools", "parallel_tool_calls"}
    assert row["input"]["tools"] == []
    assert row["input"]["parallel_tool_calls"] is True
    asked = messages(row["input"]["messages"], roles={"system", "user", "assistant"})
    talked = asked[1:] if asked[:1] == ["system"] else asked
    assert talked[0] == talked[-1] == "user"
    assert "system" not in talked
    assert all(one != other for one, other in pairwise(talked))
    for side in ("preferred_output", "non_preferred_output"):
        assert messages(row[side], roles={"assistant"}) == ["assistant"]
    assert row["preferred_output"] != row["non_preferred_output"]


async def test_providers_take_every_line_of_openai(home: Path, tmp_path: Path) -> None:
    manifest = await exported(home, str(tmp_path), "openai", ties="soft")
    lines = [
        line
        for split in manifest["splits"]
        for line in (tmp_path / f"{split}.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(lines) == manifest["rows"] > 10
    for line in lines:
        check_preference(line)


USER, TOLD = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
SOUND = {
    "input": {"messages": [USER], "tools": [], "parallel_tool_calls": True},
    "preferred_output": [TOLD],
    "non_preferred_output": [{"role": "assistant", "content": "Go away"}],
}


@pytest.mark.parametrize(
    "unsound",
    [
        {"id": 1},
        {"preferred_output": [TOLD, TOLD]},
        {"preferred_output": "Hello"},
        {"preferred_output": [USER]},
        {"preferred_output": [TOLD | {"content": " "}]},
        {"preferred_output": [TOLD | {"name": "Bot"}]},
        {"preferred_output": SOUND["non_preferred_output"]},
        *(
            {"input": SOUND["input"] | {"messages": asked}}
            for asked in ([USER, TOLD], [USER, USER], [TOLD, USER], [])
        ),
    ],
)
def test_the_check_turns_away_what_providers_do(unsound: dict[str, Any]) -> None:
    check_preference(json.dumps(SOUND))
    with pytest.raises((AssertionError, IndexError)):
        check_preference(json.dumps(SOUND | unsound))


async def test_wins_counted_from_the_arena_are_the_databases_standings(
    home: Path, tmp_path: Path
) -> None:
    await exported(home, str(tmp_path), "arena")
    votes = loaded(tmp_path, "votes")["train"]
    wins: Counter[str] = Counter()
    fell: Counter[str] = Counter()
    for vote in votes:
        if vote["blind"]:
            wins[vote.get(vote["winner"], "")] += 1
            fell[vote["winner"]] += 1
    async with Database.open(database_url(home / "twofold.db")) as store:
        found = await standings(store)
    assert {name: won for name, (won, *_) in found.items()} == {name: wins[name] for name in found}
    assert {ties for _, _, ties, _ in found.values()} == {fell[TIE.value]} == {1}
    assert {bad for *_, bad in found.values()} == {fell["both_bad"]} == {2}
    assert (len(votes), sum(fell.values())) == (25, 24)
