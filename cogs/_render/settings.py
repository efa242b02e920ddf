"""A server's settings, for those who may change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.guilds import Others
from bot.roster import permitted
from storage.records import Continuing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.config import Config
    from bot.guilds import GuildSettings
    from storage.records import Contender

CONTINUING = {
    Continuing.WINNER: "the winner so far, else the instruct model's answer",
    Continuing.INSTRUCT: "the instruct model's answer",
    Continuing.BASE: "the base model's answer",
}
OTHERS = {
    Others.AS_THEY_ARE: "as they are",
    Others.PLACEHOLDER: "as a placeholder, with nothing of theirs stored",
}


def settings(current: GuildSettings, *, config: Config, contenders: Sequence[Contender]) -> str:
    """The effective settings and where each comes from."""
    channels = " ".join(f"<#{channel}>" for channel in current.channels) or "none"
    member = _lower(current.member_limit, config.member_battles_per_minute)
    server = _lower(current.guild_limit, config.guild_battles_per_minute)
    return "\n".join(
        (
            "**Settings of this server**",
            f"Channels where every message is answered: {channels}",
            f"Prompt template: {_either(current.template, config.template)}",
            f"Contenders: {_field(current.contenders, contenders)}",
            f"Answers appear: {_either(current.showing, config.showing)}",
            f"Conversations go on from: {CONTINUING[current.continuing]}",
            f"Other members who have not agreed to be kept: given {OTHERS[current.others]}",
            f"Answered in a minute: {member} for a member, {server} in all",
            "-# Everywhere else I answer when I am mentioned or replied to.",
            "-# Change them with the other `/settings` commands.",
        )
    )


def channel_warnings(lacking: Sequence[str], *, reads_messages: bool) -> Iterator[str]:
    """What keeps a channel that was turned on from being answered."""
    if lacking:
        yield f"⚠ I lack permissions there: {', '.join(lacking)}. Grant them, or I stay silent."
    if not reads_messages:
        yield "⚠ I cannot read messages that do not mention me: Message Content is turned off."


def _either(chosen: object | None, default: object) -> str:
    return f"`{default}` (the default)" if chosen is None else f"`{chosen}` (set here)"


def _lower(chosen: int | None, most: int) -> str:
    """Which of two limits holds; the operator's may have been lowered since."""
    return _either(None if chosen is not None and chosen > most else chosen, most)


def _field(chosen: Sequence[str], contenders: Sequence[Contender]) -> str:
    """Who meets in a server."""
    if not chosen:
        return "all (the default)"
    field = permitted(contenders, chosen)
    if not {c.slug for c in field} <= set(chosen):
        return "all (those that were chosen here make no pair any more)"
    return f"{', '.join(f'`{c.slug}`' for c in field)} (set here)"
