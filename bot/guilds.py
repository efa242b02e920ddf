"""Guild settings, declared once; commands and docs derive from the declaration."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from bot.errors import ConfigError
from bot.growth import Showing
from bot.roster import permitted
from storage.records import Continuing, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from storage.guilds import GuildStore
    from storage.records import Contender

ALL = "all"
"""Instead of a slug: every contender there is."""


class Others(StrEnum):
    """What the models get of members who have not agreed to be kept."""

    AS_THEY_ARE = "as_they_are"
    PLACEHOLDER = "placeholder"


class GuildSettings(BaseModel):
    """What a server's admins decide. Keys that a later version wrote are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    channels: tuple[int, ...] = Field(
        (), description="Channels in which every message of a person is answered."
    )
    template: str | None = Field(
        None, description="How the conversation is given to a model that only continues text."
    )
    contenders: tuple[str, ...] = Field(
        (), description="The contenders that meet here, by slug; none means all of them."
    )
    continuing: Continuing = Field(
        Continuing.WINNER, description="Which of two answers a conversation goes on from."
    )
    others: Others = Field(
        Others.AS_THEY_ARE,
        description="What the models get of other members who have not agreed to be kept.",
    )
    showing: Showing | None = Field(None, description="How answers appear.")
    member_limit: int | None = Field(
        None, ge=1, description="How many battles a member may begin here in a minute."
    )
    guild_limit: int | None = Field(
        None, ge=1, description="How many battles may begin here in a minute."
    )


class GuildService:
    """Reads and changes the settings of a guild."""

    def __init__(
        self,
        *,
        store: GuildStore,
        templates: Collection[str],
        contenders: Sequence[Contender],
        member_limit: int,
        guild_limit: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._templates = templates
        self._contenders = contenders
        self._member_limit = member_limit
        self._guild_limit = guild_limit
        self._clock = clock

    async def settings(self, guild_id: int | None) -> GuildSettings:
        """The effective settings; direct messages, which have no guild, get the defaults."""
        if guild_id is None:
            return GuildSettings()
        settings = GuildSettings.model_validate(await self._store.get(guild_id))
        if settings.template in self._templates:
            return settings
        return settings.model_copy(update={"template": None})

    async def set_channel(self, guild_id: int, channel_id: int, *, answers: bool) -> GuildSettings:
        """Turn answering every message in a channel on or off."""
        others = set((await self.settings(guild_id)).channels) - {channel_id}
        channels = sorted(others | {channel_id} if answers else others)
        return await self._set(guild_id, "channels", channels)

    async def set_template(self, guild_id: int, template: str) -> GuildSettings:
        """Choose the prompt template for contenders that have none of their own.

        Raises ConfigError where there is none of that name.
        """
        if template not in self._templates:
            names = ", ".join(self._templates)
            raise ConfigError(f"There is no template {template}. Choose one of: {names}.")
        return await self._set(guild_id, "template", template)

    async def set_contender(self, guild_id: int, slug: str, *, meets: bool) -> GuildSettings:
        """Turn a contender on or off here, or all of them on.

        Who comes to the roster later is on where all are on, else off. Raises ConfigError
        for an unknown slug, and where nobody would be left to meet.
        """
        slugs = {c.slug for c in self._contenders}
        if slug not in {*slugs, ALL}:
            raise ConfigError(
                f"There is no contender {slug}. Choose one of: {', '.join(sorted(slugs))}."
            )
        chosen = (await self.settings(guild_id)).contenders
        on = {c.slug for c in permitted(self._contenders, chosen)}
        changed = slugs if slug == ALL else {slug}
        wanted = on | changed if meets else on - changed
        bases = {c.kind is Kind.BASE for c in self._contenders if c.slug in wanted}
        if bases != {True, False}:
            missing = "instruct or tuned model" if True in bases else "base model"
            raise ConfigError(
                f"That would leave no {missing} here, and every battle needs one. "
                "Turn another one on first."
            )
        return await self._set(guild_id, "contenders", [] if wanted == slugs else sorted(wanted))

    async def set_continuing(self, guild_id: int, continuing: Continuing) -> GuildSettings:
        """Choose which of two answers a conversation goes on from."""
        return await self._set(guild_id, "continuing", continuing.value)

    async def set_others(self, guild_id: int, others: Others) -> GuildSettings:
        """Choose what the models get of members who have not agreed to be kept."""
        return await self._set(guild_id, "others", others.value)

    async def set_showing(self, guild_id: int, showing: Showing) -> GuildSettings:
        """Choose how answers appear."""
        return await self._set(guild_id, "showing", showing.value)

    async def set_limits(
        self, guild_id: int, *, member: int | None, guild: int | None
    ) -> GuildSettings:
        """Lower how many battles may begin here in a minute; None goes back to the operator's.

        Raises ConfigError for more than the operator allows.
        """
        for wanted, most in ((member, self._member_limit), (guild, self._guild_limit)):
            if wanted is not None and not 1 <= wanted <= most:
                raise ConfigError(f"Here 1 to {most} in a minute are possible. Choose among them.")
        await self._set(guild_id, "member_limit", member)
        return await self._set(guild_id, "guild_limit", guild)

    async def _set(self, guild_id: int, key: str, value: object) -> GuildSettings:
        GuildSettings.model_validate({key: value})
        await self._store.update(guild_id, key, value, at=self._clock())
        return await self.settings(guild_id)
