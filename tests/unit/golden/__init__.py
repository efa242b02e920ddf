"""A small fixed database, and what each format makes of it, byte for byte.

A change of the committed files is a change for everybody who has an export: renew them with
`python -m tests.unit.golden`, and look at the difference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.records import Consent, Outcome, Purpose, Reason
from tests.unit.exports import export
from tests.unit.records import NOON, bot_said, said, talk
from tests.unit.town import AUTHOR, GUILD, Town, town

if TYPE_CHECKING:
    from storage.database import Database

HERE = Path(__file__).parent
FORMATS: dict[str, dict[str, Any]] = {
    "dpo": {"format": "dpo"},
    "dpo-chat": {"format": "dpo", "chat": True},
    "kto": {"format": "kto", "ties": "desirable"},
    "sft": {"format": "sft"},
    "reward": {"format": "reward", "columns": ("votes", "margin", "contenders", "weight")},
    "openai": {"format": "openai"},
    "arena": {"format": "arena"},
    "raw": {"format": "raw", "purposes": tuple(Purpose)},
}
COMMITTED = ("*.jsonl", "*/*.jsonl", "manifest.json")

A, B, TIE, BAD = 0, 1, Outcome.TIE, Outcome.BOTH_BAD
ANN, BOB, CLEO = (2**60 + number for number in (100, 101, 102))
STRANGER = 2**60 + 103


async def build(home: Path) -> None:
    """Make the database: something of everything that an export has to decide on."""
    async with town(home) as t:
        await t.agree(AUTHOR, ANN, BOB, CLEO)
        await _plain(t)
        await _with_much_said(t)
        await _that_stay(t)
        await _with_more_than_votes(t)


async def _plain(t: Town) -> None:
    for texts, votes in (
        (("Blue scatters most.", "It is **blue**:\n\n- air\n- light"), (A, A, B)),
        (("About 11 km", "Nearly eleven kilometres."), (B,)),
        (("mice", "Mice, mostly."), (TIE, TIE, A)),
        (("asdf", "As an AI I cannot."), (BAD, BAD)),
        (("one", "two"), (A, B)),
    ):
        battle = await t.battle(*texts)
        for voter, choice in zip((ANN, BOB, CLEO), votes, strict=False):
            await t.vote(battle, voter, choice)


async def _with_much_said(t: Town) -> None:
    log = talk(
        said("what is <@123456789012345678>?", by=AUTHOR, name="Alice Smith"),
        bot_said("a friend of Alice Smith", message=1),
        said(
            "“naïve” 🙂 {text}\nAlice Smith: no\n12345678901234567", by=AUTHOR, name="Alice Smith"
        ),
        said("and I, Bob?", by=BOB, name="Bob"),
    )
    battle = await t.battle("Alice Smith and Bob", "```py\nprint(1)\n```", conversation=log)
    await t.vote(battle, ANN, B, swapped=True)
    await t.vote(battle, STRANGER, A)
    for guild in (GUILD, None):
        short = await t.battle("a cat", "a dog", guild=guild)
        await t.vote(short, ANN, A)
        long = await t.battle("a cat that sleeps", "a dog that barks", guild=guild, parent=short)
        await t.vote(long, BOB, B)


async def _that_stay(t: Town) -> None:
    strange = await t.battle(author=STRANGER)
    await t.vote(strange, ANN, A)
    same = await t.battle("The same", "the  same")
    await t.vote(same, ANN, A)
    edited = await t.battle()
    await t.vote(edited, ANN, A)
    await t.store.retention.edited(edited.source_message_id, at=NOON)
    control = await t.battle(purpose=Purpose.CONTROL)
    await t.vote(control, ANN, A)
    await t.battle()


async def _with_more_than_votes(t: Town) -> None:
    battle = await t.battle("worse", "bad")
    await t.vote(battle, ANN, B)
    await t.vote(battle, ANN, A)
    await t.vote(battle, BOB, B)
    await t.store.votes.withdraw(battle.id, BOB, at=NOON)
    await t.store.votes.guess(battle.id, ANN, battle.answers[0].id, at=NOON)
    await t.store.votes.remark(
        battle.id,
        ANN,
        at=NOON,
        reason=Reason.FUNNY,
        comment="Alice would say so",
        edited_answer_id=battle.answers[1].id,
        edit="good\nand well",
    )


async def write(store: Database, out: Path, name: str) -> dict[str, bytes]:
    """Export into a folder; the files that are committed, the tool's version left out."""
    options = dict(FORMATS[name])
    await export(store, out, options.pop("format"), purpose=Consent.TRAIN, **options)
    return read(out)


def read(folder: Path) -> dict[str, bytes]:
    """The files of a format by path."""
    paths = sorted(path for pattern in COMMITTED for path in folder.glob(pattern))
    found = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    if "manifest.json" in found:
        told = json.loads(found["manifest.json"]) | {"twofold": "*"}
        found["manifest.json"] = f"{json.dumps(told, indent=2)}\n".encode()
    return found
