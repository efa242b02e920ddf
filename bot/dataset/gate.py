"""What may leave the database: consent comes before every choice of rows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from bot.context import PLACEHOLDER
from bot.dataset.funnel import LeftOut
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
    return _allowed(said, cap if isinstance(cap, str) else None, scope)


class Gate:
    """Lets out what everybody in it has agreed to for `purpose`.

    With `unvoted`, battles on which no vote counts are let out too.
    """

    def __init__(self, purpose: Consent, *, unvoted: bool = False) -> None:
        self._purpose = purpose
        self._unvoted = unvoted
        self._agreed: dict[int | None, _Agreed] = {}

    def admit(self, voted: VotedBattle) -> VotedBattle | LeftOut:
        """The battle with the votes and remarks that count, or why it may not leave.

        Everybody whose words it holds must have agreed, and its texts must be as they were
        answered. A vote counts where its voter has agreed; nobody's votes never do.
        """
        if voted.wiped_because is not None:
            return _WIPED[voted.wiped_because]
        if voted.edited:
            return LeftOut.EDITED
        agreed = self._agreed.get(voted.guild_id)
        if agreed is None or agreed.said is not voted.said:
            agreed = _Agreed(voted.said, voted.settings, self._purpose)
            self._agreed[voted.guild_id] = agreed
        for speaker in _speakers(voted):
            if not agreed[speaker]:
                return LeftOut.NO_CONSENT
        votes = [vote for vote in voted.votes if agreed[vote[0]]]
        if not votes and not self._unvoted:
            return LeftOut.NO_VOTE if voted.votes else LeftOut.WITHDRAWN
        if len(votes) == len(voted.votes) and not voted.remarks and not voted.events:
            return voted
        return voted._replace(
            votes=tuple(votes),
            remarks=tuple(remark for remark in voted.remarks if agreed[remark.voter_id]),
            events=tuple(event for event in voted.events if agreed[event.voter_id]),
        )


class _Agreed(dict[int, bool]):
    """Who in a guild has agreed, by member, found out when it is asked for."""

    def __init__(
        self, said: Mapping[int, Said], settings: Mapping[str, object], purpose: Consent
    ) -> None:
        self.said = said
        self._settings = settings
        self._purpose = purpose

    def __missing__(self, member_id: int) -> bool:
        agreed = allowed(self.said[member_id], self._settings, self._purpose)
        self[member_id] = agreed
        return agreed


def _speakers(voted: VotedBattle) -> set[int]:
    """Whose words a battle holds.

    The placeholder is nobody's; other words of nobody's stay out. So do turns of the bot
    without a message, as nobody knows whom they answered.
    """
    said = set(voted.speakers)
    for turn in voted.conversation.turns:
        if turn.is_bot:
            if turn.message_id is None:
                said.add(NOBODY)
        elif (turn.author_id, turn.text) != (NOBODY, PLACEHOLDER):
            said.add(turn.author_id)
    return said


@cache
def _allowed(said: Said, cap: str | None, scope: Consent) -> bool:
    settings = GuildSettings.model_validate({"consent_cap": cap} if cap else {})
    return effective(*said, settings.consent_cap).includes(scope)
