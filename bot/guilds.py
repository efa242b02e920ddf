"""Guild settings, declared once; commands and docs derive from the declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from storage.guilds import GuildStore


class GuildSettings(BaseModel):
    """What a server's admins decide. Keys that a later version wrote are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    channels: tuple[int, ...] = Field(
        (), description="Channels in which every message of a person is answered."
    )
    template: str | None = Field(
        None, description="How the conversation is given to a model that only continues text."
    )


class GuildService:
    """Reads and changes the settings of a guild."""

    def __init__(
        self,
        *,
        store: GuildStore,
        templates: Collection[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._templates = templates
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

    async def _set(self, guild_id: int, key: str, value: object) -> GuildSettings:
        GuildSettings.model_validate({key: value})
        await self._store.update(guild_id, key, value, at=self._clock())
        return await self.settings(guild_id)
