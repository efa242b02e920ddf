"""Pushes to a hub on the loopback interface, through its own library."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import datasets
import pytest

from bot.dataset import push
from bot.dataset.lint.checking import Options, check
from bot.errors import ConfigError
from tests.unit.fake_hub import REPO, FakeHub
from tests.unit.folders import ONE_TABLE, ROWS, dataset_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "hf_secret"
FILES = tuple(f"{split}.jsonl" for split in ONE_TABLE)
BESIDE = {
    *("README.md", "manifest.json", "dataset_info.json", "axolotl.yaml"),
    *("pictures/ballot.png", "pictures/reveal.png"),
}


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    made = FakeHub()
    runner = await made.start()
    yield made
    await runner.cleanup()


def folder_of(folder: Path, names: tuple[str, ...] = FILES, **changes: Any) -> Path:
    dataset_folder(folder, names, rows=2 * len(names), **changes)
    return folder


async def pushed(folder: Path, hub: FakeHub, repo: str = REPO, **options: Any) -> str:
    given = {"token": TOKEN, "endpoint": hub.url} | options
    return await asyncio.to_thread(push.push, folder, repo, **given)


async def refused(folder: Path, hub: FakeHub, repo: str = REPO, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        await pushed(folder, hub, repo, **options)
    return caught.value.user_message


async def test_a_push_is_private_and_takes_only_what_the_export_wrote(
    tmp_path: Path, hub: FakeHub
) -> None:
    folder = folder_of(tmp_path)
    (folder / "notes.txt").write_text("mine")
    url = await pushed(folder, hub)
    assert url == f"{hub.url}/datasets/{REPO}"
    assert hub.private is True
    assert set(hub.files) == {*FILES, *BESIDE, ".gitattributes"}
    assert hub.messages == ["1,204 votes → 6 pairs"]
    assert hub.files["train.jsonl"] == (folder / "train.jsonl").read_bytes()


async def test_what_is_on_the_hub_loads_like_the_folder(tmp_path: Path, hub: FakeHub) -> None:
    await pushed(folder_of(tmp_path / "here"), hub)
    there = tmp_path / "there"
    for name, content in hub.files.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(content)
    data = datasets.load_dataset(str(there), cache_dir=str(tmp_path / "cache"))
    assert set(data) == set(ONE_TABLE)


async def test_rows_of_an_earlier_push_leave_and_other_files_stay(
    tmp_path: Path, hub: FakeHub
) -> None:
    hub.private = True
    hub.files = dict.fromkeys(
        (".gitattributes", "LICENSE", "train.parquet", "votes/train.jsonl.gz", "axolotl.yaml"), b"x"
    )
    told: list[str] = []
    names = ("train.jsonl.gz",)
    await pushed(folder_of(tmp_path, names, format="sft"), hub, tell=told.append)
    assert set(hub.files) == {*names, *BESIDE, ".gitattributes", "LICENSE"} - {"dataset_info.json"}
    assert told == [push.HISTORY]
    assert hub.squashed == 0


async def test_history_is_forgotten_where_that_is_asked_for(tmp_path: Path, hub: FakeHub) -> None:
    folder, told = folder_of(tmp_path), list[str]()
    await pushed(folder, hub)
    await pushed(folder, hub, squash=True, tell=told.append)
    assert hub.squashed == 1
    assert told == [push.SQUASHED]
    hub.fail["super-squash"] = 403
    said = await refused(folder, hub, squash=True)
    assert said.startswith(f"The files are on the hub, but {REPO} still has its history.")


async def test_a_first_push_says_nothing_of_history(tmp_path: Path, hub: FakeHub) -> None:
    told: list[str] = []
    await pushed(folder_of(tmp_path), hub, tell=told.append)
    assert told == []


async def test_nothing_is_sent_when_lint_objects(tmp_path: Path, hub: FakeHub) -> None:
    folder = folder_of(tmp_path)
    bad = ROWS["dpo"] | {"chosen": "", "battle": "b2"}
    (folder / "test.jsonl").write_text(f"{json.dumps(bad)}\n")
    said = await refused(folder, hub)
    assert "Nothing was pushed. Lint found" in said
    assert "test.jsonl:1: " in said
    assert f"`twofold lint {folder}`" in said
    assert hub.asked == []


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({"purpose": "evaluate"}, {}, "Exports for evaluation stay here"),
        ({"purpose": "train"}, {"private": False}, "Only what members agreed to publish"),
        (
            {"since": {"dataset": "abc", "added": 1, "changed": 0, "gone": 0}},
            {},
            "has only what changed",
        ),
        ({}, {"repo": "no-owner"}, "OWNER/NAME"),
        ({}, {"repo": "dana/../x"}, "OWNER/NAME"),
    ],
)
async def test_what_may_not_go_stays(
    tmp_path: Path, hub: FakeHub, changes: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    assert said in await refused(folder_of(tmp_path, **changes), hub, **options)
    assert hub.asked == []


async def test_a_manifest_cannot_name_files_of_others(tmp_path: Path, hub: FakeHub) -> None:
    folder = folder_of(tmp_path / "export")
    (tmp_path / "secret").write_text("secret")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../secret"] = {"rows": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    unchecked = partial(check, options=Options(skip=frozenset({"manifest"})))
    assert "names ../secret" in await refused(folder, hub, check=unchecked)
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to(tmp_path / "secret")
    del manifest["files"]["../secret"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "lies outside" in await refused(folder, hub)
    assert hub.asked == []


async def test_a_folder_without_a_manifest_is_refused(tmp_path: Path, hub: FakeHub) -> None:
    assert "manifest.json cannot be read" in await refused(tmp_path, hub)


async def test_a_private_push_never_becomes_public(tmp_path: Path, hub: FakeHub) -> None:
    hub.private = False
    assert "is there already, and public" in await refused(folder_of(tmp_path), hub)
    assert "commit" not in hub.asked
    told: list[str] = []
    await pushed(tmp_path, hub, private=False, tell=told.append)
    assert hub.files
    assert told == []


async def test_a_private_repository_is_not_made_public(tmp_path: Path, hub: FakeHub) -> None:
    hub.private, told = True, list[str]()
    await pushed(folder_of(tmp_path), hub, private=False, tell=told.append)
    assert hub.private
    assert told == [f"{REPO} was private before and stays so; its settings on the hub change that."]


@pytest.mark.parametrize(
    ("where", "status", "said"),
    [
        ("create", 401, "does not know this token"),
        ("create", 403, f"may not write to {REPO}"),
        ("tree", 404, f"knows no {REPO}"),
        ("commit", 403, f"may not write to {REPO}"),
        ("commit", 409, f"Somebody else is changing {REPO}"),
        ("commit", 503, "The hub fails just now (503)"),
        ("validate-yaml", 400, "the head of README.md"),
    ],
)
async def test_what_the_hub_refuses_is_said_in_a_sentence_without_the_token(
    tmp_path: Path,
    hub: FakeHub,
    caplog: pytest.LogCaptureFixture,
    where: str,
    status: int,
    said: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    hub.fail[where] = status
    sentence = await refused(folder_of(tmp_path), hub)
    assert said in sentence
    assert hub.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in sentence + caplog.text


async def test_without_a_network_it_says_so(tmp_path: Path, hub: FakeHub) -> None:
    said = await refused(folder_of(tmp_path), hub, endpoint="http://127.0.0.1:9")
    assert said == "The hub cannot be reached. Check the network, then push again."


async def test_an_answer_that_is_none_is_taken_for_no_network(tmp_path: Path, hub: FakeHub) -> None:
    hub.gibberish = True
    assert "The hub cannot be reached" in await refused(folder_of(tmp_path), hub)


async def test_it_goes_out_though_local_models_keep_the_library_offline(
    tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert await pushed(folder_of(tmp_path), hub)
