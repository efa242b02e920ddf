"""A server's settings, for those who may change them.

Custom ids are `twofold-settings:1:ACTION[:KEY[:VALUE]]`. They carry all that is needed, so
that a panel or a form from before a restart works.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import ui

from bot.guilds import SETTINGS
from bot.settings import Control, Group, Source
from bot.wording import count
from cogs._render import layout
from storage.records import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.governing import GuildService
    from bot.guilds import GuildSettings
    from storage.records import SettingChange

PREFIX = "twofold-settings:"
KNOWN = re.compile(
    rf"{PREFIX}1:(?:(?P<place>show|history)"
    rf"|(?P<action>show|change|set|reset):(?P<key>{'|'.join(SETTINGS)})(?::(?P<value>on|off))?)"
)
STRANGE = "That belongs to another version of this bot. Use /settings again."
NO_CONTENT = "⚠ I cannot read messages that do not mention me: Message Content is turned off."
OVERVIEW = "overview"

MOST_OPTIONS = 25
GROUPS = {group: [key for key, s in SETTINGS.items() if s.group is group] for group in Group}
FORMS = frozenset({Control.NUMBER, Control.LINK})
"""Changed in a form, so without a page of their own."""
LISTS = frozenset({Control.CHOICES, Control.CHANNELS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The settings as they are. `said` stands on top, `warnings` are about the channels."""

    guilds: GuildService
    current: GuildSettings
    said: str = ""
    warnings: Sequence[str] = ()

    def overview(self) -> ui.LayoutView:
        """All of them at a glance."""
        lines = ["### Settings of this server"]
        for group, keys in GROUPS.items():
            lines.append(f"**{group}**")
            lines += [f"{SETTINGS[key].label}: {self.now(key)}" for key in keys]
        return self._page(ui.TextDisplay("\n".join(lines)), chosen=OVERVIEW)

    def group(self, group: Group) -> ui.LayoutView:
        """Those that belong together, each with what changes it."""
        warnings = self.warnings if group is Group.PLACES else ()
        sections = [
            ui.Section[ui.LayoutView](
                f"**{SETTINGS[key].label}**: {self.now(key)}\n-# {SETTINGS[key].help}",
                accessory=self._changer(key),
            )
            for key in GROUPS[group]
        ]
        heading = ui.TextDisplay[ui.LayoutView]("\n".join((f"### {group}", *warnings)))
        return self._page(heading, *sections, chosen=group.name)

    def setting(self, key: str) -> ui.LayoutView:
        """One of them with its control."""
        setting = SETTINGS[key]
        lines = [f"### {setting.label}", setting.help, f"Now: {self.now(key)}"]
        buttons = [_button("Reset", "reset", key), _button("Back", "show", key)]
        controls: list[ui.Item[Any]]
        if setting.control is Control.TOGGLE:
            controls = [ui.ActionRow(self._changer(key), *buttons)]
        else:
            lines += self._left_out(key)
            controls = [ui.ActionRow(self._select(key)), ui.ActionRow(*buttons)]
        return self._page(ui.TextDisplay("\n".join(lines)), *controls, chosen=setting.group.name)

    def form(self, key: str) -> ui.Modal:
        """Where a number or an address is written. Empty, it is a reset."""
        setting, holds = SETTINGS[key], self.guilds.effective(self.current, key)
        limits = self.guilds.limits(key)
        possible = f"{limits[0]} to {_word(key, limits[1])}" if limits else "https://…"
        field = ui.TextInput[ui.Modal](
            custom_id="value",
            placeholder="Empty for the default",
            default=str(holds.value) if holds.source is Source.HERE else None,
            required=False,
            max_length=512,
        )
        modal = ui.Modal(title=setting.label, custom_id=f"{PREFIX}1:set:{key}")
        modal.add_item(ui.Label(text=possible, description=setting.help, component=field))
        modal.stop()  # so that discord.py does not keep it: the cog hears the submission itself
        return modal

    def history(self, changes: Sequence[SettingChange]) -> ui.LayoutView:
        """Who changed what lately."""
        lines = [_change(change) for change in changes] or ["Nobody has changed anything yet."]
        return self._page(ui.TextDisplay("\n".join(("### Last changes", *lines))), chosen=None)

    def now(self, key: str) -> str:
        """The value that holds, and where it comes from."""
        holds = self.guilds.effective(self.current, key)
        return f"{_word(key, holds.value)} ({holds.source})"

    def kept(self, key: str) -> list[object]:
        """What of a list is on but not among what can be picked from."""
        value = cast("Sequence[object]", self.guilds.effective(self.current, key).value)
        if SETTINGS[key].control is Control.CHANNELS:
            return list(value)[MOST_OPTIONS:]
        offered = [*self.guilds.options(key)][:MOST_OPTIONS]
        return [one for one in value or self.guilds.options(key) if one not in offered]

    def _left_out(self, key: str) -> Iterator[str]:
        if SETTINGS[key].control is Control.CHANNELS:
            there = len(getattr(self.current, key))
        else:
            there = len(self.guilds.options(key))
        if there > MOST_OPTIONS:
            yield f"-# {MOST_OPTIONS} of {there} fit into the list; the others stay as they are."

    def _changer(self, key: str) -> ui.Button[Any]:
        if SETTINGS[key].control is not Control.TOGGLE:
            return _button("Change", "change", key)
        on = self.guilds.effective(self.current, key).value
        return _button("Turn off" if on else "Turn on", "set", key, "off" if on else "on")

    def _select(self, key: str) -> ui.Select[Any] | ui.ChannelSelect[Any]:
        custom_id, control = f"{PREFIX}1:set:{key}", SETTINGS[key].control
        if control is Control.CHANNELS:
            forums = [discord.ChannelType.forum] if SETTINGS[key].forums else []
            return ui.ChannelSelect(
                custom_id=custom_id,
                channel_types=[discord.ChannelType.text, discord.ChannelType.voice, *forums],
                placeholder="None",
                min_values=0,
                max_values=MOST_OPTIONS,
                default_values=[
                    discord.SelectDefaultValue(
                        id=channel, type=discord.SelectDefaultValueType.channel
                    )
                    for channel in getattr(self.current, key)[:MOST_OPTIONS]
                ],
            )
        holds = self.guilds.effective(self.current, key)
        several = control is Control.CHOICES
        chosen = cast("Sequence[object]", holds.value) if several else (holds.value,)
        options = [
            discord.SelectOption(
                label=_plain(name)[:100] if SETTINGS[key].options else name[:100],
                value=name,
                description=help_[:100],
                default=name in chosen,
            )
            for name, help_ in [*self.guilds.options(key).items()][:MOST_OPTIONS]
        ]
        return ui.Select(
            custom_id=custom_id,
            options=options,
            placeholder="All" if several else "Choose",
            min_values=0 if several else 1,
            max_values=len(options) if several else 1,
        )

    def _page(self, *items: ui.Item[Any], chosen: str | None) -> ui.LayoutView:
        said = [ui.TextDisplay[ui.LayoutView](self.said)] if self.said else []
        places = {OVERVIEW: "Overview", **{group.name: group.value for group in Group}}
        menu = ui.Select[ui.LayoutView](
            custom_id=f"{PREFIX}1:show",
            placeholder="Show",
            options=[
                discord.SelectOption(label=name, value=value, default=value == chosen)
                for value, name in places.items()
            ],
        )
        return layout.layout(
            *said,
            layout.container(*items),
            ui.ActionRow(menu),
            ui.ActionRow(_button("History", "history")),
        )


def lacking(channels: Sequence[int], permissions: Sequence[str]) -> str:
    """Channels that are on and cannot be answered in."""
    where, which = _word("channels", channels), ", ".join(permissions)
    return f"⚠ I lack permissions in {where}: {which}. Grant them, or I stay silent."


def _button(label: str, *parts: str) -> ui.Button[Any]:
    return ui.Button(label=label, custom_id=":".join((f"{PREFIX}1", *parts)))


def _change(change: SettingChange) -> str:
    who = "somebody" if change.member_id == NOBODY else f"<@{change.member_id}>"
    setting = SETTINGS.get(change.setting)
    before, after = (
        "the default" if value is None else _word(change.setting, value, most=3)
        for value in (change.before, change.after)
    )
    label = setting.label if setting else change.setting
    when = discord.utils.format_dt(change.at, "R")
    return f"**{label}**: {before} → {after}, {who}, {when}"


def _word(key: str, value: object, *, most: int = 10) -> str:
    """A value as it is read. Of a long list only some; a long text is cut."""
    setting = SETTINGS.get(key)
    control = setting.control if setting else None
    if isinstance(value, list | tuple):
        form = "<#{}>" if control is Control.CHANNELS else "`{:.40}`"
        more = [f"and {len(value) - most} more"] if len(value) > most else []
        none = "none" if control is Control.CHANNELS else "all"
        return ", ".join([*(form.format(str(one)) for one in value[:most]), *more]) or none
    if isinstance(value, bool):
        return "on" if value else "off"
    if setting and isinstance(value, int):
        return f"{value} %" if setting.unit == "%" else count(value, setting.unit)
    if setting and setting.options:
        return _plain(str(value))
    return "none" if value is None else f"`{str(value)[:100]}`"


def _plain(name: str) -> str:
    """The name of a choice as a person writes it."""
    return name.replace("_", " ")
