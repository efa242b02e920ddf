"""From votes in a real database to files that `datasets` loads, through the command line."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import datasets
import pytest

from bot.cli import main
from bot.dataset.export import told
from bot.dataset.files import Files, Packing
from bot.dataset.files import Kind as FileKind
from bot.dataset.funnel import LeftOut
from bot.dataset.policy import Columns
from bot.dataset.pseudonyms import Pseudonyms
from storage.database import Database, database_url
from storage.records import Consent, Outcome
from tests.unit import exports
from tests.unit.records import NOON, bot_said, said, talk
from tests.unit.test_formats import PERSON, VARIANTS
from tests.unit.town import AUTHOR, GUILD, Town, town

if TYPE_CHECKING:
    from pathlib import Path

TIE, BAD = Outcome.TIE, Outcome.BOTH_BAD
NONE, EVALUATE, TRAIN, PUBLISH = Consent
VOTERS = tuple(2**60 + number for number in range(100, 104))


def twofold(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        env={"TWOFOLD_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


async def export(home: Path, out: str = "out", **options: Any) -> dict[str, Any]:
    names = Pseudonyms.kept_in(home)
    return await exports.exported(home, out, **({"names": names, "chat": True} | options))


def rows(home: Path, out: str = "out") -> list[dict[str, Any]]:
    return exports.rows(home / out)


def left_out(manifest: dict[str, Any]) -> dict[str, int]:
    return {reason: n for reason, n in manifest["funnel"]["left_out"].items() if n}


def adds_up(manifest: dict[str, Any], home: Path, out: str = "out") -> bool:
    """Every battle has rows, or a reason for having none."""
    with_rows = {row["battle"] for row in rows(home, out)}
    return manifest["battles"] == len(with_rows) + sum(left_out(manifest).values())


async def fought(t: Town, *choices: int | Outcome, **battle: object) -> int:
    opened = await t.battle(**battle)
    for voter, choice in zip(VOTERS, choices, strict=False):
        await t.vote(opened, voter, choice)
    return opened.id


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, *VOTERS)
        spoken = talk(
            said("what is <@123456789012345678>?", by=AUTHOR, name="Alice"),
            bot_said("a member named Alice", message=1),
            said("question \ud83d", by=AUTHOR, name="Alice"),
        )
        await fought(t, 0, 0, 1, conversation=spoken)
        await fought(t, TIE)
        await fought(t, BAD, BAD, 0)
        await fought(t, 0, 1)
        await fought(t)
        await t.store.battles.fail(await fought(t, 0), reason="test", at=NOON)
    return tmp_path


async def said_now(home: Path, member: int, scope: Consent, guild: int = 0) -> None:
    async with Database.open(database_url(home / "twofold.db")) as store:
        await store.members.set_consent(member, scope, guild_id=guild, version=1, at=NOON)


def sql(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "twofold.db", isolation_level=None)) as connection:
        connection.execute(statement)


async def test_the_votes_come_out_as_preferences(home: Path) -> None:
    done = twofold(home, "export", "--out", str(home / "out"), TWOFOLD_TRAINING_EXPORT="true")
    assert "10 votes on 5 battles → 1 row\n" in done.stdout
    assert "  left out: 1 × failed or cancelled\n" in done.stdout
    assert "without Discord's express permission" in done.stderr
    manifest = json.loads((home / "out" / "manifest.json").read_bytes())
    assert left_out(manifest) == {
        "failed_or_cancelled": 1,
        "tie": 1,
        "both_bad": 1,
        "no_majority": 1,
    }
    assert adds_up(manifest, home)
    assert (manifest["purpose"], manifest["gone"]) == ("train", {})
    ((path, told_of),) = manifest["files"].items()
    data = (home / "out" / path).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert told_of == {"rows": 1, "bytes": len(data), "sha256": digest}


FILES = (Files(), Files(packing=Packing.GZ), Files(packing=Packing.ZST), Files(FileKind.PARQUET))


@pytest.mark.parametrize("files", FILES)
async def test_datasets_loads_it_with_its_splits_and_types(home: Path, files: Files) -> None:
    wanted = {"chat": True, "files": files, "test": 0.5, "validation": 0.5}
    await export(home, **wanted)
    ((path, _),) = json.loads((home / "out" / "manifest.json").read_bytes())["files"].items()
    loaded = datasets.load_dataset(str(home / "out"), cache_dir=str(home / "cache"))
    ((split, found),) = loaded.items()
    assert split == path.partition(".")[0] != "train"
    (row,) = found
    assert row["prompt"][-2]["content"] == "a member named Member 1"
    assert row["prompt"][-1] == {"role": "user", "content": "question ?"}
    assert [m["role"] for m in row["chosen"] + row["rejected"]] == ["assistant", "assistant"]
    assert row["chosen"] != row["rejected"]
    assert (row["votes_chosen"], row["votes_rejected"], row["p_chosen"]) == (2, 1, 0.6)


@pytest.mark.parametrize("name", ["arena", "raw"])
async def test_datasets_loads_tables_by_their_names(home: Path, name: str) -> None:
    manifest = await export(home, format=name, chat=False)
    for path, told_of in manifest["files"].items():
        table, _, file = path.partition("/")
        assert file == "train.jsonl"
        loaded = datasets.load_dataset(str(home / "out"), table, cache_dir=str(home / "cache"))
        assert loaded["train"].num_rows == told_of["rows"] > 0


async def test_no_id_and_no_name_and_no_key_leaves(tmp_path: Path) -> None:
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, *VOTERS)
        spoken = talk(said(f"<@{AUTHOR}> {VOTERS[0]} {PERSON}?", by=AUTHOR, name=PERSON))
        battle = await t.battle(f"{PERSON} 1", f"{PERSON} {GUILD}", conversation=spoken)
        await t.vote(battle, VOTERS[0], 0)
        edit = {"comment": PERSON, "edited_answer_id": battle.answers[0].id, "edit": f"x {PERSON}"}
        await t.store.votes.remark(battle.id, VOTERS[0], at=NOON, **edit)
    key = Pseudonyms.kept_in(tmp_path) and (tmp_path / "export.key").read_bytes()
    secrets = [PERSON.encode(), key, key.hex().encode()]
    secrets += [str(number).encode() for number in (AUTHOR, *VOTERS)]
    for name, chat in VARIANTS:
        manifest = await export(tmp_path, format=name, chat=chat, columns=tuple(Columns))
        assert manifest["rows"] >= 2 or name == "sft"
        for file in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
            content = file.read_bytes()
            assert not [secret for secret in secrets if secret in content]
        for row in rows(tmp_path):
            assert re.fullmatch("[0-9a-f]{16}", row.get("battle", "0" * 16))


async def test_redaction_covers_what_was_stored_before_it_was_turned_on(tmp_path: Path) -> None:
    mail, name = "alice.b@example.com", "Alice (+49 30 901820)"
    spoken = talk(
        said(f"mine is {mail}", by=AUTHOR, name=name),
        bot_said(f"{name}, that is {mail}", message=1),
        said(f"{name} here, again {mail}", by=AUTHOR, name=name),
    )
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, *VOTERS)
        battle = await t.battle(f"{mail}, {name}", f"not {mail}", conversation=spoken)
        await t.vote(battle, VOTERS[0], 0)
        await export(tmp_path, "before")
        await t.store.guilds.update(GUILD, "redaction", True, by=1, at=NOON)
    await export(tmp_path)
    assert mail in json.dumps(rows(tmp_path, "before"))
    (row,) = rows(tmp_path)
    texts = [message["content"] for key in ("prompt", "chosen", "rejected") for message in row[key]]
    assert texts == [
        "mine is <EMAIL>",
        "Member 1, that is <EMAIL>",
        "Member 1 here, again <EMAIL>",
        "<EMAIL>, Member 1",
        "not <EMAIL>",
    ]


async def test_training_is_off_until_the_operator_turns_it_on(home: Path) -> None:
    refused = twofold(home, "export", "--out", str(home / "out"))
    assert refused.returncode == 1
    assert "Exports for training and publishing are off" in refused.stderr
    assert "without Discord's express permission" in refused.stderr
    assert not (home / "out").exists()
    done = twofold(home, "export", "--purpose", "evaluate", "--out", str(home / "out"))
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_row_follows_the_consent_of_who_speaks_in_it(home: Path) -> None:
    for scope, guild, trains, evaluates in (
        (EVALUATE, 0, 0, 1),
        (TRAIN, GUILD, 1, 1),
        (NONE, GUILD, 0, 0),
        (TRAIN, GUILD, 1, 1),
    ):
        await said_now(home, AUTHOR, scope, guild)
        training = await export(home)
        evaluating = await export(home, "evaluated", purpose=EVALUATE)
        assert (training["rows"], evaluating["rows"]) == (trains, evaluates)
        assert (len(rows(home)), len(rows(home, "evaluated"))) == (trains, evaluates)
        assert ("no_consent" in left_out(training)) is (trains == 0)


async def test_publishing_takes_the_word_of_everybody_and_of_the_server(home: Path) -> None:
    for member in (AUTHOR, *VOTERS):
        await said_now(home, member, PUBLISH)
    assert (await export(home, purpose=PUBLISH))["rows"] == 0
    async with Database.open(database_url(home / "twofold.db")) as store:
        await store.guilds.update(GUILD, "consent_cap", "publish", by=1, at=NOON)
    assert (await export(home, purpose=PUBLISH))["rows"] == 1
    await said_now(home, AUTHOR, TRAIN)
    assert (await export(home, purpose=PUBLISH))["rows"] == 0


async def test_the_votes_of_who_did_not_agree_do_not_count(home: Path) -> None:
    await said_now(home, VOTERS[0], EVALUATE)
    manifest = await export(home)
    assert left_out(manifest)["no_vote_of_who_agreed"] == 2
    assert manifest["funnel"]["votes_left_out"]["voter_has_not_agreed"] == 3
    assert adds_up(manifest, home)
    # What was 2:1 is even now, and the even one is decided.
    (row,) = rows(home)
    assert (row["votes_chosen"], row["votes_rejected"]) == (1, 0)
    await export(home, "evaluated", purpose=EVALUATE)
    assert rows(home, "evaluated")[0]["votes_chosen"] == 2


async def test_an_admin_may_keep_a_server_out(home: Path) -> None:
    async with Database.open(database_url(home / "twofold.db")) as store:
        await store.guilds.update(GUILD, "consent_cap", "evaluate", by=1, at=NOON)
    assert (await export(home))["rows"] == 0
    assert (await export(home, "evaluated", purpose=EVALUATE))["rows"] == 1


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("UPDATE battles SET wiped_because = 'deleted' WHERE id = 1", "prompt_deleted"),
        ("UPDATE battles SET wiped_because = 'erased' WHERE id = 1", "member_erased"),
        ("UPDATE battles SET wiped_because = 'retention' WHERE id = 1", "wiped_after_retention"),
        ("UPDATE battles SET edited_at = created_at WHERE id = 1", "prompt_edited"),
        (f"UPDATE members SET consent = 'none' WHERE member_id = {AUTHOR}", "no_consent"),
        ("DELETE FROM votes WHERE battle_id = 1", "votes_withdrawn"),
        ("INSERT INTO turns (battle_id, author_id) VALUES (1, 77)", "no_consent"),
        ("UPDATE votes SET voter_id = -id WHERE battle_id = 1", "no_vote_of_who_agreed"),
    ],
)
async def test_what_is_gone_since_is_listed_by_hash_with_its_reason(
    home: Path, what: str, reason: str
) -> None:
    await export(home)
    (row,) = rows(home)
    sql(home, what)
    manifest = await export(home)
    assert manifest["gone"] == {reason: [row["battle"]]}
    assert rows(home) == []
    plain = reason.replace("_", " ")
    line = f"  gone since earlier exports: 1 × {plain}: {row['battle']}"
    assert line in told(manifest)
    assert adds_up(manifest, home)
    # It stays listed: whoever has an older export can take it out with the newest manifest.
    assert await export(home, "later") == manifest
    assert (await export(home, "other", purpose=EVALUATE))["gone"] == {}


async def test_what_comes_back_is_not_gone(home: Path) -> None:
    await export(home)
    for scope in (NONE, TRAIN):
        await said_now(home, AUTHOR, scope)
        manifest = await export(home)
    assert (manifest["gone"], manifest["rows"]) == ({}, 1)


def unlinkable(really: bool) -> dict[str, Any]:
    return {"names": Pseudonyms.unlinkable()} if really else {}


async def test_unlinkable_exports_have_nothing_in_common_but_texts(home: Path) -> None:
    hashed = set()
    for number in range(3):
        manifest = await export(home, str(number), **unlinkable(number > 0))
        assert manifest["linkable"] is (number == 0)
        hashed.add(rows(home, str(number))[0]["battle"])
    assert len(hashed) == 3
    sql(home, "UPDATE battles SET edited_at = created_at")
    manifest = await export(home, "last", **unlinkable(True))
    assert "  gone since earlier exports: 1 × prompt edited" in told(manifest)
    assert manifest["gone"] == {"prompt_edited": 1}


async def test_only_the_guilds_that_are_wanted_are_read_and_named_by_hash(home: Path) -> None:
    sql(home, "UPDATE battles SET guild_id = 6 WHERE id > 1")
    manifest = await export(home, guilds=(GUILD,))
    assert (manifest["battles"], manifest["rows"]) == (1, 1)
    assert manifest["policy"]["guilds"] == [Pseudonyms.kept_in(home).of("guild", GUILD)]
    assert (await export(home, guilds=(6,)))["rows"] == 0


@pytest.mark.parametrize(
    "policy", [{}, {"min_votes": 2}, {"deciding": "every"}, {"length_ratio": 1.1}, {"votes": "all"}]
)
async def test_the_funnel_adds_up_whatever_the_policy(home: Path, policy: dict[str, Any]) -> None:
    await said_now(home, VOTERS[2], NONE)
    sql(home, "UPDATE votes SET blind = 0 WHERE id % 3 = 0")
    sql(home, "UPDATE battles SET bucket = NULL WHERE id = 4")
    for format_name in ("dpo", "kto", "sft", "reward"):
        manifest = await export(home, format=format_name, **policy)
        assert adds_up(manifest, home)
        assert manifest["rows"] == sum(manifest["splits"].values()) == len(rows(home))
        assert set(manifest["funnel"]["left_out"]) == {reason.value for reason in LeftOut}


async def test_integrity_is_told_by_hash_and_only_of_who_agreed(home: Path) -> None:
    await said_now(home, VOTERS[0], NONE)
    told = json.loads(twofold(home, "integrity", "--json").stdout)
    assert sorted(voter["votes"] for voter in told) == [2, 3]
    assert all(re.fullmatch("[0-9a-f]{16}", voter["voter"]) for voter in told)
    assert told[0]["one_side"] == {"share": 0.5, "n": 2}
    assert told[0]["mirrors"] == {"share": None, "n": 0}
    table = twofold(home, "integrity").stdout
    assert told[0]["voter"] in table
    assert "hasty: votes on new answers sooner than both can be skimmed" in table
    assert not re.search("[0-9]{17}", json.dumps(told) + table)


async def test_a_hurried_voter_weighs_less(tmp_path: Path) -> None:
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, *VOTERS)
        for number in range(20):
            battle = await t.battle(tokens=(200, 200))
            await t.vote(battle, VOTERS[number % 2], number // 2 % 2, after=1 + 90 * (number % 2))
    await export(tmp_path, columns=("weight",), test=0, validation=0)
    assert [row["weight"] for row in rows(tmp_path)] == [1.0, 0.6] * 10


async def test_only_the_longest_of_answers_that_went_on_has_a_row(tmp_path: Path) -> None:
    """Where it has none, as nobody who voted on it agreed, the shorter one has."""
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, *VOTERS)
        short = await t.battle("one", "two")
        long = await t.battle("one, more", "two, more", parent=short)
        longest = await t.battle("one, more and more", "two, more and more", parent=long)
        for battle, voter in ((short, VOTERS[0]), (long, VOTERS[1]), (longest, 7)):
            await t.vote(battle, voter, 0)
    for agreed, chosen, continued in ((None, "one, more", 1), (7, "one, more and more", 2)):
        if agreed:
            await said_now(tmp_path, agreed, TRAIN)
        manifest = await export(tmp_path)
        (row,) = rows(tmp_path)
        assert row["chosen"][0]["content"] == chosen
        assert left_out(manifest)["continued"] == continued
    await export(tmp_path, continued=True)
    assert {row["chosen"][0]["content"] for row in rows(tmp_path)} == {
        *("one", "one, more"),
        "one, more and more",
    }


async def test_a_backup_with_its_key_gives_the_same_hashes(home: Path) -> None:
    await export(home)
    for file in (home / "twofold.db", home / "export.key"):
        (home / "copy").mkdir(exist_ok=True)
        shutil.copy(file, home / "copy")
    await export(home / "copy")
    assert rows(home / "copy") == rows(home)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "parquet"], "There is no format parquet. Choose one of: dpo, kto,"),
        (["--purpose", "fun"], "no purpose fun. Choose one of: train, evaluate, publish"),
        (["--format", "openai", "--chat"], "--chat goes with dpo, kto, reward, sft, not with"),
        (["--format", "kto", "--logprobs", "base"], "--logprobs goes with the text rows of dpo"),
        (["--chat", "--logprobs", "base"], "--logprobs goes with the text rows of dpo"),
        (["--after", "yesterday"], "'yesterday' does not match the format"),
        (["--after", "2026-11-02", "--before", "2026-11-01"], "--after is later than --before."),
        (
            ["--validation", "0.7", "--test", "0.7"],
            "--validation and --test together are more than 1.",
        ),
        (["--min-agreement", "2"], "Invalid value for '--min-agreement'"),
        (["--compress", "rar"], "Invalid value for '--compress'"),
        (["--since", "none.json"], "none.json cannot be read: No such file or directory."),
    ],
)
def test_bad_options_are_sentences(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TWOFOLD_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["twofold", "export", "--out", "x", *arguments])
    if "--purpose" not in arguments:
        sys.argv += ["--purpose", "evaluate"]
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in {1, 2}
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--out", "/dev/null/x"],
            "/dev/null/x cannot be written: Not a directory. Choose another",
        ),
        (["--out", "x", "--render-with", "haiku"], "There is no template haiku. Choose one of:"),
        (["--out", "x", "--from", "nobody"], "nobody"),
        (["--out", "x", "--contender", "bsae"], "There is no contender bsae in this database."),
        (["--out", "x", "--template", "haiku"], "There is no template haiku in this database."),
    ],
)
async def test_what_turns_out_later_is_a_sentence_too(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    async with Database.open(database_url(tmp_path / "twofold.db")):
        pass
    done = twofold(tmp_path, "export", "--purpose", "evaluate", *arguments)
    assert done.returncode == 1
    assert says in " ".join(done.stderr.split())
    assert "unexpected" not in done.stderr


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = twofold(tmp_path, "export", "--purpose", "evaluate", "--out", str(tmp_path / "x"))
    assert done.returncode == 1
    assert "There is no database" in done.stderr
    assert not list(tmp_path.glob("*.db"))


async def test_a_spoilt_key_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "export.key").write_bytes(b"spoilt")
    async with Database.open(database_url(tmp_path / "twofold.db")):
        pass
    done = twofold(tmp_path, "integrity")
    assert done.returncode == 1
    assert "is too short. Restore it from a backup" in done.stderr
