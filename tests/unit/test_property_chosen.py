"""Chosen and rejected are what the stored votes say, told by answer and counted naively."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.dataset.formats import Made, Making
from bot.dataset.formats.registry import CHATS, FORMATS
from bot.dataset.gate import Gate
from bot.dataset.policy import Deciding, Edits, Policy, Text, Undecided, Votes
from bot.dataset.select import Selector
from bot.prompting import library
from storage.records import Consent, Outcome
from tests.unit.exports import NAMES
from tests.unit.records import NOON
from tests.unit.town import AUTHOR, Town, town

if TYPE_CHECKING:
    from collections.abc import Iterable

VOTERS = (1, 2, 3, AUTHOR)
STRANGER = 3
"""Votes, and has agreed to nothing."""
WEIGHTS = {1: 0.25, AUTHOR: 0.5}
TEMPLATES = library({})
VARIANTS = [
    (name, chat)
    for name in FORMATS
    if name not in {"arena", "raw"}
    for chat in {False, name in CHATS}
]

deeds = st.one_of(
    st.tuples(st.just("vote"), st.sampled_from([0, 0, 1, Outcome.TIE, Outcome.BOTH_BAD])),
    st.tuples(st.just("swapped"), st.sampled_from([0, 1])),
    st.tuples(st.just("undo"), st.none()),
    st.tuples(st.just("told"), st.none()),
    st.tuples(st.just("edit"), st.sampled_from([0, 1])),
)
fights = st.tuples(
    st.booleans(), st.lists(st.tuples(st.sampled_from(VOTERS), deeds), min_size=2, max_size=9)
)
policies = st.builds(
    Policy,
    votes=st.sampled_from(Votes),
    deciding=st.sampled_from(Deciding),
    min_votes=st.sampled_from([1, 1, 2]),
    min_agreement=st.sampled_from([0, 0.5, 0.75]),
    author_votes=st.booleans(),
    text=st.sampled_from(Text),
    ties=st.sampled_from(Undecided),
    both_bad=st.sampled_from(Undecided),
    edits=st.sampled_from(Edits),
)


# Without the phase that looks for a smaller failure: with a database for each it takes minutes.
@settings(deadline=None, max_examples=25, phases=(Phase.reuse, Phase.generate))
@given(st.lists(fights, min_size=2, max_size=5), st.lists(policies, min_size=12, max_size=12))
def test_every_row_is_what_the_stored_votes_say(history: list[Any], chosen: list[Policy]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        battles = asyncio.run(_fought(Path(folder), history))
        stored = Stored(Path(folder) / "twofold.db")
    for policy in chosen:
        for name, chat in VARIANTS:
            found = _rows(name, policy, chat, battles)
            expected = [one for battle in battles for one in stored.said(battle.id, policy)]
            _compare(name, policy, found, expected)


async def _fought(home: Path, history: list[Any]) -> list[Any]:
    async with town(home) as t:
        await t.agree(*(voter for voter in VOTERS if voter != STRANGER))
        for number, (flipped, done) in enumerate(history):
            battle = await t.battle(f"{number} left", f"{number} right", flipped=flipped)
            for at, (voter, deed) in enumerate(done):
                await _do(t, battle, voter, *deed, at=at)
        with closing(sqlite3.connect(home / "twofold.db")) as connection, connection:
            connection.execute("UPDATE answers SET raw = ' ' || shown || ' and on'")
        pages = t.store.voted.pages()
        return [battle async for page in pages for battle in page]


async def _do(t: Town, battle: Any, voter: int, deed: str, what: Any, *, at: int) -> None:
    votes = t.store.votes
    if deed in {"vote", "swapped"}:
        await t.vote(battle, voter, what, after=at, swapped=deed == "swapped")
    elif deed == "undo":
        await votes.withdraw(battle.id, voter, at=NOON)
    elif deed == "told":
        await votes.guess(battle.id, voter, None, at=NOON)
    else:
        edited = battle.answers[what]
        text = f"{edited.shown} written anew by {VOTERS.index(voter)} at {at}"
        said = {"edited_answer_id": edited.id, "edit": text}
        await votes.remark(battle.id, voter, at=NOON, **said)


class Stored:
    """What lies in the database, read past the program."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row

            def all_of(table: str) -> list[sqlite3.Row]:
                return connection.execute(f"SELECT * FROM {table}").fetchall()

            self.answers, self.votes = all_of("answers"), all_of("votes")
            self.remarks = all_of("remarks")

    def said(self, battle: int, policy: Policy) -> Iterable[tuple[str, Any, Any]]:
        """`win`, better, worse; or `tie` or `both_bad` and both: texts with their votes."""
        raw = policy.text is Text.RAW
        texts = {
            a["id"]: (a["raw"] if raw else a["shown"]).strip()
            for a in self.answers
            if a["battle_id"] == battle
        }
        counted = [
            (v["voter_id"], v["winner_answer_id"] or v["outcome"])
            for v in self.votes
            if v["battle_id"] == battle
            and v["voter_id"] != STRANGER
            and (v["blind"] or policy.votes is Votes.ALL)
            and (not v["by_author"] or policy.author_votes)
        ]
        tally = Counter(what for _, what in counted)
        for what in _winners(counted, policy):
            one, other = texts
            if what == other:
                one, other = other, one
            sides = ((texts[one], tally[one]), (texts[other], tally[other]))
            yield ("win" if what in texts else what, *sides)
        if len(counted) < policy.min_votes:
            return
        for r in self.remarks:
            wrote = r["edit"] and r["voter_id"] in {voter for voter, _ in counted}
            if policy.edits is Edits.CHOSEN and wrote and r["battle_id"] == battle:
                yield "edit", (r["edit"], 1), (texts[r["edited_answer_id"]], 0)


def _winners(counted: list[tuple[int, Any]], policy: Policy) -> Iterable[Any]:
    if not counted or len(counted) < policy.min_votes:
        return []
    if policy.deciding is Deciding.EVERY:
        return [what for _, what in counted]
    weighs = policy.deciding is Deciding.WEIGHTED
    totals: dict[Any, float] = {}
    for voter, what in counted:
        totals[what] = totals.get(what, 0) + (WEIGHTS.get(voter, 1) if weighs else 1)
    ranked = sorted(totals, key=totals.__getitem__, reverse=True)
    if len(ranked) > 1 and totals[ranked[0]] == totals[ranked[1]]:
        return []
    if len(ranked) > 1 and policy.deciding is Deciding.UNANIMOUS:
        return []
    if totals[ranked[0]] / sum(totals.values()) < policy.min_agreement:
        return []
    return ranked[:1]


def _rows(name: str, policy: Policy, chat: bool, battles: list[Any]) -> list[dict[str, Any]]:
    selector = Selector(policy, weights=WEIGHTS)
    making = Making(
        policy=policy, selector=selector, pseudonyms=NAMES, templates=TEMPLATES, chat=chat
    )
    form, gate = FORMATS[name](making), Gate(Consent.TRAIN)
    found = []
    for battle in battles:
        admitted = gate.admit(battle)
        came = form.made(admitted) if admitted.__class__ is battle.__class__ else None
        if isinstance(came, Made):
            found += [row for _, row in came.rows]
            hashes = {row.get("battle", NAMES.of("battle", battle.id)) for _, row in came.rows}
            assert hashes == {NAMES.of("battle", battle.id)}
    return found


def _text(completion: Any) -> str:
    return (completion if isinstance(completion, str) else completion[0]["content"]).strip()


def _compare(
    name: str, policy: Policy, rows: list[dict[str, Any]], expected: list[tuple[str, Any, Any]]
) -> None:
    becomes = {"tie": policy.ties, "both_bad": policy.both_bad}
    wins = [(one, other) for what, one, other in expected if what in {"win", "edit"}]
    if name == "sft":
        assert Counter(_text(row["completion"]) for row in rows) == Counter(w[0][0] for w in wins)
    elif name == "kto":
        labels = Counter()
        for what, (one, _), (other, _) in expected:
            if what in {"win", "edit"}:
                labels[one, True] += 1
                labels[other, False] += what == "win"
            elif becomes[what] in {Undecided.DESIRABLE, Undecided.UNDESIRABLE}:
                label = becomes[what] is Undecided.DESIRABLE
                labels.update([(one, label), (other, label)])
        assert Counter((_text(row["completion"]), row["label"]) for row in rows) == +labels
    else:
        soft = [frozenset(both) for what, *both in expected if becomes.get(what) is Undecided.SOFT]
        keys = ("preferred_output", "non_preferred_output")
        keys = keys if name == "openai" else ("chosen", "rejected")
        if name == "openai":
            wins = [tuple((text, None) for text, _ in win) for win in wins]
            soft = [frozenset((text, None) for text, _ in both) for both in soft]
        got = Counter(
            tuple((_text(row[key]), row.get(f"votes_{key}")) for key in keys) for row in rows
        )
        for row in rows if name == "reward" else ():
            lost = frozenset(_text(row[key]) for key in keys)
            assert row["margin"] > 0 or lost in {frozenset(t for t, _ in both) for both in soft}
        got.subtract(wins)
        assert all(n >= 0 for n in got.values())
        assert Counter(map(frozenset, got.elements())) == Counter(soft)
