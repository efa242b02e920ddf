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

_NO_ROWS: Mapping[str, frozenset[Undecided]] = {
    "kto": frozenset({Undecided.SOFT}),
    **dict.fromkeys(("dpo", "reward", "openai"), frozenset({Undecided.DESIRABLE})),
}


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
        if chosen in _NO_ROWS.get(format_name, ()) or (
            format_name in {"dpo", "reward", "openai"}
            and chosen is Undecided.UNDESIRABLE
            and chosen is not getattr(usual, field)
        ):
            raise ConfigError(f"{options[field]} {chosen} has no rows in {format_name}.")
