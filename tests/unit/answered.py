"""A small server's votes in a real database, on answers that look like those of models."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from storage.records import Closing, Outcome
from tests.unit.records import NOON, bot_said, said, talk
from tests.unit.town import AUTHOR, town

if TYPE_CHECKING:
    from pathlib import Path

    from storage.records import Conversation

BOB = AUTHOR + 1
VOTERS = (AUTHOR + 10, AUTHOR + 11, AUTHOR + 12)
TIE, BAD = Outcome.TIE, Outcome.BOTH_BAD
NAMES = {"Alice": "Member 1", "Bob": "Member 2"}
"""Who speaks, and what exports call them."""
TAGGED = 11
"""The only battle whose answers have tags."""
LONG = "and so on, " * 100

_CODE = "Use `sorted`:\n\n```python\nsorted([3, 1, 2])\n```"
_TURNED = "```python\nsorted([3, 1, 2], reverse=True)\n```\n\n1. it is stable\n2. **fast**"


def _alice(text: str) -> Conversation:
    return talk(said(text, by=AUTHOR, name="Alice"))


_SORTING = talk(
    said("how do I sort a list?\nI have [3, 1, 2]", by=AUTHOR, name="Alice"),
    bot_said(_CODE, message=1),
    said("yes Alice, and backwards? 🦊", by=BOB, name="Bob"),
)
_FOUGHT = (
    (_SORTING, "try this:\n\n  sorted(x)[::-1]\n\nor so", _TURNED, (0, 0, 1)),
    (_alice("naïve café 日本 👩‍👩‍👧?"), "é ü 🦊", "日本 is **Japan**.", (1, 1)),
    (_alice("is it the same?"), "yes", "It is.", (TIE,)),
    (_alice("what is 17 times 23?"), "4000", "I cannot tell.", (BAD, BAD, 0)),
    (_alice("which one?"), "this one", "That one.", (0, 1)),
    (_alice("tell me all"), LONG, "All is told.", (1,)),
    *((_alice(f"and what is {n}?"), f"{n} is it", f"It is {n}.", (n % 2,)) for n in range(20, 32)),
)


async def answered(home: Path) -> None:
    """Battles of every outcome, all closed: one written anew, one with a vote that is not blind."""
    async with town(home) as t:
        await t.agree(AUTHOR, BOB, *VOTERS)
        votes = t.store.votes
        for number, (conversation, base, instruct, choices) in enumerate(_FOUGHT):
            battle = await t.battle(
                base, instruct, conversation=conversation, flipped=number % 3 == 0
            )
            for voter, choice in zip(VOTERS, choices, strict=False):
                await t.vote(battle, voter, choice)
            if number == 1:
                edited = battle.answers[0]
                words = {"edited_answer_id": edited.id, "edit": "It is naïve:\n\n- 日本"}
                await votes.remark(battle.id, VOTERS[0], at=NOON, **words)
                await t.vote(battle, VOTERS[2], 0)
                await votes.guess(battle.id, VOTERS[2], None, at=NOON)
                await t.vote(battle, VOTERS[2], 1)
            await t.store.battles.close(battle.id, at=NOON, because=Closing.AUTHOR)
    with closing(sqlite3.connect(home / "twofold.db")) as connection, connection:
        connection.execute(f"""UPDATE answers SET tags = '["run_on"]' WHERE battle_id = {TAGGED}""")
