"""What may leave the database: consent comes before every choice of rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from bot.context import PLACEHOLDER
from bot.dataset.select import LeftOut
from bot.errors import ConfigError
from bot.guilds import GuildSettings
from storage.records import NOBODY, Consent, Wiped, effective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.records import Said, VotedBattle

PURPOSES = {
    "train": Consent.TRAIN,
    "evaluate": Consent.EVALUATE,
    "publish": Consent.PUBLISH,
}
"""What an export may be for, and the consent that it takes from everybody in it."""

TRAINING_NEEDS = (
    "Discord's developer policy forbids training machine-learning models on message content "
    "without Discord's express permission, and every member whose words or votes are used "
    "must have agreed to that use."
)

_WIPED = {
    Wiped.RETENTION: LeftOut.RETENTION,
    Wiped.DELETED: LeftOut.DELETED,
    Wiped.ERASED: LeftOut.ERASED,
}


def require_permission(purpose: Consent, *, training_export: bool) -> None:
    """Raise ConfigError where models could be trained on it and the operator has not allowed it."""
    if purpose.includes(Consent.TRAIN) and not training_export:
        raise ConfigError(
            f"Exports for training and publishing are off. {TRAINING_NEEDS} If you have that "
            "permission, set TWOFOLD_TRAINING_EXPORT=true or `training_export = true` in "
            "twofold.toml. For statistics, `--purpose evaluate` needs no switch."
        )


def allowed(said: Said, settings: Mapping[str, object], scope: Consent) -> bool:
    """Whether a member's word, capped by what their guild's admins set, includes `scope`."""
    cap = settings.get("consent_cap")
    return effective(*said, _cap(cap if isinstance(cap, str) else None)).includes(scope)


def admit(voted: VotedBattle, purpose: Consent) -> VotedBattle | LeftOut:
    """The battle with the votes that count for `purpose`, or why it may not leave.

    Everybody whose words it holds must have agreed, and its texts must be as they were
    answered. A vote counts where its voter has agreed; nobody's votes never do.
    """
    battle = voted.battle
    if battle.wiped_because is not None:
        return _WIPED[battle.wiped_because]
    if battle.edited_at is not None:
        return LeftOut.EDITED
    agreed = {
        member for member, said in voted.said.items() if allowed(said, voted.settings, purpose)
    }
    if not _speakers(voted) <= agreed:
        return LeftOut.NO_CONSENT
    votes = tuple(vote for vote in voted.votes if vote.voter_id in agreed)
    if not votes:
        return LeftOut.NO_VOTE if voted.votes else LeftOut.WITHDRAWN
    return replace(voted, votes=votes)


def _speakers(voted: VotedBattle) -> set[int]:
    """Whose words a battle holds.

    The placeholder is nobody's; other words of nobody's stay out. So do turns of the bot
    without a message, as nobody knows whom they answered.
    """
    said, unknown = set(voted.speakers), {NOBODY}
    for turn in voted.battle.conversation.turns:
        if turn.is_bot:
            said |= unknown if turn.message_id is None else set()
        elif (turn.author_id, turn.text) != (NOBODY, PLACEHOLDER):
            said.add(turn.author_id)
    return said


@cache
def _cap(raw: str | None) -> Consent:
    return GuildSettings.model_validate({"consent_cap": raw} if raw else {}).consent_cap
