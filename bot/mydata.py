"""MyDataService: what is stored about one person, shown, handed over and erased."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from bot.keeping.erased import Erased
    from storage.erasure import Erasure, ErasureStore
    from storage.people import PeopleStore

WORDS = {
    "battles": ("prompt that was answered", "prompts that were answered"),
    "turns": ("message in a conversation", "messages in conversations"),
    "votes": ("vote", "votes"),
    "vote_events": ("choice on a ballot", "choices on ballots"),
    "remarks": ("remark on a vote", "remarks on votes"),
    "sightings": ("note of what was shown to you", "notes of what was shown to you"),
    "members": (
        "note that you were asked, or what you allowed",
        "notes that you were asked, or what you allowed",
    ),
    "setting_changes": ("setting that you changed", "settings that you changed"),
}
"""What the rows of each table are to the person whose they are: one, and many."""

ELSEWHERE = (
    "Beyond the database: folders with exports, backups of the data folder, what model "
    "servers keep of the conversations that were sent to them, and the messages on Discord, the "
    "bot's own ones too, which are not touched."
)

IN_THE_LOG = (
    "Somebody is reading the database, so some of it is still in its log (-wal). A running "
    "Twofold overwrites that within minutes once nobody reads; else erase the member again then."
)


class MyDataService:
    """All that is stored about one person. Every method raises StorageError."""

    def __init__(
        self,
        *,
        people: PeopleStore,
        erasure: ErasureStore,
        erased: Erased,
        clock: Callable[[], datetime],
    ) -> None:
        self._people = people
        self._erasure = erasure
        self._erased = erased
        self._clock = clock

    async def counts(self, member_id: int) -> Mapping[str, int]:
        """How many rows each table has of a person, everywhere."""
        return await self._people.counts(member_id)

    async def counts_in(self, member_id: int, guild_id: int) -> Mapping[str, int]:
        """The same in one guild; 0 is direct messages."""
        return await self._people.counts(member_id, guild_id)

    async def export(self, member_id: int) -> bytes:
        """Everything as JSON, by table; of conversations the person's own words alone."""
        found = await self._people.everything(member_id)
        about = {"member": str(member_id), "written_at": self._clock().isoformat()}
        return json.dumps(about | found, indent=2, ensure_ascii=False).encode()

    async def erase(self, member_id: int) -> Erasure:
        """Erase all of it, in one transaction; no backup that is restored brings it back."""
        at = self._clock()
        await asyncio.to_thread(self._erased.note, member_id, at=at)
        return await self._erasure.erase(member_id, at=at)


def in_words(counts: Mapping[str, int]) -> Iterator[str]:
    """What there is, a line each, such as `2 votes`."""
    for table, (one, many) in WORDS.items():
        if number := counts.get(table, 0):
            yield count(number, one, many)


def report(erasure: Erasure) -> Iterator[str]:
    """What the operator is told of an erasure."""
    for table, number in erasure.rows.items():
        yield f"{table}: {number}"
    yield f"battles whose texts were wiped: {erasure.wiped}"
    if erasure.withdrawn:
        yield f"battles that were cancelled: {len(erasure.withdrawn)}"
    for export in erasure.exports:
        yield (
            f"The export {export.id} of {export.created_at:%Y-%m-%d} ({export.format}) has rows of "
            "this member: write it again and delete the old files."
        )
    for slug in erasure.tuned:
        yield (
            f"The tuned contender {slug} learnt from this member, and cannot forget: train a new "
            f"one, and take it away with `twofold models rm {slug}`."
        )
    if not erasure.overwritten:
        yield IN_THE_LOG
    yield ELSEWHERE
