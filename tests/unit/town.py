"""Battles, votes and consents in a real database, written as the program writes them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from bot.dataset.splits import prompt_key
from bot.prompting import library
from storage.database import Database, database_url
from storage.records import (
    Consent,
    Contender,
    Conversation,
    Kind,
    Outcome,
    Purpose,
    Side,
)
from tests.unit.records import NOON, answer, said, talk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from storage.records import Battle

GUILD = 5
AUTHOR = 2**60 + 1
KINDS = (Kind.BASE, Kind.INSTRUCT)
TRANSCRIPT = library({})["transcript"]


class Town:
    """An open database in which everybody's doings take one line."""

    def __init__(self, store: Database, *, flipped: bool = False, first: int = 1) -> None:
        self.store = store
        self._flipped = flipped
        self._numbers = count(first)

    async def agree(self, *members: int, scope: Consent = Consent.TRAIN, guild: int = 0) -> None:
        for member in members:
            await self.store.members.set_consent(member, scope, guild_id=guild, version=1, at=NOON)

    async def battle(
        self,
        *texts: str,
        author: int = AUTHOR,
        conversation: Conversation | None = None,
        guild: int | None = GUILD,
        purpose: Purpose = Purpose.LIVE,
        mirrored: Battle | None = None,
        parent: Battle | None = None,
        tokens: tuple[int, int] = (20, 20),
        flipped: bool = False,
    ) -> Battle:
        """An open battle. Its first answer is the base model's, on A but where flipped."""
        number = next(self._numbers)
        conversation = conversation or talk(said(f"question {number}", by=author, name="Alice"))
        created = await self.store.battles.create(
            source_message_id=number,
            guild_id=guild,
            channel_id=6,
            author_id=author,
            conversation=conversation,
            prompt_key=prompt_key(conversation, str),
            purpose=purpose,
            mirror_of_id=mirrored and mirrored.id,
            parent_id=parent and parent.id,
            at=NOON,
        )
        turns = (self._flipped, flipped, mirrored is not None)
        sides = sorted(Side, reverse=sum(turns) % 2 == 1)
        rendered = str(TRANSCRIPT.render(conversation).prompt)
        answers = [
            replace(
                answer(side, id=index, shown=texts[index] if texts else "", kind=kind),
                id=0,
                contender=kind.value,
                template="transcript" if kind is Kind.BASE else "chat",
                rendered=rendered if kind is Kind.BASE else "",
                completion_tokens=tokens[index],
            )
            for index, (side, kind) in enumerate(zip(sides, KINDS, strict=True))
        ]
        opened = await self.store.battles.open(created.id, answers, at=NOON)
        assert opened is not None
        return opened

    async def vote(
        self,
        battle: Battle,
        voter: int,
        choice: int | Outcome,
        *,
        after: float = 60,
        swapped: bool = False,
    ) -> None:
        """Cast a vote: 0 and 1 are the base and the instruct model's answer."""
        if swapped:
            await self.store.sightings.shown(battle.id, voter, swapped=True, at=NOON)
        winner = None
        if not isinstance(choice, Outcome):
            by_kind = {answer.kind: answer.id for answer in battle.answers}
            winner, choice = by_kind[KINDS[choice]], Outcome.WIN
        await self.store.votes.cast(
            battle_id=battle.id,
            voter_id=voter,
            outcome=choice,
            winner_answer_id=winner,
            by_author=voter == battle.author_id,
            at=NOON + timedelta(seconds=after),
            private=swapped,
        )


@asynccontextmanager
async def town(home: Path, *, flipped: bool = False, first: int = 1) -> AsyncIterator[Town]:
    """Open the database of a data folder; what is there already has numbers below `first`."""
    async with Database.open(database_url(home / "twofold.db")) as store:
        roster = [Contender(slug=kind.value, kind=kind, model="scripted:") for kind in KINDS]
        await store.contenders.register(roster, at=NOON)
        yield Town(store, flipped=flipped, first=first)
