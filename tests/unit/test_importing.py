"""Files that others collected, through the command line into a database of their own."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from copy import deepcopy
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from bot.app import open_services
from bot.config import load
from bot.dataset.export import export
from bot.dataset.files import Files, Packing
from bot.dataset.files import Kind as FileKind
from bot.dataset.importing import lmarena
from bot.dataset.importing.collection import Wanted, bring, url_of
from bot.dataset.importing.parts import Hashes
from bot.dataset.importing.read import rows
from bot.dataset.importing.skips import DEEPEST, Skip, Skipped
from bot.dataset.importing.survey import understood
from bot.dataset.pseudonyms import Pseudonyms
from bot.dataset.request import Means, Request
from bot.errors import ConfigError
from bot.redaction import Redactor
from storage.database import Database, database_url
from storage.records import Closing, Consent, Outcome
from tests.unit import counts
from tests.unit.records import NOON
from tests.unit.town import AUTHOR, town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.dataset.importing.collection import Brought


def twofold(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        env={"TWOFOLD_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


async def brought(
    home: Path,
    *files: Path,
    name: str = "theirs",
    base: frozenset[str] = frozenset(),
    licence: str = "CC-BY-4.0",
    redact: bool = True,
) -> Brought | None:
    """What `twofold import` does once its arguments are read."""
    redactor = Redactor().redact if redact else str
    terms = {"licence": licence, "redact": redactor, "at": NOON}
    wanted = Wanted(name=name, files=files, base=base, **terms)
    return await bring(load(home=home), wanted)


async def stored(home: Path, name: str = "theirs") -> list:
    """The battles of a collection with their votes, the oldest first."""
    async with Database.open(database_url(home / "imports" / f"{name}.db")) as store:
        pages = [page async for page in store.voted.pages(details=True)]
    return [voted for page in pages for voted in page][::-1]


async def standings(home: Path, name: str = "theirs") -> dict[str, tuple[int, ...]]:
    async with Database.open(database_url(home / "imports" / f"{name}.db")) as store:
        return await counts.standings(store)


def lines(path: Path, *found: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in found))
    return path


def spoken(*texts: object) -> list[dict]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def parts(text: str) -> list[dict]:
    return [{"type": "text", "text": text, "image": None, "mimeType": None}]


def row_33k(number: int = 1, **other: object) -> dict:
    """As in lmsys/chatbot_arena_conversations."""
    return {
        "question_id": f"question-{number}",
        "model_a": "alpaca-13b",
        "model_b": "gpt-4",
        "winner": "model_b",
        "judge": "arena_user_973",
        "conversation_a": spoken("What is 2 + 2?", "Two."),
        "conversation_b": spoken("What is 2 + 2?", "It is 4."),
        "turn": 1,
        "anony": True,
        "language": "English",
        "tstamp": 1682352000.5,
        "openai_moderation": {"flagged": False},
        "toxic_chat_tag": {},
    } | other


def row_140k(number: int = 1, **other: object) -> dict:
    """As in lmarena-ai/arena-human-preference-140k."""
    return {
        "id": f"6b1d-{number}",
        "model_a": "gemini-2.5-pro",
        "model_b": "o3-2025-04-16",
        "winner": "model_a",
        "evaluation_session_id": f"session-{number}",
        "evaluation_order": 1,
        "conversation_a": [
            {"role": "user", "content": parts("Why is the sea salty?")},
            {"role": "assistant", "content": parts("Rivers carry salt.")},
        ],
        "conversation_b": [
            {"role": "user", "content": parts("Why is the sea salty?"), "num_tokens": 6},
            {"role": "assistant", "content": parts("Fish."), "num_tokens": 2},
        ],
        "conv_metadata": {"turns": 1},
        "category_tag": {},
        "language": "en",
        "is_code": False,
        "timestamp": "2025-06-18 12:00:00.000000",
    } | other


def feedback(rated: str = "a1", rating: object = 1, *, arena: bool = True, **other: object) -> dict:
    """As exportAllFeedbacks of Open WebUI gives it: the whole chat, answers as siblings."""
    messages = {
        "q0": {"id": "q0", "parentId": None, "childrenIds": ["a0"], "role": "user"}
        | {"content": "Hello", "timestamp": 1750000000, "models": ["arena-model"]},
        "a0": {"id": "a0", "parentId": "q0", "childrenIds": ["q1"], "role": "assistant"}
        | {"content": "Hello yourself", "model": "arena-model", "selectedModelId": "gemma3:4b"},
        "q1": {"id": "q1", "parentId": "a0", "childrenIds": ["a1", "a2"], "role": "user"}
        | {"content": "Name a fish"},
        "a1": {"id": "a1", "parentId": "q1", "childrenIds": [], "role": "assistant"}
        | {"content": '<details type="reasoning" done="true">\nhm\n</details>\nA cod.'}
        | {"model": "arena-model", "selectedModelId": "llama3.2:latest", "arena": True},
        "a2": {"id": "a2", "parentId": "q1", "childrenIds": [], "role": "assistant"}
        | {"content": "A whale.", "model": "arena-model", "selectedModelId": "gemma3:4b"},
    }
    chat = {"id": "", "title": "Fish", "models": ["arena-model"], "params": {}, "messages": []}
    return {
        "id": f"feedback-{rated}",
        "user_id": "0f6f8a2e-user",
        "version": 0,
        "type": "rating",
        "data": {
            "rating": rating,
            "model_id": messages[rated]["selectedModelId"],
            "sibling_model_ids": ["gemma3:4b"],
            "reason": "accurate_information",
            "comment": "",
            "tags": ["general"],
            "details": {"rating": 9},
        },
        "meta": {
            "arena": arena,
            "model_id": "arena-model",
            "message_id": rated,
            "message_index": 4,
            "chat_id": "chat-1",
            "base_models": {"llama3.2:latest": None},
        },
        "snapshot": {
            "chat": {
                "id": "chat-1",
                "user_id": "0f6f8a2e-user",
                "title": "Fish",
                "chat": chat | {"history": {"messages": messages, "currentId": "a1"}},
                "updated_at": 1750000100,
            }
        },
        "created_at": 1750000200,
        "updated_at": 1750000300,
    } | other


async def test_a_set_of_33k_keeps_texts_times_judges_and_blindness(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "33k.jsonl",
        row_33k(1),
        row_33k(1, judge="arena_user_5", winner="tie (bothbad)"),
        row_33k(2, winner="tie", anony=False),
    )
    result = await brought(tmp_path, file)
    assert (result.rows, result.battles, result.votes, result.skips.total()) == (3, 2, 3, 0)
    first, second = await stored(tmp_path)
    assert [turn.text for turn in first.conversation.turns] == ["What is 2 + 2?"]
    assert [(a.contender, a.shown) for a in first.answers] == [
        ("alpaca-13b", "Two."),
        ("gpt-4", "It is 4."),
    ]
    assert first.day == "2023-04-24"
    assert len({vote.voter_id for vote in first.votes}) == 2
    assert [vote.blind for vote in (*first.votes, *second.votes)] == [True, True, False]
    assert await standings(tmp_path) == {"alpaca-13b": (0, 1, 0, 1), "gpt-4": (1, 0, 0, 1)}


async def test_a_set_of_140k_is_read_from_parquet(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([row_140k(1), row_140k(2, winner="both_bad")])
    table = table.drop(["category_tag"])
    parquet.write_table(table, tmp_path / "140k.parquet")
    await brought(tmp_path, tmp_path / "140k.parquet")
    assert await standings(tmp_path) == {
        "gemini-2.5-pro": (1, 0, 0, 1),
        "o3-2025-04-16": (0, 1, 0, 1),
    }


async def test_the_set_of_55k_is_read_from_csv(tmp_path: Path) -> None:
    columns = ["id", "model_a", "model_b", "prompt", "response_a", "response_b"]
    columns += ["winner_model_a", "winner_model_b", "winner_tie"]
    found = [
        [
            30192,
            "gpt-4",
            "koala-13b",
            '["Is it\\nright?"]',
            '["No, \\ud83d it"]',
            '["Yes"]',
            1,
            0,
            0,
        ],
        [53567, "koala-13b", "gpt-4", '["a","b"]', '["c","d"]', '["c","e"]', 0, 0, 1],
        [65089, "koala-13b", "gpt-4", '["a","b"]', '["c","d"]', '["x","e"]', 0, 1, 0],
        [96401, "koala-13b", "gpt-4", '["a"]', "[null]", '["x"]', 0, 1, 0],
        [198779, "koala-13b", "gpt-4", '["a"]', '["b"]', '["x"]', 0, 0, 0],
    ]
    with gzip.open(tmp_path / "train.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows([columns, *found])
    result = await brought(tmp_path, tmp_path / "train.csv.gz")
    assert result.rows == 5
    assert result.skips == {Skip.FORKED: 1, Skip.NO_TEXT: 1, Skip.NO_WINNER: 1}
    first, second = await stored(tmp_path)
    assert first.conversation.prompt.text == "Is it\nright?"
    assert [turn.text for turn in second.conversation.turns] == ["a", "c", "b"]
    assert [turn.is_bot for turn in second.conversation.turns] == [False, True, False]
    assert await standings(tmp_path) == {"gpt-4": (1, 0, 1, 0), "koala-13b": (0, 1, 1, 0)}


async def test_feedback_of_open_webui_becomes_a_battle_of_siblings(tmp_path: Path) -> None:
    file = tmp_path / "feedbacks.json"
    file.write_text(
        json.dumps(
            [
                feedback("a1", 1),
                feedback("a2", -1),
                feedback("a2", "1", user_id="somebody else", arena=False),
                feedback("a0", 1),
                feedback("a1", None),
                feedback("a1", 1, snapshot=None),
            ]
        )
    )
    result = await brought(tmp_path, file)
    assert (result.battles, result.votes) == (1, 2)
    assert result.skips == {Skip.ALONE: 1, Skip.NO_WINNER: 1, Skip.NO_TEXT: 1, Skip.AGAIN: 1}
    (battle,) = await stored(tmp_path)
    assert [turn.text for turn in battle.conversation.turns] == [
        "Hello",
        "Hello yourself",
        "Name a fish",
    ]
    assert [(a.contender, a.shown) for a in battle.answers] == [
        ("llama3.2-latest", "A cod."),
        ("gemma3-4b", "A whale."),
    ]
    winners = [
        next(a.side for a in battle.answers if a.id == v.winner_answer_id) for v in battle.votes
    ]
    assert [(*winner, vote.blind) for winner, vote in zip(winners, battle.votes, strict=True)] == [
        ("a", True),
        ("b", False),
    ]


async def test_a_chat_that_goes_round_in_a_circle_is_skipped(tmp_path: Path) -> None:
    row = feedback()
    row["snapshot"]["chat"]["chat"]["history"]["messages"]["q0"]["parentId"] = "a1"
    result = await brought(tmp_path, lines(tmp_path / "f.jsonl", row, feedback("a2")))
    assert (result.battles, result.skips) == (1, {Skip.ROLES: 1})


async def test_nothing_of_a_source_leads_back_to_a_person(tmp_path: Path) -> None:
    row = row_33k(conversation_a=spoken("mail bob@example.org", "no"))
    row["conversation_b"] = spoken("mail bob@example.org", "bob@example.org is mailed")
    await brought(tmp_path, lines(tmp_path / "a.jsonl", row, feedback()))
    await brought(tmp_path, tmp_path / "a.jsonl", name="other", redact=False)
    (first, *_), (other, *_) = await stored(tmp_path), await stored(tmp_path, "other")
    assert first.conversation.prompt.text == "mail <EMAIL>"
    assert [answer.shown for answer in first.answers] == ["no", "<EMAIL> is mailed"]
    assert other.conversation.prompt.text == "mail bob@example.org"
    assert first.votes[0].voter_id != other.votes[0].voter_id
    content = (tmp_path / "imports" / "theirs.db").read_bytes()
    for original in (b"arena_user_973", b"0f6f8a2e", b"question-1", b"chat-1", b"bob@"):
        assert original not in content


async def test_the_same_file_twice_adds_nothing(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", row_33k(1))
    await brought(tmp_path, file)
    assert await brought(tmp_path, file) is None
    result = await brought(tmp_path, lines(tmp_path / "b.jsonl", row_33k(1), row_33k(2)))
    assert (result.battles, result.votes, result.known) == (1, 1, 1)
    async with Database.open(database_url(tmp_path / "imports" / "theirs.db")) as store:
        files = await store.imports.all()
    assert [(one.file, one.licence) for one in files] == [
        ("a.jsonl", "CC-BY-4.0"),
        ("b.jsonl", "CC-BY-4.0"),
    ]


@pytest.mark.parametrize("files", [Files(packing=Packing.ZST), Files(kind=FileKind.PARQUET)])
async def test_an_arena_export_comes_back_with_the_same_standings(
    tmp_path: Path, files: Files
) -> None:
    choices = ((0, 0, 1), (1, Outcome.TIE), (Outcome.BOTH_BAD,), ())
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, 11, 12, 13)
        for chosen in choices:
            battle = await t.battle()
            for voter, choice in zip((11, 12, 13), chosen, strict=False):
                await t.vote(battle, voter, choice)
            await t.store.battles.close(battle.id, at=NOON, because=Closing.AUTHOR)
        before = await counts.standings(t.store)
        request = Request(format="arena", purpose=Consent.TRAIN, files=files)
        means = Means(pseudonyms=Pseudonyms.unlinkable(), redactor=Redactor(), templates={})
        await export(t.store, request, means, out=tmp_path / "out", at=NOON)
    exported = [*(tmp_path / "out").glob("pairs/*"), *(tmp_path / "out").glob("votes/*")]
    result = await brought(tmp_path, *exported)
    assert (result.battles, result.votes, result.skips.total()) == (3, 6, 0)
    async with Database.open(database_url(tmp_path / "imports" / "theirs.db")) as store:
        assert await counts.standings(store) == before


async def test_a_table_of_votes_needs_the_texts_of_its_pairs(tmp_path: Path) -> None:
    pair = row_140k(id="5a5a", winner="model_a", finish_reasons={"model_b": "length"})
    vote = {"id": "1", "battle": "5a5a", "winner": "both_bad", "judge": "j", "blind": False}
    votes = [vote, vote | {"judge": "k", "timestamp": "2026-11-01"}, vote | {"battle": "f00d"}]
    with pytest.raises(ConfigError, match="3 × a vote whose texts are in none of these files"):
        await brought(tmp_path, lines(tmp_path / "votes.jsonl", *votes))
    result = await brought(
        tmp_path, lines(tmp_path / "pairs.jsonl", pair), lines(tmp_path / "votes.jsonl", *votes)
    )
    assert result.skips == {Skip.NO_PAIR: 1}
    (battle,) = await stored(tmp_path)
    assert [(vote.outcome, vote.blind) for vote in battle.votes] == [("both_bad", False)] * 2
    assert battle.votes[1].about.day == "2026-11-01"
    assert [answer.finish_reason for answer in battle.answers] == ["stop", "length"]


async def test_bad_rows_are_counted_and_the_others_kept(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    good = json.dumps(row_33k(1, model_a="a\0[red]\ud83d/b", judge=7)).encode()
    bad: list[object] = [
        row_33k(2, winner=None),
        row_33k(3, winner=["model_a"]),
        row_33k(4, model_a={}),
        row_33k(5, model_a="gpt-4"),
        row_33k(6, conversation_a="[" * 5000),
        row_33k(7, conversation_b=[]),
        row_33k(8, conversation_a=[1]),
        row_33k(9, conversation_a=spoken("other", "x")),
        row_33k(10, conversation_a=spoken("Only a question")),
        row_33k(11, conversation_a=spoken(parts("see")[:0], "x")),
        {"data": {}, "meta": None, "type": 3},
        {"data": {"rating": 1}, "meta": {"message_id": []}, "type": 3, "snapshot": {"chat": []}},
        {"battle": [], "judge": {}, "winner": 4},
        row_33k(12, judge="deep"),
        row_33k(13, kinds={"model_a": {}}, winner=3),
        [],
        3,
        None,
        {},
    ]
    deep = b"[" * 1000 + b"]" * 1000
    dumped = [json.dumps(row).encode().replace(b'"deep"', deep) for row in bad]
    broken = [b'{"a": ', b"\xff\xfe", b"[" * 100_000, b"9" * 10_000]
    file.write_bytes(b"\xef\xbb\xbf" + b"\n".join([good, *dumped, *broken, b"", good[:-1]]))
    result = await brought(tmp_path, file)
    assert (result.rows, result.battles, result.skips.total()) == (25, 1, 24)
    assert result.skips[Skip.BROKEN] == 6
    assert result.skips[Skip.SHAPE] == 4
    assert sorted(await standings(tmp_path)) == ["a-red-b", "gpt-4"]


def test_an_array_is_read_up_to_where_it_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for end in (b"", b", {", b', {"a": \xff}]', b", " + b"[" * (DEEPEST + 1), b", " + b"9" * 9999):
        file.write_bytes(b'\xef\xbb\xbf [{"x": 1}, {"x": 2.5}' + end)
        assert list(rows(file)) == [{"x": 1}, {"x": 2.5}, Skip.BROKEN_OFF]
    file.write_bytes(b'[{"x": "\\ud83d \\u0000"}, 3]')
    assert list(rows(file)) == [{"x": "? \0"}, Skip.SHAPE]


def test_a_row_without_end_is_not_held_in_memory(tmp_path: Path) -> None:
    for start, reason in ((b"", Skip.TOO_LONG), (b"[", Skip.BROKEN_OFF)):
        (tmp_path / "a").write_bytes(b'%b"%b' % (start, b"x" * 999_999))
        assert list(rows(tmp_path / "a", longest=300_000)) == [reason]
    (tmp_path / "a").write_bytes(b'{"x": 1}\n"%b"\n{"x": 2}' % (b"x" * 999_999))
    assert list(rows(tmp_path / "a", longest=300_000)) == [{"x": 1}, Skip.TOO_LONG, {"x": 2}]
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfx,y\n1,2\n"%b,3\n4,5,6\n' % (b"x" * 999_999))
    found = list(rows(tmp_path / "a.csv", longest=300_000))
    assert found == [{"x": "1", "y": "2"}, Skip.TOO_LONG, Skip.BROKEN]


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_compressed_files_are_known_by_their_beginning(tmp_path: Path, codec: str) -> None:
    file = tmp_path / "rows"
    with pa.CompressedOutputStream(str(file), codec) as out:
        out.write(b'{"x": 1}\n{"x": 2}\n')
    assert list(rows(file)) == [{"x": 1}, {"x": 2}]
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ConfigError, match="damaged or cut off"):
        list(rows(file))


async def test_kinds_are_what_is_said_of_them(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", feedback())
    with pytest.raises(ConfigError, match=r"names gpt-2, .* have only gemma3:4b, llama3.2:latest"):
        await brought(tmp_path, file, base=frozenset({"gpt-2"}))
    await brought(tmp_path, file, base=frozenset({"gemma3:4b"}))
    (battle,) = await stored(tmp_path)
    assert [answer.kind for answer in battle.answers] == ["instruct", "base"]
    other = lines(tmp_path / "b.jsonl", feedback("a2"))
    with pytest.raises(ConfigError, match=r"llama3.2-latest is no base model in this collection"):
        await brought(tmp_path, other, base=frozenset({"llama3.2-latest"}))


def spoiled(draw: st.DrawFn, value: object, junk: st.SearchStrategy[object]) -> object:
    """The value with something else in one of its places."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 4)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        value[key] = spoiled(draw, value[key], junk)
        return value
    return draw(junk)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
EACH = {"model_a": "base", "model_b": ["run_on"]}


def pair() -> dict:
    counted = {"sum_assistant_a_tokens": 4}
    each = {column: dict(EACH) for column in ("kinds", "finish_reasons", "tags")}
    return row_140k(conv_metadata=counted, **each)


OURS = {"id": "1", "battle": "b", "winner": "tie", "judge": "j", "timestamp": "2026-11-01"}


@given(st.data(), st.sampled_from([row_33k, pair, feedback, lambda: dict(OURS)]))
def test_whatever_a_row_holds_it_is_understood_or_has_a_reason(
    data: st.DataObject, make: Callable[[], dict]
) -> None:
    row = deepcopy(make())
    key = data.draw(st.sampled_from(list(row)))
    row[key] = spoiled(data.draw, row[key], JUNK)
    with suppress(Skipped):
        if lmarena.is_votes(row):
            lmarena.vote(row, Hashes("x"))
        else:
            found = understood(row, Hashes("x"))
            assert all(0 < battle.source < 2**63 for battle in found)


async def test_models_whose_safe_names_are_the_same_stay_two(tmp_path: Path) -> None:
    await brought(tmp_path, lines(tmp_path / "a.jsonl", row_33k(1, model_a="x/y", model_b="x:y")))
    assert len(await standings(tmp_path)) == 2


async def test_a_file_without_battles_makes_no_collection(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"question": 1}, {"question": 2})
    with pytest.raises(ConfigError, match=r"no battle in what was read \(2 × of no known shape\)"):
        await brought(tmp_path, file)
    assert not (tmp_path / "imports").exists()


@pytest.mark.parametrize("name", ["../x", "", "A", "x.db", "x" * 41, "-x"])
async def test_a_collection_cannot_be_called_anything(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a collection"):
        await brought(tmp_path, lines(tmp_path / "a.jsonl", row_33k()), name=name)


async def test_nothing_is_imported_without_its_terms(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Say with --licence under which terms"):
        await brought(tmp_path, lines(tmp_path / "a.jsonl", row_33k()), licence=" ")


async def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.json cannot be read: No such file"):
        await brought(tmp_path, tmp_path / "nothing.json")
    with pytest.raises(ConfigError, match="Is a directory"):
        await brought(tmp_path, tmp_path)


def test_the_command_line_tells_what_came_of_a_file(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", row_33k(1), row_33k(2), row_33k(3, winner=None), {})
    name = ("--name", "theirs", "--licence", "CC-BY-4.0")
    done = twofold(tmp_path, "import", str(file), *name, "--base", "alpaca-13b")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "2 battles and 2 votes came into the collection theirs\n"
        "2 of 4 rows could not be used: 1 × no winner, 1 × of no known shape\n"
    )
    again = twofold(tmp_path, "import", str(file), *name)
    assert again.stdout == "Nothing is new: these files are in the collection theirs already.\n"
    board = json.loads(twofold(tmp_path, "leaderboard", "--from", "theirs", "--json").stdout)
    ranked = {line["entrant"]["slug"]: (line["wins"], line["losses"]) for line in board["lines"]}
    assert ranked == {"gpt-4": (2, 0), "alpaca-13b": (0, 2)}
    voters = json.loads(twofold(tmp_path, "integrity", "--from", "theirs", "--json").stdout)
    assert [voter["votes"] for voter in voters] == [2]
    unknown = twofold(tmp_path, "leaderboard", "--from", "ours")
    assert unknown.returncode == 1
    assert unknown.stderr == "twofold: There is no collection ours. There are: theirs.\n"


def test_without_any_collection_the_way_to_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no collection x. `twofold import` makes one"):
        url_of(load(home=tmp_path), "x")


async def test_no_bot_works_on_a_collection_and_no_import_on_a_bots_votes(tmp_path: Path) -> None:
    await brought(tmp_path, lines(tmp_path / "a.jsonl", row_33k()))
    collection = tmp_path / "imports" / "theirs.db"
    config = load(database=str(collection))
    with pytest.raises(ConfigError, match="collection of imported votes, which no bot may add to"):
        async with open_services(config, engines={}):
            pass
    async with town(tmp_path) as t:
        await t.vote(await t.battle(), 7, 0)
    (tmp_path / "twofold.db").rename(tmp_path / "imports" / "live.db")
    with pytest.raises(ConfigError, match=r"has battles of a bot in it. Choose another --name"):
        await brought(tmp_path, lines(tmp_path / "b.jsonl", row_33k(3)), name="live")


async def test_imported_battles_know_what_they_are_about(tmp_path: Path) -> None:
    asked = ("Wie programmiert man eine Schleife in Python?", "hi")
    found = [
        row_33k(number, conversation_a=spoken(text, "Two."), conversation_b=spoken(text, "Four."))
        for number, text in enumerate(asked, start=1)
    ]
    await brought(tmp_path, lines(tmp_path / "a.jsonl", *found))
    with closing(sqlite3.connect(tmp_path / "imports" / "theirs.db")) as connection:
        rows = connection.execute("SELECT topic, language FROM battles ORDER BY id").fetchall()
    assert rows == [("code", "de"), ("chat", None)]
