"""Whether `twofold lint` finds what it says it looks for, and nothing in clean data."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import sys
from typing import TYPE_CHECKING, Any

import datasets
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from bot.dataset.lint import telling
from bot.dataset.lint.checking import Options, check
from bot.dataset.lint.files import rows, survey
from bot.dataset.lint.leaks import Names, leaks
from bot.dataset.lint.rules import RULES
from bot.errors import ConfigError
from bot.redaction.patterns import find
from tests.unit.test_redaction import HARMLESS, PERSONAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.dataset.lint.report import Report

Rows = list[dict[str, Any]]
WORDS = [f"{a}{b}{c}" for a in "bdgklm" for b in "aeiou" for c in "nrst"]
EVERYTHING = Options(names=("Ottokar",), near=True)


def words(n: int, seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=n))


def pair(n: int, **more: Any) -> dict[str, Any]:
    """A row without fault; by turns the one or the other side is longer."""
    sizes = (20, 21) if n % 2 else (21, 20)
    chosen, rejected = (f" {words(size, 3 * n + i)}." for i, size in enumerate(sizes))
    prompt = f"alice: {words(12, 3 * n + 2)}?\nTwofold:"
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "battle": f"{n:016x}"} | more


def said(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def chat(n: int, **more: Any) -> dict[str, Any]:
    plain = pair(n)
    sides = {name: [said("assistant", plain[name].strip())] for name in ("chosen", "rejected")}
    return {"prompt": [said("user", plain["prompt"])], **sides} | more


def openai(n: int, **more: Any) -> dict[str, Any]:
    row = chat(n)
    return {
        "input": {"messages": row["prompt"], "tools": [], "parallel_tool_calls": True},
        "preferred_output": row["chosen"],
        "non_preferred_output": row["rejected"],
    } | more


def kto(n: int, **more: Any) -> dict[str, Any]:
    plain = pair(n)
    return {
        "prompt": plain["prompt"],
        "completion": plain["chosen"],
        "label": bool(n % 2),
    } | more


def vote(n: int, **more: Any) -> dict[str, Any]:
    winner = ("model_a", "model_b", "tie", "both_bad")[n % 4]
    return {"id": f"v{n}", "model_a": "one", "model_b": "two", "winner": winner} | more


TALKS = ("conversation_a", "conversation_b")


def arena(n: int) -> dict[str, Any]:
    row = chat(n)
    sides = zip(TALKS, ("chosen", "rejected"), strict=True)
    talks = {talk: [*row["prompt"], *row[name]] for talk, name in sides}
    return vote(n) | talks


def jsonl(rows: Rows) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def folder(at: Path, **files: Rows | bytes) -> Path:
    """A folder of `train.jsonl` and so on."""
    for split, content in files.items():
        data = content if isinstance(content, bytes) else jsonl(content)
        (at / f"{split}.jsonl").write_bytes(data)
    return at


def found(report: Report) -> set[str]:
    return set(report.counts)


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "preference": pair,
    "preference chat": chat,
    "reward": lambda n: pair(n, margin=0.5),
    "preference without prompt": lambda n: {
        name: chat(n)["prompt"] + chat(n)[name] for name in ("chosen", "rejected")
    },
    "kto": kto,
    "sft": lambda n: {"prompt": pair(n)["prompt"], "completion": pair(n)["chosen"]},
    "sft messages": lambda n: {"messages": chat(n)["prompt"] + chat(n)["chosen"]},
    "sft text": lambda n: {"text": pair(n)["prompt"] + pair(n)["chosen"]},
    "openai": openai,
    "arena votes": vote,
    "arena pairs": arena,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_clean_data_of_every_format_has_no_finding(shape: str, tmp_path: Path) -> None:
    make = SHAPES[shape]
    folder(tmp_path, train=[make(n) for n in range(40)], test=[make(n) for n in range(40, 60)])
    report = check(tmp_path, EVERYTHING)
    assert not report.findings
    assert report.ok
    (table,) = report.tables
    assert shape.startswith(table.format) or shape in {"reward", "preference chat"}
    assert table.splits == {"train": 40, "test": 20}


def turned(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"chosen": row["rejected"], "rejected": row["chosen"]}


LONG = " ".join(words(200, seed) for seed in range(1000, 1008))
STORY = words(40, 7)
FAULTS: dict[str, tuple[Rows, Rows]] = {
    "uneven-keys": ([pair(0, note="x")], []),
    "types": ([pair(0, chosen=5)], []),
    "mixed-types": ([pair(0, battle=1)], []),
    "columns": ([openai(n, id=n) for n in range(20)], []),
    "empty": ([pair(0, chosen=" \n")], []),
    "equal-sides": ([pair(0, chosen=" Same  thing.", rejected=" same thing.")], []),
    "roles": ([chat(0, prompt=[said("assistant", "hello there")])], []),
    "prompt-end": ([pair(0, prompt="What is it? ")], []),
    "completion-start": ([pair(0, chosen="Glued to the prompt.")], []),
    "special-tokens": ([pair(0, prompt="<bos>alice: hello?\nTwofold:")], []),
    "prompt-length": ([pair(0, prompt=LONG)], []),
    "row-length": ([pair(0, chosen=" " + LONG[:4090])], []),
    "ids": ([pair(0, chosen=" Ask <@80351110224678912> for it.")], []),
    "names": ([pair(0, chosen=" I am ottokar, hello.")], []),
    "personal-data": ([pair(0, chosen=" Write to alice@gmail.com please.")], []),
    "secrets": ([pair(0, rejected=" My password is hunter2hunter2.")], []),
    "duplicates": ([pair(0), pair(0)], []),
    "contradictions": ([pair(0), turned(pair(0))], []),
    "near-duplicates": ([pair(0, chosen=f" {STORY} one"), pair(0, chosen=f" {STORY} two")], []),
    "split-leak": ([pair(0)], [pair(1, prompt=pair(0)["prompt"].upper())]),
    "near-leak": ([pair(0, prompt=f"{STORY} one:")], [pair(1, prompt=f"{STORY} two:")]),
    "length-balance": ([pair(n, chosen=f" {words(40, n)}") for n in range(100, 130)], []),
    "position-balance": ([vote(4 * n) for n in range(100)], []),
    "label-balance": ([kto(2 * n) for n in range(20)], []),
    "few-rows": ([openai(n) for n in range(9)], []),
}
WHOLE = {"columns", "length-balance", "position-balance", "label-balance", "few-rows"}
"""These stand for all rows; the others get clean rows around them."""


@pytest.mark.parametrize("rule", FAULTS)
def test_a_planted_fault_is_found_by_its_rule_alone(rule: str, tmp_path: Path) -> None:
    train, test = FAULTS[rule]
    like = chat if rule == "roles" else pair
    clean = [] if rule in WHOLE else [like(n) for n in range(50, 70)]
    folder(tmp_path, train=clean + train, **({"test": test} if test else {}))
    report = check(tmp_path, EVERYTHING)
    assert found(report) == {rule}
    assert rule not in report.not_looked_for
    assert all(finding.text.endswith(".") for finding in report.findings)


def test_every_rule_is_planted_somewhere_in_these_tests() -> None:
    elsewhere = {"unreadable", "no-data", "manifest"}
    assert {rule.name for rule in RULES} == FAULTS.keys() | elsewhere


ABSENT = {
    "preference": {"roles", "position-balance", "label-balance"},
    "openai": {"prompt-end", "completion-start", "position-balance", "label-balance"},
    "kto": {"equal-sides", "roles", "length-balance", "position-balance"},
    "sft text": {"prompt-length", "split-leak", "contradictions", "equal-sides", "prompt-end"},
    "arena votes": {"few-rows", "empty", "roles", "length-balance", "split-leak", "row-length"},
}


@pytest.mark.parametrize("shape", ABSENT)
def test_a_rule_that_had_nothing_to_look_at_is_not_called_ok(shape: str, tmp_path: Path) -> None:
    make = SHAPES[shape]
    folder(tmp_path, train=[make(n) for n in range(40)], test=[make(n) for n in range(40, 60)])
    whole, alone = check(tmp_path, EVERYTHING), check(tmp_path / "train.jsonl", EVERYTHING)
    assert ABSENT[shape] | {"manifest"} <= set(whole.not_looked_for)
    assert "ids" not in whole.not_looked_for
    more = {"split-leak", "near-leak"}
    assert set(alone.not_looked_for) == set(whole.not_looked_for) | more


def test_raw_tables_are_looked_at_for_leaks_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "raw", "files": {}}))
    report = check(folder(tmp_path, train=[pair(n) for n in range(9)]))
    looked_for = {rule.name for rule in RULES} - {*report.not_looked_for, *report.skipped}
    assert looked_for == {
        *("unreadable", "no-data", "columns", "uneven-keys", "mixed-types", "manifest"),
        *("ids", "personal-data", "secrets"),
    }
    assert report.counts == {"manifest": 1}
    telling.write(report, tmp_path / telling.FILE_NAME)
    lines = (tmp_path / telling.FILE_NAME).read_text("utf-8").splitlines()
    (roles,) = [line for line in lines if line.startswith("roles ")]
    assert "not looked for" in roles


def test_missing_columns_are_told_by_row_and_file(tmp_path: Path) -> None:
    lacking = {key: value for key, value in pair(3).items() if key != "rejected"}
    folder(tmp_path, train=[pair(0), lacking, pair(1), pair(2)], test=[pair(4, more=1)])
    texts = {f.place: f.text for f in check(tmp_path).findings if f.rule == "columns"}
    assert texts["train.jsonl:2"] == "Missing: rejected."
    assert texts["train.jsonl"] == "Not in this file, but in others of its table: more."


def test_columns_of_no_format_are_told_with_those_that_are_known(tmp_path: Path) -> None:
    folder(tmp_path, train=[{"question": "a", "answer": "b"}] * 3)
    (finding,) = check(tmp_path).findings
    assert "answer, question" in finding.text
    assert "kto: prompt, completion, label" in finding.text


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (openai(0, preferred_output=[said("assistant", "a")] * 2), "2 messages and not one"),
        (openai(0, preferred_output=[said("user", "a")]), "by user and not by the assistant"),
        (chat(0, prompt=[said("user", "a"), said("user", "b")]), "one role in a row"),
        (chat(0, prompt=[said("user", "a"), said("assistant", "b")]), "ends with assistant"),
        (chat(0, prompt=[said("user", "a"), said("system", "b")]), "not the first one"),
        (chat(0, prompt=[said("bot", "a")]), "unknown role 'bot'"),
    ],
)
def test_roles_are_told_in_words(row: dict[str, Any], fault: str, tmp_path: Path) -> None:
    report = check(folder(tmp_path, train=[row]))
    (finding,) = [one for one in report.findings if one.rule == "roles"]
    assert fault in finding.text


def test_a_system_message_and_several_turns_are_in_order(tmp_path: Path) -> None:
    prompt = [said("system", "s"), said("user", "a"), said("assistant", "b"), said("user", "c")]
    assert "roles" not in found(check(folder(tmp_path, train=[chat(0, prompt=prompt)])))


def test_all_packings_are_read_alike(tmp_path: Path) -> None:
    data = [pair(n) for n in range(600)]
    (tmp_path / "train.jsonl").write_bytes(jsonl(data))
    (tmp_path / "train.jsonl.gz").write_bytes(gzip.compress(jsonl(data)))
    (tmp_path / "train.jsonl.zst").write_bytes(pa.compress(jsonl(data), "zstd", asbytes=True))
    pq.write_table(pa.Table.from_pylist(data), tmp_path / "train.parquet")
    files = survey(tmp_path).tables[""]
    assert len(files) == 4
    for file in files:
        assert [row for _, row in rows(file, lambda _: None)] == data


@pytest.mark.parametrize("name", ["train.jsonl.gz", "train.jsonl.zst", "train.parquet"])
@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_file_that_breaks_off_is_a_finding(name: str, cut: int, tmp_path: Path) -> None:
    data = [pair(n) for n in range(9)]
    file = tmp_path / name
    if name.endswith("gz"):
        file.write_bytes(gzip.compress(jsonl(data)))
    elif name.endswith("zst"):
        file.write_bytes(pa.compress(jsonl(data), "zstd", asbytes=True))
    else:
        pq.write_table(pa.Table.from_pylist(data), file)
    file.write_bytes(file.read_bytes()[:cut])
    assert found(check(tmp_path)) >= {"no-data"} | ({"unreadable"} if cut else set())


@pytest.mark.parametrize(
    "line",
    [
        b"{broken",
        b'[{"prompt": "a"}]',
        b'"text"',
        b'{"prompt": "\\ud83d"}',
        b'{"prompt": "\xff"}',
        b'{"prompt": NaN}',
        b"[" * 100_000,
        b'{"prompt":' * 100_000,
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda line: line[:20],
)
def test_a_row_that_cannot_be_read_is_told_with_its_line(line: bytes, tmp_path: Path) -> None:
    folder(tmp_path, train=jsonl([pair(0), pair(1)]) + line + b"\n" + jsonl([pair(2), pair(3)]))
    report = check(tmp_path)
    (finding,) = [one for one in report.findings if one.rule == "unreadable"]
    assert finding.place == "train.jsonl:3"
    assert report.rows == 4


def test_an_endless_line_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.dataset.lint.files.LONGEST", 2**20)
    folder(tmp_path, train=jsonl([pair(0)]) + b"x" * (5 * 2**20) + b"\n" + jsonl([pair(1)]))
    report = check(tmp_path)
    assert [f.row for f in report.findings if f.rule == "unreadable"] == [2]
    assert report.rows == 2


def test_deep_and_odd_values_are_looked_through(tmp_path: Path) -> None:
    deep: Any = "<@80351110224678912>"
    for _ in range(200):
        deep = [{"in": deep}]
    odd = [pair(0, extra=deep), pair(1, extra=80351110224678912), pair(2, extra=None)]
    folder(tmp_path, train="\n".join(map(json.dumps, odd)).encode())
    assert check(tmp_path).counts["ids"] == 2


def test_a_column_without_a_name_is_no_prompt(tmp_path: Path) -> None:
    report = check(folder(tmp_path, train=[{"": [None], "text": words(9, n)} for n in range(3)]))
    assert [table.format for table in report.tables] == ["sft text"]


def test_nothing_that_leaks_is_printed(tmp_path: Path) -> None:
    told = "alice@gmail.com 80351110224678912 Ottokar hunter2hunter2"
    text = " alice@gmail.com, 80351110224678912, Ottokar, my password is hunter2hunter2."
    row = pair(0, chosen=text, rejected=text.upper(), prompt=f"{text} ")
    folder(tmp_path, train=[row, row])
    report = check(tmp_path, EVERYTHING)
    assert {"ids", "names", "personal-data", "secrets", "equal-sides", "duplicates"} <= found(
        report
    )
    printed = json.dumps(report.as_dict()).casefold()
    assert not [secret for secret in told.casefold().split() if secret in printed]


@pytest.mark.parametrize("text", [text for text, _ in PERSONAL])
def test_what_redaction_finds_in_a_text_is_found_in_a_row(text: str) -> None:
    around = f"{words(30, 1)}\n{text}\n{words(30, 2)}"
    kinds = {kind for kind, _, _ in leaks(around, Names())}
    reserved = {"EMAIL"} if "example" in text else set()
    assert {one.kind for one in find(around)} - reserved <= kinds


@pytest.mark.parametrize("text", HARMLESS)
def test_what_redaction_leaves_is_no_finding(text: str) -> None:
    assert {kind for kind, _, _ in leaks(text, Names())} <= {"id"}


def test_names_are_found_whole_whatever_their_capitals() -> None:
    names = Names(["Max", "Anna Lena", ":) Bob", "x"])
    assert len(names) == 3
    assert [kind for kind, _, _ in leaks("so max, ANNA LENA and :) bob", names)] == ["name"] * 3
    assert not leaks("maximum Annas bob x", names)


def test_splits_come_from_names_of_files_and_folders(tmp_path: Path) -> None:
    names = (
        "train-00000-of-00002.jsonl",
        "train-00001-of-00002.jsonl",
        "dev.jsonl",
        "my_test.jsonl",
    )
    for name in (*names, "votes/train.jsonl", "data/valid/x.jsonl", "contest.jsonl", ".x.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jsonl([pair(0)]))
    tables = survey(tmp_path).tables
    assert {file.name: file.split for file in tables[""]} == dict(
        zip(
            ("contest.jsonl", *names, "data/valid/x.jsonl"),
            ("train", "train", "train", "validation", "test", "validation"),
            strict=True,
        )
    )
    assert [file.name for file in tables["votes"]] == ["votes/train.jsonl"]


def test_the_readme_says_what_the_splits_are(tmp_path: Path) -> None:
    folder(tmp_path, one=[pair(0)], two=[pair(0)], three=[pair(5)])
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: dpo\n  data_files:\n  - {split: train, path: one.jsonl}\n"
        "  - {split: test, path: [two.jsonl, ../out.jsonl]}\n---\n"
    )
    report = check(tmp_path)
    splits = {table.name: dict(table.splits) for table in report.tables}
    assert splits == {"": {"train": 1}, "dpo": {"train": 1, "test": 1}}
    assert {"split-leak", "unreadable"} <= found(report)


def test_files_are_compared_with_the_manifest(tmp_path: Path) -> None:
    folder(tmp_path, train=[pair(n) for n in range(9)], test=[pair(10)], validation=[pair(11)])
    files = {
        f"{split}.jsonl": {
            "rows": n,
            "sha256": hashlib.sha256((tmp_path / f"{split}.jsonl").read_bytes()).hexdigest(),
        }
        for split, n in (("train", 9), ("test", 2))
    }
    files |= {"gone.jsonl": {}, "../out.jsonl": {}}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    options = Options(examples=9)
    told = {f.file: f.text for f in check(tmp_path, options).findings if f.rule == "manifest"}
    assert told == {
        "test.jsonl": "It has 1 rows and not 2.",
        "gone.jsonl": "The file is missing.",
        "../out.jsonl": "The path leads out of the folder.",
        "validation.jsonl": "manifest.json does not tell of this file.",
    }
    (tmp_path / "train.jsonl").write_bytes(jsonl([pair(n) for n in range(1, 10)]))
    assert "Its SHA-256 is another one." in {f.text for f in check(tmp_path, options).findings}
    (tmp_path / "manifest.json").write_text("{")
    assert "manifest" in found(check(tmp_path))


def test_the_manifest_tells_which_place_won_and_whether_rows_are_votes(tmp_path: Path) -> None:
    folder(tmp_path, train=[pair(n) for n in range(9)] + [pair(0)])
    manifest = {"policy": {"deciding": "every"}, "balance": {"pairs": 200, "chosen_on_a": 160}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    report = check(tmp_path)
    assert found(report) == {"position-balance"}
    assert "duplicates" in report.skipped


def test_what_was_judged_may_be_empty_or_the_same(tmp_path: Path) -> None:
    empty = {name: [*arena(5)[name][:-1], said("assistant", "")] for name in TALKS}
    train = [*map(arena, range(5)), arena(5) | empty, arena(6) | {"winner": None}]
    assert not found(check(folder(tmp_path, train=train)))


def test_both_votes_of_a_kto_pair_are_no_duplicates(tmp_path: Path) -> None:
    prompt = f"alice: {words(200, 1)}?\nTwofold:"
    both = [kto(n, prompt=prompt) for n in range(4)]
    assert not found(check(folder(tmp_path, train=both), EVERYTHING))


def test_a_prompt_template_does_not_make_prompts_alike(tmp_path: Path) -> None:
    frame = words(300, 1)
    train, test = (
        [pair(n, prompt=f"{frame}\n{pair(n)['prompt']}") for n in numbers]
        for numbers in (range(30), range(30, 60))
    )
    assert "near-leak" not in found(check(folder(tmp_path, train=train, test=test), EVERYTHING))


def test_near_duplicates_beyond_the_limit_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.dataset.lint.checking.NEAR_ROWS", 5)
    twins = [pair(0, chosen=f" {STORY} {end}") for end in ("one", "two")]
    folder(tmp_path, train=[pair(n) for n in range(1, 9)] + twins)
    first, whole = check(tmp_path), check(tmp_path, Options(near=True))
    assert found(first) == set()
    assert "the first 5 of 10 rows; --near" in " ".join(first.notes)
    assert found(whole) == {"near-duplicates"}
    assert "near-duplicates" in check(tmp_path, Options(near=False)).skipped


def test_tokens_are_counted_by_the_tokenizer_given(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415

    model = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    model.pre_tokenizer = pre_tokenizers.Whitespace()
    model.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "data").mkdir()
    folder(tmp_path / "data", train=[pair(n) for n in range(9)])
    row = 1 + len(model.encode(pair(0)["prompt"] + pair(0)["chosen"]))
    for limit, expected in ((row + 1, set()), (row - 1, {"row-length"}), (9, {"prompt-length"})):
        options = Options(max_tokens=limit, tokenizer=tmp_path)
        assert found(check(tmp_path / "data", options)) == expected
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be read as a tokenizer"):
        check(tmp_path / "data", options)


def test_strictness_and_skipped_rules_decide_whether_it_is_well(tmp_path: Path) -> None:
    folder(tmp_path, train=[pair(n) for n in range(5)] + [pair(0)])
    assert (check(tmp_path).errors, check(tmp_path).warnings) == (0, 1)
    assert check(tmp_path).ok
    assert not check(tmp_path, Options(strict=True)).ok
    assert check(tmp_path, Options(strict=True, skip=frozenset({"duplicates"}))).ok
    with pytest.raises(ConfigError, match="There is no rule dupes"):
        check(tmp_path, Options(skip=frozenset({"dupes"})))


def test_a_folder_without_rows_is_an_error(tmp_path: Path) -> None:
    assert found(check(tmp_path)) == {"no-data"}
    (tmp_path / "rows.csv").write_text("a,b\n")
    assert "Not read: rows.csv." in check(tmp_path).notes
    with pytest.raises(ConfigError, match="neither a folder nor a file of rows"):
        check(tmp_path / "rows.csv")


def test_a_report_in_the_folder_does_not_keep_it_from_loading(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(jsonl([pair(n) for n in range(3)]))
    report = check(tmp_path)
    telling.write(report, telling.beside(tmp_path))
    assert report.verdict in (tmp_path / telling.FILE_NAME).read_text("utf-8")
    loaded = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / ".cache"))
    assert loaded.num_rows == {"train": 3}
    assert check(tmp_path).as_dict() == report.as_dict()


def test_a_report_shows_every_rule_and_no_control_characters(tmp_path: Path) -> None:
    row = pair(
        0, chosen=" \x1b[2J\u202eevil [red]x[/red]", rejected=" \x1b[2J\u202eEVIL [red]x[/red]"
    )
    report = check(folder(tmp_path, train=[row]))
    console = Console(width=120, record=True, file=sys.stderr)
    telling.tell(report, console)
    told = console.export_text()
    assert all(rule.name in told for rule in RULES)
    assert "[red]x[/red]" in told
    assert not {"\x1b", "\u202e"} & set(told)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "messages", "text", "x"]), inside)
    ),
    max_leaves=8,
)
columns = st.sampled_from(
    [
        *("prompt", "chosen", "rejected", "completion", "label", "messages", "text", "input"),
        *("preferred_output", "non_preferred_output", "winner", "model_a", "model_b", "margin"),
        *("conversation_a", "conversation_b", "battle"),
    ]
)
lines = st.dictionaries(columns, values).map(lambda row: json.dumps(row).encode()) | st.binary()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.lists(lines, max_size=5).map(b"\n".join), manifest=values)
def test_no_data_makes_it_fail(data: bytes, manifest: Any, tmp_path: Path) -> None:
    for name in ("train.jsonl", "test.jsonl", "train.parquet", "test.jsonl.gz", "dev.jsonl.zst"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "README.md").write_bytes(b"---\n" + data + b"\n---\n")
    report = check(tmp_path, EVERYTHING)
    assert not found(report) & set(report.not_looked_for)
    orjson.dumps(report.as_dict())
    telling.write(report, tmp_path / telling.FILE_NAME)
