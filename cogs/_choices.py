"""Buttons about privacy, which have to do with no battle and survive a restart as well.

Ids are `twofold-privacy:VERSION:ACTION`, with the scope that is chosen at the end of some.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self, cast

import discord
from discord import ui

from storage.records import Consent

if TYPE_CHECKING:
    from bot.client import TwofoldClient

LABELS = {
    Consent.NONE: "Only run",
    Consent.EVALUATE: "Help statistics",
    Consent.TRAIN: "Help training",
    Consent.PUBLISH: "Allow publishing",
}

FIRST, HERE, EVERYWHERE = "first", "here", "everywhere"
"""Where a scope is chosen: at first contact, which is for here too, or in `/privacy`."""

ID = re.compile(
    r"twofold-privacy:1:(?:(?P<action>more|erase)"
    rf"|(?P<place>{FIRST}|{HERE}|{EVERYWHERE}):(?P<scope>{'|'.join(Consent)}))"
)


class PrivacyButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template=r"twofold-privacy:.+"):
    """A button about what is kept of the one who presses it."""

    def __init__(
        self,
        label: str | None,
        custom_id: str,
        *,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    ) -> None:
        super().__init__(ui.Button(label=label, style=style, custom_id=custom_id))

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - discord.py's signature
        item: ui.Item[Any],
        match: re.Match[str],
    ) -> Self:
        """Rebuild the button from its id, also after a restart."""
        return cls(getattr(item, "label", None), match[0])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the press to the cog for it."""
        client = cast("TwofoldClient", interaction.client)
        known = ID.fullmatch(self.custom_id)
        if known is None:
            client.dispatch("strange_press", interaction)
        elif known["action"]:
            client.dispatch(f"privacy_{known['action']}", interaction)
        else:
            client.dispatch("consent", interaction, known["place"], Consent(known["scope"]))


def scope(place: str, consent: Consent, *, chosen: bool = False) -> PrivacyButton:
    """What a member may be kept for."""
    style = discord.ButtonStyle.success if chosen else discord.ButtonStyle.secondary
    return PrivacyButton(LABELS[consent], f"twofold-privacy:1:{place}:{consent.value}", style=style)


def more() -> PrivacyButton:
    """The whole text."""
    return PrivacyButton("Read more", "twofold-privacy:1:more")


def erase() -> PrivacyButton:
    """Everything about the one who presses, gone."""
    return PrivacyButton(
        "Delete all of it", "twofold-privacy:1:erase", style=discord.ButtonStyle.danger
    )
