"""ConsentService: what members allowed to be kept, and who is still to be asked.

The texts that they agree to are files in `consent_texts/`, numbered; a file is never
changed in its meaning, so that a stored version tells what was agreed to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from bot.errors import ConsentError
from bot.packaged import packaged
from storage.members import EVERYWHERE
from storage.records import Consent, effective

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from bot.governing import GuildService
    from storage.members import Given, MemberStore, Word


class ConsentText(BaseModel):
    """What a member reads: in three lines, in full, and on models that run elsewhere.

    `{hours}` stands for the retention window, `{hosts}` for where those models are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str
    text: str
    providers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What holds for a member in a guild, which asks for `cap` at most.

    `here` is None where nothing was said for this guild, and in direct messages, for which
    `everywhere` holds. `latest` is the version of the text that they are asked about now.
    """

    guild_id: int | None
    here: Word | None
    everywhere: Word | None
    cap: Consent
    latest: int

    @property
    def consent(self) -> Consent:
        """What their word comes to."""
        word = self.counts
        return effective(word.consent if word else None, None, self.cap)

    @property
    def counts(self) -> Word | None:
        """The word that decides."""
        return self.here or self.everywhere

    @property
    def offered(self) -> tuple[Consent, ...]:
        """What they may be asked for."""
        return tuple(scope for scope in Consent if self.cap.includes(scope))


class ConsentService:
    """Asks once, keeps the answers, tells what they come to."""

    def __init__(
        self, *, members: MemberStore, guilds: GuildService, clock: Callable[[], datetime]
    ) -> None:
        self._members = members
        self._guilds = guilds
        self._clock = clock
        self.texts = {int(name): text for name, text in packaged(FOLDER, ConsentText).items()}
        self.latest = max(self.texts)

    async def agreed(self, member_ids: Collection[int], guild_id: int) -> frozenset[int]:
        """Which of these members agreed, in a guild, to be kept at all.

        0 as `guild_id` is direct messages, here and below.
        """
        cap = (await self._guilds.settings(guild_id or None)).consent_cap
        said = await self._members.said(member_ids, guild_id)
        return frozenset(
            member
            for member, word in said.items()
            if effective(*word, cap).includes(Consent.EVALUATE)
        )

    async def position(self, member_id: int, guild_id: int) -> Position:
        """What holds for a member in a guild."""
        settings = await self._guilds.settings(guild_id or None)
        words = await self._members.words(member_id)
        return Position(
            guild_id=guild_id or None,
            here=words.get(guild_id) if guild_id else None,
            everywhere=words.get(EVERYWHERE),
            cap=settings.consent_cap,
            latest=self.latest,
        )

    def text(self, version: int) -> ConsentText:
        """Find the text of a version; raises ConsentError where there is none."""
        if version not in self.texts:
            raise ConsentError("I do not know that text any more. Use `/privacy` to choose anew.")
        return self.texts[version]

    async def give(
        self,
        member_id: int,
        guild_id: int,
        scope: Consent,
        *,
        version: int,
        simulated: bool = False,
    ) -> Given:
        """Store a member's word for a guild, or for everywhere.

        `version` is that of the text they were shown; raises ConsentError where it is not
        known. One for everywhere lowers the words for guilds that allow more.
        `simulated` members are marked as such with it.
        """
        self.text(version)
        return await self._members.set_consent(
            member_id,
            scope,
            guild_id=guild_id,
            version=version,
            simulated=simulated,
            at=self._clock(),
        )

    async def asked(self, member_id: int, guild_id: int) -> bool:
        """Whether a member was asked already, or is not to be asked here."""
        if await self._members.was_asked(member_id, guild_id):
            return True
        cap = (await self._guilds.settings(guild_id or None)).consent_cap
        return cap is Consent.NONE

    async def asks(self, member_id: int, guild_id: int) -> bool:
        """Note that a member is being asked; False where that is done already."""
        return await self._members.ask(member_id, guild_id, at=self._clock())


FOLDER = "consent_texts"
