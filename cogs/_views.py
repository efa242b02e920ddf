"""Buttons that survive a restart: their custom id carries all they need.

Ids are `twofold:VERSION:ACTION:BATTLE`, with the part that is meant at the end of some.
They name sides, never models. The buttons that vote name the sides of the ballot that they
stand on; those that come after a vote, the sides as stored, because a ballot that was shown
privately may have had them the other way round and somebody may have both before them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import discord
from discord import ui

from bot.rating import Order
from bot.voting import turned
from storage.records import Choice, Reason, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.client import TwofoldClient

LABELS = {
    Choice.A: "A is better",
    Choice.B: "B is better",
    Choice.TIE: "Tie",
    Choice.BOTH_BAD: "Both bad",
}

UNSURE = "unsure"

ACTIONS: Mapping[str, Iterable[str]] = {
    "vote": Choice,
    "rate": Choice,
    "more": (),
    "full": Side,
    "again": (),
    "continue": (),
    "close": (),
    "guess": (*Side, UNSURE),
    "look": (),
    "why": (),
    "reason": Reason,
    "fix": Side,
    "undo": (),
    "read": Side,
    "skip": Order,
    "next": Order,
}
"""What can be done with a battle, and the parts that must be named for it."""

ID = re.compile(r"twofold:1:(?P<action>[a-z]+):(?P<battle>[0-9]{1,18})(?::(?P<part>[a-z_]+))?")


class Meant(NamedTuple):
    """What a custom id says."""

    action: str
    battle_id: int
    part: str | None


def meant(custom_id: str) -> Meant | None:
    """Read the id of a button or a modal; None where this version knows no such one."""
    read = ID.fullmatch(custom_id)
    if read is None or read["action"] not in ACTIONS:
        return None
    parts = {str(part) for part in ACTIONS[read["action"]]}
    fits = read["part"] in parts if parts else read["part"] is None
    if not fits:
        return None
    return Meant(read["action"], int(read["battle"]), read["part"])


class BattleButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template=r"twofold:.+"):
    """A button that has to do with a battle, or one that another version of this bot posted."""

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
        """Hand the press to the cog for it, as `on_vote_press` for instance."""
        client = cast("TwofoldClient", interaction.client)
        if known := meant(self.custom_id):
            client.dispatch(f"{known.action}_press", interaction, known.battle_id, known.part)
        else:
            client.dispatch("strange_press", interaction)


def vote(battle_id: int, choice: Choice, *, private: bool = False) -> BattleButton:
    """One outcome of one battle, on its ballot or on one that a single member got."""
    preferred = choice in {Choice.A, Choice.B}
    return BattleButton(
        LABELS[choice],
        f"twofold:1:{'rate' if private else 'vote'}:{battle_id}:{choice.value}",
        style=discord.ButtonStyle.primary if preferred else discord.ButtonStyle.secondary,
    )


def more(battle_id: int) -> BattleButton:
    """What else there is to a battle."""
    return BattleButton("⋯", f"twofold:1:more:{battle_id}")


def full(battle_id: int, side: Side) -> BattleButton:
    """All of one answer."""
    return BattleButton(f"Full text {side.upper()}", f"twofold:1:full:{battle_id}:{side.value}")


def again(battle_id: int) -> BattleButton:
    """The same prompt for others."""
    return BattleButton("Again", f"twofold:1:again:{battle_id}")


def go_on(battle_id: int) -> BattleButton:
    """The same answers, continued."""
    return BattleButton("Continue", f"twofold:1:continue:{battle_id}")


def close(battle_id: int) -> BattleButton:
    """No more votes, and the reveal for everyone."""
    return BattleButton("Close and reveal", f"twofold:1:close:{battle_id}")


def skip(battle_id: int, order: Order) -> BattleButton:
    """Another ballot than this one, in an order."""
    return BattleButton("Skip", f"twofold:1:skip:{battle_id}:{order.value}")


def next_one(battle_id: int, order: Order) -> BattleButton:
    """Another ballot after this one, in an order."""
    return BattleButton("Next", f"twofold:1:next:{battle_id}:{order.value}")


def guess(battle_id: int, side: Side | None, *, swapped: bool) -> BattleButton:
    """Which side is the base model's; None is "not sure"."""
    part = UNSURE if side is None else turned(side, swapped=swapped).value
    label = "Not sure" if side is None else side.upper()
    return BattleButton(label, f"twofold:1:guess:{battle_id}:{part}")


def look(battle_id: int) -> BattleButton:
    """Back to the reveal."""
    return BattleButton("Back", f"twofold:1:look:{battle_id}")


def why(battle_id: int) -> BattleButton:
    """The reasons to choose from."""
    return BattleButton("Why?", f"twofold:1:why:{battle_id}")


def reason(battle_id: int, what: Reason, label: str, *, chosen: bool) -> BattleButton:
    """One reason."""
    style = discord.ButtonStyle.success if chosen else discord.ButtonStyle.secondary
    return BattleButton(label, f"twofold:1:reason:{battle_id}:{what.value}", style=style)


def fix(battle_id: int, side: Side, label: str, *, swapped: bool) -> BattleButton:
    """The answer on a side, to be written better."""
    part = turned(side, swapped=swapped).value
    return BattleButton(label, f"twofold:1:fix:{battle_id}:{part}")


def undo(battle_id: int) -> BattleButton:
    """The vote, taken back."""
    return BattleButton("Undo", f"twofold:1:undo:{battle_id}")


def read(battle_id: int, side: Side, *, swapped: bool) -> BattleButton:
    """All of one answer, for somebody who got the ballot alone or has voted."""
    part = turned(side, swapped=swapped).value
    return BattleButton(f"Full text {side.upper()}", f"twofold:1:read:{battle_id}:{part}")
