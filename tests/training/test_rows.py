"""What a training takes of a dataset folder, and which folders it refuses."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import pytest

from bot.dataset.files import Files, Kind, Packing
from bot.dataset.policy import Undecided
from bot.engines.local.loading import load
from bot.errors import ConfigError
from bot.prompting import library
from bot.training.recipe import Method
from bot.training.rows import TRAIN, Row, Text, read, require_template
from bot.training.worker.tokens import Encoder
from tests.unit.answered import answered
from tests.unit.exports import exported

ONE_SPLIT = {"validation": 0, "test": 0, "render_with": "transcript"}


@pytest.fixture
async def dpo(tmp_path):
    await answered(tmp_path)
    await exported(tmp_path, "dpo", "dpo", **ONE_SPLIT)
    return tmp_path / "dpo"


async def test_pairs_are_the_same_from_every_format_that_has_both_sides(tmp_path):
    await answered(tmp_path)
    found = {}
    for form in ("dpo", "reward", "kto"):
        await exported(tmp_path, form, form, both_bad=Undecided.LEAVE_OUT, **ONE_SPLIT)
        rows = read(tmp_path / form, Method.KTO).splits[TRAIN]
        found[form] = {row for row in rows if row.is_pair}
    assert len(found["dpo"]) > 10
    assert found["dpo"] == found["reward"]
    assert found["kto"] < found["dpo"]  # an answer that was written anew has no row of the other
    assert len(found["kto"]) >= len(found["dpo"]) - 2


async def test_both_bad_is_two_answers_that_nobody_liked(tmp_path):
    await answered(tmp_path)
    await exported(tmp_path, "kto", "kto", **ONE_SPLIT)
    rows = read(tmp_path / "kto", Method.KTO).splits[TRAIN]
    bad = [row for row in rows if row.liked is None]
    assert {row.disliked.text.strip() for row in bad} == {"4000", "I cannot tell."}


@pytest.mark.parametrize(
    "kind", [{"kind": Kind.PARQUET}, {"packing": Packing.GZ}, {"packing": Packing.ZST}]
)
async def test_files_of_every_kind_hold_the_same_rows(tmp_path, dpo, kind):
    await exported(tmp_path, "other", "dpo", files=Files(**kind), **ONE_SPLIT)
    assert read(tmp_path / "other", Method.DPO).splits == read(dpo, Method.DPO).splits


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"chat": True}, "holds chats"),
        ({"format": "arena"}, "cannot learn from"),
        ({"format": "sft"}, "cannot learn from"),
        ({"purpose": "evaluate"}, "have not agreed"),
        ({"since": {"dataset": "x"}}, "is a delta"),
    ],
)
async def test_folders_that_are_for_something_else_are_refused(dpo, changed, words):
    manifest = dpo / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changed))
    with pytest.raises(ConfigError, match=words):
        read(dpo, Method.DPO)


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"format": None}, "format"),
        ({"purpose": ["train"]}, "purpose"),
        ({"policy": None}, "policy"),
        ({"source": {"name": "x"}}, "source.kind"),
        ({"dataset": 3}, "dataset"),
        ({"files": {"train.jsonl": {"rows": 3}}}, "files.train.jsonl.sha256"),
        ({"files": {"train.jsonl": None}}, "files.train.jsonl"),
    ],
)
async def test_a_manifest_that_lacks_what_a_training_tells_is_refused(dpo, changed, where):
    manifest = dpo / "manifest.json"
    told = json.loads(manifest.read_text()) | changed
    manifest.write_text(json.dumps({key: value for key, value in told.items() if value}))
    with pytest.raises(ConfigError, match=f"does not tell {re.escape(where)} as an export does"):
        read(dpo, Method.DPO)


@pytest.mark.parametrize("row", [{"prompt": "Why?", "chosen": "So."}, [], 3, None])
async def test_rows_that_lack_a_column_are_refused(dpo, row):
    table, manifest = dpo / "train.jsonl", dpo / "manifest.json"
    table.write_bytes(table.read_bytes() + json.dumps(row).encode() + b"\n")
    told = json.loads(manifest.read_text())
    told["files"]["train.jsonl"]["sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(told))
    with pytest.raises(ConfigError, match=r"train\.jsonl has rows that dpo of an export"):
        read(dpo, Method.DPO)


async def test_rows_that_are_not_as_the_manifest_says_are_refused(dpo):
    (dpo / "train.jsonl").write_bytes((dpo / "train.jsonl").read_bytes() + b"\n")
    with pytest.raises(ConfigError, match="not as its manifest says"):
        read(dpo, Method.DPO)
    shutil.rmtree(dpo)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(dpo, Method.DPO)


@pytest.mark.parametrize("name", sorted(library({})))
async def test_prompts_are_known_by_the_template_that_they_are_written_in(tmp_path, name):
    await answered(tmp_path)
    await exported(tmp_path, "out", "dpo", **ONE_SPLIT | {"render_with": name})
    data = read(tmp_path / "out", Method.DPO)
    for template in library({}).values():
        if template.name in {name, "raw"}:  # raw adds nothing, so any text may be in it
            require_template(data, template.name, template.frame)
        else:
            with pytest.raises(ConfigError, match=f"--template {template.name}"):
                require_template(data, template.name, template.frame)


def test_answers_are_the_tokens_of_the_engine_and_end_where_they_ended(tiny):
    loaded = load(tiny, dtype="float32")
    rows = [
        Row("Ann: hello\nBot:", Text(" fine, <eos> thanks"), Text(" and so on, and", ended=False)),
        Row("Q: 1+1? A:", None, Text(" 5")),
        Row("Q:", Text(" " + "long " * 80), None),
    ]
    encoded, too_long = Encoder(loaded).rows(rows, max_length=60)
    assert too_long == 1
    for row, tokens in zip(rows, encoded, strict=False):
        for text, ids in ((row.liked, tokens.liked), (row.disliked, tokens.disliked)):
            if text is None:
                assert ids is None
            else:
                assert tokens.prompt + ids == (
                    loaded.encode(row.prompt + text.text) + loaded.eos[:1] * text.ended
                )
    assert encoded[0].liked.count(loaded.eos[0]) == 1  # "<eos>" in a text is text
