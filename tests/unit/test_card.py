"""Dataset cards: read back by the libraries that read them, and by people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import datasets
import orjson
import pytest
import typer
import yaml
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from bot.dataset import card, trainers
from bot.dataset.card.command import FLAGS, OPTIONS, command
from bot.dataset.card.sections import words
from bot.dataset.commands import export
from bot.dataset.formats import Making
from bot.dataset.formats.registry import FORMATS
from bot.dataset.funnel import LeftOut, VoteLeftOut
from bot.dataset.policy import Columns, Policy
from bot.dataset.pseudonyms import Pseudonyms
from bot.errors import ConfigError
from storage.records import Consent
from tests.unit.folders import BALANCE, CONTENDER, ONE_TABLE, ROWS, dataset_folder, manifest

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
HOSTILE = 'x|y\n---\nlicense: mit\n# <img src=x onerror=1> [a](http://b) `c` **d** ${e} \u202e"'


def html(text: str) -> str:
    """The card as the hub's reader shows it, HTML allowed."""
    body = text.split("\n---\n", 1)[1]
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_loads_with_its_splits_named(tmp_path: Path, suffix: str) -> None:
    dataset_folder(tmp_path, tuple(f"{split}{suffix}" for split in ONE_TABLE))
    data = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in data.items()} == dict.fromkeys(ONE_TABLE, 2)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_of_several_tables_one_is_loaded_unless_another_is_named(
    tmp_path: Path, suffix: str
) -> None:
    names = (f"pairs/train{suffix}", f"votes/train{suffix}")
    dataset_folder(tmp_path, names, format="arena")
    cache = str(tmp_path / "cache")
    assert "battle" in datasets.load_dataset(str(tmp_path), cache_dir=cache)["train"].features
    pairs = datasets.load_dataset(str(tmp_path), "pairs", cache_dir=cache)["train"]
    assert "model_a" in pairs.features


def test_the_head_says_what_hubs_ask_for() -> None:
    head = DatasetCard(card.write(manifest(), title="Two answers", languages=["en", "de"])).data
    assert head.to_dict() | {"configs": None} == {
        "annotations_creators": ["crowdsourced"],
        "configs": None,
        "language": ["en", "de"],
        "license": "cc-by-4.0",
        "pretty_name": "Two answers",
        "size_categories": ["n<1K"],
        "tags": ["twofold", "preference", "human-feedback", "dpo", "trl"],
        "task_categories": ["text-generation", "reinforcement-learning"],
    }


@pytest.mark.parametrize(
    ("rows", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (2_500_000, "1M<n<10M")]
)
def test_sizes_are_those_of_the_hub(rows: int, size: str) -> None:
    assert DatasetCard(card.write(manifest(rows=rows))).data["size_categories"] == [size]


def test_a_licence_that_the_hub_does_not_know_is_named() -> None:
    head = DatasetCard(card.write(manifest(), licence="Our own: ask first")).data
    assert (head["license"], head["license_name"]) == ("other", "our-own-ask-first")


def test_what_is_no_language_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match="English is no code of a language"):
        card.write(manifest(), languages=["English"])


def test_texts_of_others_are_text_and_no_markup() -> None:
    keys = ("contender", "model", "template", "fingerprint")
    hostile = manifest(
        contenders=[CONTENDER | dict.fromkeys(keys, HOSTILE)],
        policy={"templates": [HOSTILE], "guilds": [2**60]},
    )
    options = dict.fromkeys(("title", "licence", "contact", "repo"), HOSTILE)
    text = card.write(hostile, **options)
    assert DatasetCard(text).data["license"] == "other"
    shown, usual = html(text), html(card.write(manifest()))
    for tag in ("<table>", "<h1>", "<h2>", "<hr", "<img", "<a ", "<th"):
        assert shown.count(tag) == usual.count(tag), tag
    row = shown.split("<tr>\n<td>x|y")[1].split("</tr>")[0]
    assert row.count("</td>") == 7
    assert "&lt;img src=x" in row
    assert str(2**60) not in text
    assert "\u202e" not in text


def test_it_begins_with_how_much_came_of_how_much_and_says_why_not_more() -> None:
    text = card.write(manifest())
    assert "**1,204 votes → 811 pairs**\n\n| why not | left out |" in text
    assert "| voters called it a tie | 80 battles |" in text
    assert "| given after the voter was told which answer was whose | 31 votes |" in text
    assert card.headline(manifest(format="kto", rows=1, votes=1)) == "1 vote → 1 row"


def test_every_reason_group_and_scope_has_words() -> None:
    assert set(words()["left_out"]) == {reason.value for reason in LeftOut}
    assert set(words()["votes_left_out"]) == {reason.value for reason in VoteLeftOut}
    assert set(words()["groups"]) == {group.value for group in Columns}
    assert set(words()["scopes"]) == {s.value for s in Consent} - {"none"}


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize("chat", [False, True])
def test_every_column_has_words(form: str, *, chat: bool) -> None:
    policy = Policy(columns=tuple(Columns), logprobs="base")
    names = Pseudonyms.unlinkable()
    making = Making(policy=policy, selector=None, pseudonyms=names, templates={}, chat=chat)
    told = card.write(manifest(format=form, policy=policy.model_dump(mode="json")))
    section = told.split("## Columns")[1].split("## How")[0]
    cells = re.findall(r"^\| `(.*?)`", section, re.MULTILINE)
    named = set(re.findall(r"[\w…]+", " ".join(cells)))
    columns = {column for table in FORMATS[form](making).tables.values() for column in table}
    ends = {name.removeprefix("…") for name in named if name.startswith("…")}
    assert {c for c in columns if c not in named and c.rpartition("_")[2] not in ends} == set()


def test_the_command_has_every_choice_that_is_not_the_usual_one() -> None:
    policy = Policy(
        deciding="unanimous",
        since="2026-11-01",
        contenders=("a b", "c"),
        guilds=(2**60,),
        author_votes=False,
        cut=True,
    )
    told = command(manifest(("train.jsonl.gz",), policy=policy.model_dump(mode="json")))
    assert told == (
        "twofold export --format dpo --purpose publish --compress gz --decide unanimous "
        "--no-author-votes --after 2026-11-01 --guild … --contender 'a b' --contender c "
        "--keep-cut --out FOLDER"
    )


def test_every_choice_has_an_option_of_the_command_line() -> None:
    app = typer.Typer()
    app.command()(export)
    options = {
        option
        for parameter in typer.main.get_command(app).params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {*OPTIONS.values(), *FLAGS.values()} <= options
    assert {*OPTIONS, *(name for name, _ in FLAGS)} == set(Policy.model_fields)


def test_leanings_have_intervals() -> None:
    balance = BALANCE | {"pairs": 100, "chosen_longer": 60, "rejected_longer": 40}
    text = card.write(manifest(balance=balance))
    assert "| is the longer one | 60 % | 50 % to 69 % | 100 |" in text
    none = dict.fromkeys(BALANCE, 0)
    assert "There is too little to measure." in card.write(manifest(balance=none))


def test_what_members_agreed_to_stands_in_their_words() -> None:
    text = card.write(manifest())
    assert "> I keep messages and votes to run here." in text
    assert "{hours}" not in text
    assert "**Version 1**" in text


def test_an_export_for_evaluation_says_that_no_model_may_be_trained_on_it() -> None:
    text = card.write(manifest(purpose="evaluate"))
    assert "No model may be trained on it" in text
    assert "- Training models." in text
    assert "DPOTrainer" not in text


def test_only_what_was_agreed_to_be_published_has_a_licence_by_itself() -> None:
    assert "Votes and prompts: cc-by-4.0." in card.write(manifest())
    assert "Votes and prompts: not for passing on." in card.write(manifest(purpose="train"))


def test_what_others_collected_is_told_as_theirs() -> None:
    source = {"kind": "imported", "name": "arena", "licence": "CC-BY-4.0", "files": ["a", "b"]}
    text = card.write(manifest(source=source))
    assert "read it from 2 files as arena." in text
    assert "published under CC-BY-4.0" in text
    assert "/mydata" not in text
    assert DatasetCard(text).data["license"] == "cc-by-4.0"


def test_a_folder_of_changes_says_so() -> None:
    since = {"dataset": "abc", "added": 3, "changed": 2, "gone": 1}
    text = card.write(manifest((), since=since, rows=0))
    assert "**A delta: 0 rows, only what changed** since the export abc." in text
    assert "Battles with rows: 3 new, 2 changed, 1 gone." in text
    assert "No row is new." in text
    assert "came of" not in text
    assert "**0 pairs, new or changed**" in text


def options(form: str, **changes: Any) -> dict[str, str]:
    """What was chosen, by option, as a card tells it."""
    policy = Policy(**changes).model_dump(mode="json")
    text = card.write(manifest(format=form, policy=policy))
    section = text.split("What was chosen:")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(.*?)` \| (.*) \|$", section, re.MULTILINE))


def test_choices_go_by_their_options() -> None:
    told = options("dpo", cut=True, guilds=(1, 2))
    assert (told["--keep-cut"], told["--author-votes"]) == ("yes", "yes")
    assert (told["--decide"], told["--guild"]) == ("majority", "2 servers")


@pytest.mark.parametrize("form", ["arena", "raw"])
def test_choices_that_a_format_does_not_have_are_not_told(form: str) -> None:
    assert options(form, since="2026-11-01", min_votes=3, length_ratio=2, render_with="qa") == {
        "--include": "live",
        "--after": "2026-11-01",
    }


@pytest.mark.parametrize(
    ("form", "ties", "told"),
    [
        ("dpo", "undesirable", False),
        ("dpo", "soft", True),
        ("kto", "desirable", True),
        ("kto", "soft", False),
        ("sft", "soft", False),
    ],
)
def test_ties_are_told_of_where_rows_come_of_them(form: str, ties: str, *, told: bool) -> None:
    assert ("--ties" in options(form, ties=ties)) is told


def test_openais_rows_have_neither_columns_nor_a_template() -> None:
    assert not options("openai", render_with="qa").keys() & {"--columns", "--render-with"}


def test_the_pictures_come_along_and_are_shown_only_where_they_lie(tmp_path: Path) -> None:
    pictures = card.pictures()
    assert sorted(pictures) == ["pictures/ballot.png", "pictures/reveal.png"]
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())
    assert 'src="pictures/ballot.png"' in html(card.write(manifest(), pictures=pictures))
    assert "<img" not in html(card.write(manifest()))


@pytest.mark.parametrize("form", ["dpo", "kto", "sft", "reward", "openai", "arena", "raw"])
@pytest.mark.parametrize("chat", [False, True])
def test_every_format_has_a_card(form: str, *, chat: bool) -> None:
    text = card.write(manifest(format=form, chat=chat))
    assert "$" not in text
    assert not re.search(r"^#+ .*\n\n#", text, re.MULTILINE)


def side_file(name: str, form: str, file: str = "train.jsonl", *, chat: bool = False) -> Any:
    found = trainers.files(manifest((file,), format=form, chat=chat)).get(name)
    return None if found is None else yaml.safe_load(found)


@pytest.mark.parametrize("form", ["dpo", "kto", "sft", "reward"])
def test_llama_factory_is_told_of_text_rows_alone(form: str) -> None:
    described = side_file("dataset_info.json", form)["twofold"]
    assert set(described["columns"].values()) <= set(ROWS[form])
    assert described.get("ranking", False) is (form in {"dpo", "reward"})
    assert side_file("dataset_info.json", form, "train.parquet")
    assert side_file("dataset_info.json", form, "train.jsonl.gz") is None
    assert side_file("dataset_info.json", form, chat=True) is None


@pytest.mark.parametrize(
    ("form", "chat"), [("dpo", False), ("dpo", True), ("kto", False), ("sft", False)]
)
def test_axolotl_is_told_of_what_it_can_read(form: str, *, chat: bool) -> None:
    told = side_file("axolotl.yaml", form, chat=chat)
    assert told.get("rl") == (None if form == "sft" else form)
    (data,) = told["datasets"]
    fields = data if chat else data["type"]
    named = {value for key, value in fields.items() if key.startswith("field_")}
    assert named <= set(ROWS[form])


@pytest.mark.parametrize(
    ("form", "chat"),
    [("kto", True), ("sft", True), ("reward", False), ("reward", True), ("openai", False)],
)
def test_axolotl_is_told_nothing_of_what_it_cannot(form: str, *, chat: bool) -> None:
    assert side_file("axolotl.yaml", form, chat=chat) is None


@pytest.mark.parametrize("form", ["openai", "arena", "raw"])
def test_other_formats_have_no_side_files(form: str) -> None:
    assert trainers.files(manifest(("votes/train.jsonl",), format=form)) == {}


def test_side_files_name_every_split_that_is_there() -> None:
    made = trainers.files(manifest(("test.jsonl", "train.jsonl", "validation.jsonl")))
    info = orjson.loads(made["dataset_info.json"])
    assert {name: entry["file_name"] for name, entry in info.items()} == {
        "twofold": "train.jsonl",
        "twofold_validation": "validation.jsonl",
        "twofold_test": "test.jsonl",
    }
    told = yaml.safe_load(made["axolotl.yaml"])
    assert told["test_datasets"][0]["path"] == "validation.jsonl"
