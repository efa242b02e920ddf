"""Which choices mean something in which format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.dataset.policy import Policy, Undecided
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVERY_VOTE = frozenset(
    {
        "votes",
        "deciding",
        "min_votes",
        "min_agreement",
        "author_votes",
        "chosen_kinds",
        "length_ratio",
        "text",
        "cut",
        "continued",
        "ties",
        "both_bad",
        "edits",
        "render_with",
        "columns",
        "validation",
        "test",
        "seed",
    }
)

MEANINGLESS: Mapping[str, frozenset[str]] = {
    "arena": _EVERY_VOTE,
    "raw": _EVERY_VOTE,
    "openai": frozenset({"columns", "render_with"}),
    "sft": frozenset({"ties", "both_bad"}),
}
"""The fields of a policy that change nothing in a format."""

_SOFT = frozenset({Undecided.SOFT})
UNDECIDED: Mapping[str, frozenset[Undecided]] = {
    "dpo": _SOFT,
    "reward": _SOFT,
    "openai": _SOFT,
    "kto": frozenset(Undecided) - _SOFT,
}
"""What may become of battles that nobody won, where that makes rows; otherwise there are none."""


def require_meaning(format_name: str, policy: Policy, options: Mapping[str, str]) -> None:
    """Raise ConfigError for a choice that a format would pass over in silence.

    `options` are what the fields of a policy are called to whoever made the choices.
    """
    usual = Policy()
    for field in sorted(MEANINGLESS.get(format_name, ())):
        if getattr(policy, field) != getattr(usual, field):
            raise ConfigError(f"{options[field]} changes nothing in {format_name}. Leave it out.")
    for field in ("ties", "both_bad"):
        chosen = getattr(policy, field)
        silent = {Undecided.LEAVE_OUT, getattr(usual, field)} | UNDECIDED.get(format_name, set())
        if format_name in UNDECIDED and chosen not in silent:
            raise ConfigError(f"{options[field]} {chosen} has no rows in {format_name}.")
