"""Buttons about privacy, which have to do with no battle and survive a restart as well.

Ids are `twofold-privacy:VERSION:ACTION`. Those of a question and of its text end in the
version of the text that it is about, which is what a member agrees to.
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
    rf"twofold-privacy:1:(?:erase|(?:more|(?P<place>{FIRST}|{HERE}|{EVERYWHERE})"
    rf":(?P<scope>{'|'.join(Consent)})):(?P<text>[0-9]{{1,9}}))"
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
        elif known["text"] is None:
            client.dispatch("privacy_erase", interaction)
        elif known["place"] is None:
            client.dispatch("privacy_more", interaction, int(known["text"]))
        else:
            client.dispatch(
                "consent",
                interaction,
                known["place"],
                Consent(known["scope"]),
                int(known["text"]),
            )


def scope(place: str, consent: Consent, *, version: int, chosen: bool = False) -> PrivacyButton:
    """What a member may be kept for, by the text of that version."""
    style = discord.ButtonStyle.success if chosen else discord.ButtonStyle.secondary
    custom_id = f"twofold-privacy:1:{place}:{consent.value}:{version}"
    return PrivacyButton(LABELS[consent], custom_id, style=style)


def more(version: int) -> PrivacyButton:
    """The whole text of a version."""
    return PrivacyButton("Read more", f"twofold-privacy:1:more:{version}")


def erase() -> PrivacyButton:
    """Everything about the one who presses, gone."""
    return PrivacyButton(
        "Delete all of it", "twofold-privacy:1:erase", style=discord.ButtonStyle.danger
    )
