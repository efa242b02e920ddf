"""An export of what changed since an earlier one, and what to take out of that."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bot.dataset import manifest as manifests
from bot.dataset.export import told
from bot.dataset.pseudonyms import Pseudonyms
from bot.errors import ConfigError
from storage.records import Consent, Outcome
from tests.unit.exports import NAMES, exported, rows
from tests.unit.records import NOON, said, talk
from tests.unit.town import AUTHOR, town

if TYPE_CHECKING:
    from pathlib import Path

    from storage.records import Battle

TIE = Outcome.TIE
ANN, BOB, CLEO = (2**60 + number for number in (100, 101, 102))
LATER = AUTHOR + 1


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """Battles 1 to 6, each won by its first answer; 5 has Bob's words, 6 has Cleo's."""
    async with town(tmp_path) as t:
        await t.agree(AUTHOR, ANN, BOB, CLEO)
        for author in (AUTHOR, AUTHOR, AUTHOR, AUTHOR, BOB, CLEO):
            battle = await t.battle(author=author)
            await t.vote(battle, ANN, 0)
            if author == CLEO:
                await t.vote(battle, CLEO, 0)
    return tmp_path


def name(number: int) -> str:
    return NAMES.of("battle", number)


def tombstones(out: Path) -> dict[str, tuple[str, str | None]]:
    lines = (out / "tombstones.jsonl").read_bytes().splitlines()
    found = [json.loads(line) for line in lines]
    assert all(list(one) == ["battle", "change", "reason"] for one in found)
    return {one["battle"]: (one["change"], one["reason"]) for one in found}


def applied(old: list[dict[str, Any]], out: Path) -> Counter[str]:
    """The old rows without the tombstones' battles, and the new ones."""
    gone = tombstones(out)
    return as_set([row for row in old if row["battle"] not in gone] + rows(out))


def as_set(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(row) for row in found)


async def changed(home: Path) -> Battle:
    """Everything that can become of rows."""
    async with town(home, first=7) as t:
        new = await t.battle(conversation=talk(said("new", by=AUTHOR, name="Alice")))
        await t.vote(new, ANN, 1)
        battles = {number: await t.store.battles.get(number) for number in (2, 3)}
        await t.vote(battles[2], ANN, 1)
        await t.vote(battles[3], ANN, TIE)
        await t.store.votes.withdraw(4, ANN, at=NOON)
        await t.store.erasure.erase(BOB, at=NOON)
        await t.agree(CLEO, scope=Consent.EVALUATE)
    return new


@pytest.mark.parametrize("format", ["dpo", "kto", "sft", "reward"])
async def test_it_is_exactly_what_differs(home: Path, format: str) -> None:
    before = await exported(home, "old", format)
    old = rows(home / "old")
    new = await changed(home)
    delta = await exported(home, "delta", format, since=before)
    assert {row["battle"] for row in rows(home / "delta")} == {name(new.id), name(2)}
    assert tombstones(home / "delta") == {
        name(2): ("changed", None),
        name(3): ("gone", "tie"),
        name(4): ("gone", "votes_withdrawn"),
        name(5): ("gone", "member_erased"),
        name(6): ("gone", "no_consent"),
    }
    counts = {"added": 1, "changed": 1, "gone": 4, "unchanged": 1}
    assert delta["since"] == {"dataset": before["dataset"], **counts}
    assert "  battles since then: 1 new, 1 changed, 4 gone, 1 as they were" in told(delta)
    full = await exported(home, "full", format)
    assert applied(old, home / "delta") == as_set(rows(home / "full"))
    assert (full["dataset"], full["since"]) == (delta["dataset"], None)


async def test_one_follows_another(home: Path) -> None:
    first = await exported(home, "old")
    kept = rows(home / "old")
    await changed(home)
    second = await exported(home, "one", since=first)
    kept = [json.loads(line) for line in applied(kept, home / "one").elements()]
    async with town(home) as t:
        await t.vote(await t.store.battles.get(3), BOB, 1)
        await t.agree(CLEO)
    third = await exported(home, "two", since=second)
    await exported(home, "full")
    assert applied(kept, home / "two") == as_set(rows(home / "full"))
    nothing = await exported(home, "three", since=third)
    assert (nothing["rows"], rows(home / "three"), tombstones(home / "three")) == (0, [], {})


async def test_what_cannot_be_compared_is_refused_with_what_to_do(home: Path) -> None:
    before = await exported(home, "old")
    for options, says in (
        ({"min_votes": 2}, r"other options \(policy\).*without --since"),
        ({"purpose": Consent.EVALUATE}, r"other options \(purpose\)"),
        ({"chat": True}, r"other options \(chat\)"),
        ({"since": {**before, "dataset": "0" * 64}}, "does not know the export of that manifest"),
        ({"names": Pseudonyms.unlinkable()}, "Leave out --unlinkable or --since"),
    ):
        with pytest.raises(ConfigError, match=says):
            await exported(home, "delta", **({"since": before} | options))
    with pytest.raises(ConfigError, match=r"other options \(format\)"):
        await exported(home, "delta", "kto", since=before)
    assert not (home / "delta" / "manifest.json").exists()


async def test_an_unlinkable_manifest_has_no_hashes_to_go_on_from(home: Path) -> None:
    before = await exported(home, "old", names=Pseudonyms.unlinkable())
    with pytest.raises(ConfigError, match="unlinkable"):
        await exported(home, "delta", since=before)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"files": 1}', b"\xff"])
def test_a_manifest_that_is_none_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is no manifest"):
        manifests.read(path)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        manifests.read(tmp_path / "none.json")
