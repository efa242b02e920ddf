"""What the managers of a server decide: read, checked, changed, looked back on."""

from __future__ import annotations

from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from bot.contenders import may_meet
from bot.errors import ConfigError
from bot.guilds import SETTINGS, GuildSettings, Moderation
from bot.roster import permitted
from bot.settings import Control, Effective, Source
from bot.wording import printable
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from bot.config import Config
    from bot.prompting import PromptTemplate
    from bot.settings import Setting
    from storage.guilds import GuildStore
    from storage.records import Contender, SettingChange

MOST_QUOTED = 80
"""Characters of a value that is not possible."""

NO_MODERATOR = (
    "Nobody judges answers here, so none can be found unfit. Ask the operator to set a moderator."
)
_TAKES = {
    Control.TOGGLE: "on or off",
    Control.CHANNELS: "channels of this server",
    Control.LINK: "an address that begins with https:// and has at most 512 characters",
}


class GuildService:
    """Reads and changes the settings of a guild; `instead` hold in all of them, whatever is set.

    `contenders` are those on the roster at that moment.
    """

    def __init__(
        self,
        *,
        store: GuildStore,
        templates: Mapping[str, PromptTemplate],
        contenders: Callable[[], Sequence[Contender]],
        config: Config,
        clock: Callable[[], datetime],
        instead: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._store = store
        self._templates = templates
        self._contenders = contenders
        self._config = config
        self._clock = clock
        self._instead = instead

    async def settings(self, guild_id: int | None) -> GuildSettings:
        """What is set; direct messages, which have no guild, get the defaults.

        A value that this version does not allow counts as not set.
        """
        stored = {} if guild_id is None else await self._store.get(guild_id)
        stored |= self._instead
        if stored.get("template") not in [*self._templates]:  # whatever stands there
            stored.pop("template", None)
        try:
            return GuildSettings.model_validate(stored)
        except ValidationError as error:
            wrong = {fault["loc"][0] for fault in error.errors()}
            return GuildSettings.model_validate({k: v for k, v in stored.items() if k not in wrong})

    def effective(self, settings: GuildSettings, key: str) -> Effective:
        """What holds of one setting, and why."""
        value = getattr(settings, key)
        most = self._most(SETTINGS[key])
        operator = SETTINGS[key].operator
        if value is None and operator:
            return Effective(getattr(self._config, operator), Source.OPERATOR)
        if most is not None and value is not None and value > most:
            return Effective(most, Source.LOWERED)
        if key not in settings.model_fields_set or value in (None, ()):
            return Effective(value, Source.DEFAULT)
        if key == "contenders":
            field = tuple(c.slug for c in permitted(self._contenders(), value))
            gone = not set(field) <= set(value)
            return Effective((), Source.NO_PAIR) if gone else Effective(field, Source.HERE)
        return Effective(value, Source.HERE)

    def limits(self, key: str) -> tuple[int, int] | None:
        """The least and the most that a number may be here."""
        setting = SETTINGS[key]
        most = self._most(setting)
        return None if setting.least is None or most is None else (setting.least, most)

    def options(self, key: str) -> Mapping[str, str]:
        """What there is to choose from, with a line of help each."""
        if key == "template":
            return {name: template.help for name, template in self._templates.items()}
        if key == "contenders":
            return {c.slug: f"{c.kind.capitalize()} model, {c.model}" for c in self._contenders()}
        return SETTINGS[key].options

    async def set(self, guild_id: int, key: str, value: object, *, by: int) -> GuildSettings:
        """Change one setting; None goes back to the default. `by` is the member who wants it.

        Texts are read as values: `"7"`, `"off"`. Raises ConfigError for a value that is not
        possible here, with those that are.
        """
        wanted = None if value is None else self._checked(key, value)
        await self._store.update(guild_id, key, wanted, by=by, at=self._clock())
        return await self.settings(guild_id)

    async def history(self, guild_id: int, *, most: int = 10) -> tuple[SettingChange, ...]:
        """Who changed what, the latest first."""
        return await self._store.changes(guild_id, most=most)

    def _checked(self, key: str, value: object) -> object:
        """The value as it is stored; None where it means no restriction."""
        try:
            read = GuildSettings.model_validate({key: value})
        except ValidationError:
            raise ConfigError(self._possible(key, value)) from None
        wanted = getattr(read, key)
        limits = self.limits(key)
        if limits and wanted is not None and wanted > limits[1]:
            raise ConfigError(self._possible(key, value))
        self._require_possible(key, wanted)
        everyone = key == "contenders" and {c.slug for c in self._contenders()} <= set(wanted)
        # Who comes to the roster later meets here too, where everybody does now.
        return None if everyone or wanted == () else read.model_dump(mode="json")[key]

    def _require_possible(self, key: str, wanted: object) -> None:
        """The rules that a single setting has; those of its type are declared."""
        nobody_judges = self._config.moderator == "none"
        if key == "moderation" and wanted is not Moderation.OFF and nobody_judges:
            raise ConfigError(NO_MODERATOR)
        names = (wanted,) if key == "template" else wanted if key == "contenders" else ()
        for name in cast("Sequence[str]", names):
            if name not in self.options(key):
                raise ConfigError(self._possible(key, name))
        if key == "contenders" and wanted:
            self._require_a_pair(cast("Sequence[str]", wanted))

    def _require_a_pair(self, slugs: Sequence[str]) -> None:
        chosen = [c for c in self._contenders() if c.slug in slugs]
        if not any(may_meet(*two) for two in combinations(chosen, 2)):
            bases = {c.kind is Kind.BASE for c in chosen}
            missing = "instruct or tuned model" if True in bases else "base model"
            raise ConfigError(
                f"That would leave no {missing} here, and every battle needs one. "
                "Choose one as well."
            )

    def _possible(self, key: str, value: object) -> str:
        label = SETTINGS[key].label
        if limits := self.limits(key):
            return f"“{label}” takes a whole number from {limits[0]} to {limits[1]}."
        if options := self.options(key):
            no = printable(str(value))[:MOST_QUOTED]
            return f"“{label}” takes no “{no}”. Choose one of: {', '.join(options)}."
        return f"“{label}” takes {_TAKES[SETTINGS[key].control]}."

    def _most(self, setting: Setting) -> int | None:
        if setting.control is Control.NUMBER and setting.operator:
            return int(getattr(self._config, setting.operator))
        return setting.most
