"""Buttons that survive a restart: their custom id carries all they need.

Ids are `twofold:VERSION:ACTION:BATTLE`, then the part that is meant, how the sides lie and the
choice that was made, where an action needs them. They name sides, never models: those that
stand on the ballot, or on the one that a message followed. Somebody may have a ballot in the
channel and one of their own with the sides the other way round, so each message says which it
goes with: `ab` for sides as they are stored, `ba` for swapped ones. Somebody may also have
changed a vote, so what is added to one says to which choice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import discord
from discord import ui
from structlog.contextvars import bound_contextvars

from bot.rating import Order
from storage.records import Choice, Reason, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.client import TwofoldClient
    from bot.voting import OwnView, Page

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

ORIENTED = frozenset({"rate", "guess", "look", "why", "reason", "fix", "undo", "read"})
"""The actions that need to know how the sides lie."""

ABOUT_A_CHOICE = frozenset({"guess", "why", "reason", "fix"})
"""The actions that can say for which choice they are; those of an earlier version do not."""

SIDES = {False: "ab", True: "ba"}
"""By whether they are swapped."""

ID = re.compile(
    r"twofold:1:(?P<action>[a-z]+):(?P<battle>[0-9]{1,18})"
    r"(?::(?P<part>[a-z_]+))??(?::(?P<sides>ab|ba)(?::(?P<choice>[a-z_]+))?)?"
)


class Meant(NamedTuple):
    """What a custom id says; `swapped` is None for what has no sides of its own.

    `choice` is the vote that it was made for, as on those sides.
    """

    action: str
    battle_id: int
    part: str | None = None
    swapped: bool | None = None
    choice: Choice | None = None

    @property
    def page(self) -> Page:
        """Where it stands, as far as it says that."""
        page: Page = {}
        if self.swapped is not None:
            page["swapped"] = self.swapped
        if self.choice is not None:
            page["choice"] = self.choice
        return page


def meant(custom_id: str) -> Meant | None:
    """Read the id of a button or a modal; None where this version knows no such one."""
    read = ID.fullmatch(custom_id)
    if read is None or read["action"] not in ACTIONS:
        return None
    parts = {str(part) for part in ACTIONS[read["action"]]}
    fits = read["part"] in parts if parts else read["part"] is None
    if not fits or (read["sides"] is not None) != (read["action"] in ORIENTED):
        return None
    chosen = read["choice"]
    if chosen is not None and (chosen not in set(Choice) or read["action"] not in ABOUT_A_CHOICE):
        return None
    swapped = None if read["sides"] is None else read["sides"] == SIDES[True]
    choice = None if chosen is None else Choice(chosen)
    return Meant(read["action"], int(read["battle"]), read["part"], swapped, choice)


def id_of(
    action: str,
    battle_id: int,
    part: str | None = None,
    *,
    swapped: bool | None = None,
    choice: Choice | None = None,
) -> str:
    """Write the id of a button or a modal, such as `meant` reads."""
    sides = None if swapped is None else SIDES[swapped]
    return ":".join(filter(None, ("twofold:1", action, str(battle_id), part, sides, choice)))


def own_id(action: str, own: OwnView, part: str | None = None) -> str:
    """Write the id of what follows a vote, for the page that shows it."""
    choice = own.choice if action in ABOUT_A_CHOICE else None
    return id_of(action, own.battle.id, part, swapped=own.swapped, choice=choice)


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
        known = meant(self.custom_id)
        if known is None:
            client.dispatch("strange_press", interaction)
            return
        pressed = (known.battle_id, known.part)
        with bound_contextvars(battle=known.battle_id, guild=interaction.guild_id):
            client.dispatch(f"{known.action}_press", interaction, *pressed, **known.page)


def vote(battle_id: int, choice: Choice) -> BattleButton:
    """One outcome of one battle, on its ballot in the channel."""
    return _choice(id_of("vote", battle_id, choice.value), choice)


def rate(battle_id: int, choice: Choice, *, swapped: bool) -> BattleButton:
    """One outcome of one battle, on a ballot that a single member got."""
    return _choice(id_of("rate", battle_id, choice.value, swapped=swapped), choice)


def more(battle_id: int) -> BattleButton:
    """What else there is to a battle."""
    return BattleButton("⋯", id_of("more", battle_id))


def full(battle_id: int, side: Side) -> BattleButton:
    """All of one answer."""
    return BattleButton(f"Full text {side.upper()}", id_of("full", battle_id, side.value))


def again(battle_id: int) -> BattleButton:
    """The same prompt for others."""
    return BattleButton("Again", id_of("again", battle_id))


def go_on(battle_id: int) -> BattleButton:
    """The same answers, continued."""
    return BattleButton("Continue", id_of("continue", battle_id))


def close(battle_id: int) -> BattleButton:
    """No more votes, and the reveal for everyone."""
    return BattleButton("Close and reveal", id_of("close", battle_id))


def skip(battle_id: int, order: Order) -> BattleButton:
    """Another ballot than this one, in an order."""
    return BattleButton("Skip", id_of("skip", battle_id, order.value))


def next_one(battle_id: int, order: Order) -> BattleButton:
    """Another ballot after this one, in an order."""
    return BattleButton("Next", id_of("next", battle_id, order.value))


def guess(own: OwnView, side: Side | None) -> BattleButton:
    """Which side is the base model's; None is "not sure"."""
    part = UNSURE if side is None else side.value
    label = "Not sure" if side is None else side.upper()
    return BattleButton(label, own_id("guess", own, part))


def look(own: OwnView) -> BattleButton:
    """Back to the reveal."""
    return BattleButton("Back", own_id("look", own))


def why(own: OwnView) -> BattleButton:
    """The reasons to choose from."""
    return BattleButton("Why?", own_id("why", own))


def reason(own: OwnView, what: Reason, label: str, *, chosen: bool) -> BattleButton:
    """One reason."""
    style = discord.ButtonStyle.success if chosen else discord.ButtonStyle.secondary
    return BattleButton(label, own_id("reason", own, what.value), style=style)


def fix(own: OwnView, side: Side, label: str) -> BattleButton:
    """The answer on a side, to be written better."""
    return BattleButton(label, own_id("fix", own, side.value))


def undo(own: OwnView) -> BattleButton:
    """The vote, taken back."""
    return BattleButton("Undo", own_id("undo", own))


def read(battle_id: int, side: Side, *, swapped: bool) -> BattleButton:
    """All of one answer, for somebody who got the ballot alone or has voted."""
    custom_id = id_of("read", battle_id, side.value, swapped=swapped)
    return BattleButton(f"Full text {side.upper()}", custom_id)


def _choice(custom_id: str, choice: Choice) -> BattleButton:
    preferred = choice in {Choice.A, Choice.B}
    style = discord.ButtonStyle.primary if preferred else discord.ButtonStyle.secondary
    return BattleButton(LABELS[choice], custom_id, style=style)
