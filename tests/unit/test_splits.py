"""A row stays in its split, and no two splits have the same prompt or conversation."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.dataset.splits import BUCKETS, Splits, prompt_key
from bot.redaction import Redactor
from tests.unit.exports import NAMES, export
from tests.unit.records import bot_said, said, talk
from tests.unit.town import AUTHOR, Town, town

if TYPE_CHECKING:
    from storage.records import Battle


def key(*turns: object) -> int:
    return prompt_key(talk(*turns), Redactor().redact)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Why is the sky blue?", "why is  the SKY\nblue? "),
        ("is <@123456789012345678> here", "is <@876543210987654321> here"),
        ("write to ann@example.org", "write to bob@example.org"),
        ("a lone \ud83d", "a lone ?"),
    ],
)
def test_prompts_that_leave_as_the_same_text_have_the_same_key(one: str, other: str) -> None:
    assert key(said(one)) == key(said(other))


def test_it_is_the_prompt_alone_whatever_was_said_before_and_by_whom() -> None:
    before = said("hello", by=2, name="Bob"), bot_said("an answer")
    assert key(*before, said("why?")) == key(said("why?", by=3, name="Cleo"))
    assert key(said("I am alice")) == key(said("I am Cleo", by=3, name="Cleo"))


def test_other_prompts_have_other_keys_of_63_bits() -> None:
    keys = {key(said(f"question {number}")) for number in range(1000)}
    assert len(keys) == 1000
    assert 0 <= min(keys) <= max(keys) < 2**63
    assert len({number % 256 for number in keys}) > 200


def test_a_key_never_changes_as_rows_would_move_to_other_splits() -> None:
    assert key(said("Why is the sky blue?")) == 2084463046401423144


@given(
    st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5]),
    st.sampled_from([0.0, 0.05, 0.1, 0.5]),
    st.integers(0, 2**32),
)
def test_shares_are_met_and_another_seed_has_other_buckets(
    validation: float, test: float, seed: int
) -> None:
    def splits(seed: int) -> list[str]:
        of = Splits(validation=validation, test=test, seed=seed).of
        return [of(bucket) for bucket in range(BUCKETS)]

    found = Counter(splits(seed))
    for name, share in (("validation", validation), ("test", test)):
        assert abs(found[name] / BUCKETS - share) <= 1 / BUCKETS
    if validation + test > 0:
        assert splits(seed) != splits(seed + 1)
    assert splits(seed) == splits(seed)


def test_a_larger_share_takes_no_row_out_of_the_test_split() -> None:
    small, large = (Splits(validation=0, test=share, seed=3) for share in (0.1, 0.3))
    tested = {bucket for bucket in range(BUCKETS) if small.of(bucket) == "test"}
    assert all(large.of(bucket) == "test" for bucket in tested)


said_before = st.one_of(st.none(), st.integers(0, 30))
"""Which earlier battle a new one goes on from."""
grown = st.lists(
    st.tuples(st.integers(0, 12), said_before, st.sampled_from(["reply", "longer", "mirror"])),
    min_size=6,
    max_size=24,
)


@settings(deadline=None, max_examples=6, phases=(Phase.reuse, Phase.generate))
@given(grown)
def test_rows_never_change_split_and_no_prompt_or_talk_is_in_two(history: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_grow(Path(folder), history))


async def _grow(home: Path, history: list[Any]) -> None:
    """Export after every third battle; answers are replied to, go on, and are shown again."""
    before: dict[str, str] = {}
    fought: list[tuple[Battle, int]] = []
    async with town(home) as t:
        await t.agree(AUTHOR, 1)
        for number, (topic, earlier, how) in enumerate(history):
            fought.append(await _next(t, fought, number, topic, earlier, how))
            if number % 3 == 2 or number == len(history) - 1:
                before = await _checked(t, home, fought, before)


async def _next(
    t: Town,
    fought: list[tuple[Battle, int]],
    number: int,
    topic: int,
    earlier: int | None,
    how: str,
) -> tuple[Battle, int]:
    source = fought[earlier % len(fought)] if fought and earlier is not None else None
    asked = said(f"Topic  {topic}", by=AUTHOR, name="Alice")
    more: dict[str, Any] = {}
    root = number
    if source is not None:
        of, root = source
        if how == "reply":
            shown = bot_said(of.answers[0].shown, message=5000 + of.id)
            more["conversation"] = talk(*of.conversation.turns, shown, asked)
        else:
            more["conversation"] = of.conversation
            more["parent" if how == "longer" else "mirrored"] = of
    more.setdefault("conversation", talk(asked))
    battle = await t.battle(f"left {number}", f"right {number}", **more)
    await t.store.battles.shown(battle.id, 5000 + battle.id)
    await t.vote(battle, 1, 0)
    return battle, root


async def _checked(
    t: Town, home: Path, fought: list[tuple[Battle, int]], before: dict[str, str]
) -> dict[str, str]:
    options = {"validation": 0.3, "test": 0.3, "chat": True, "continued": True}
    manifest = await export(t.store, home / "out", **options)
    of_prompt, of_root = defaultdict(set), defaultdict(set)
    split_of: dict[str, str] = {}
    roots = {NAMES.of("battle", battle.id): root for battle, root in fought}
    for path in manifest["files"]:
        for line in (home / "out" / path).read_bytes().splitlines():
            row, split = json.loads(line), path.partition(".")[0]
            split_of[row["battle"]] = split
            of_prompt[row["prompt"][-1]["content"].casefold()].add(split)
            of_root[roots[row["battle"]]].add(split)
    assert all(len(splits) == 1 for splits in (*of_prompt.values(), *of_root.values()))
    assert before.items() <= split_of.items()
    return split_of
