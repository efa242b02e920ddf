"""Preferences as rows of the formats that training libraries read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot import prompting

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.dataset.pseudonyms import Pseudonyms
    from bot.dataset.select import Preference

Row = dict[str, Any]


def dpo(preference: Preference, pseudonyms: Pseudonyms) -> Row:
    """A row of TRL's conversational preference form, with what is known beside it.

    Every row has every key, because loaders infer the columns from the first ones.
    Source of the shape: TRL's documentation of dataset formats, "preference", "conversational".
    """
    chosen, rejected = preference.chosen, preference.rejected
    messages = prompting.chat(preference.battle.conversation)
    return {
        "prompt": [{"role": m.role, "content": m.content} for m in messages],
        "chosen": [{"role": "assistant", "content": chosen.shown}],
        "rejected": [{"role": "assistant", "content": rejected.shown}],
        "battle": pseudonyms.of("battle", preference.battle.id),
        "chosen_contender": chosen.contender,
        "rejected_contender": rejected.contender,
        "chosen_kind": chosen.kind.value,
        "rejected_kind": rejected.kind.value,
        "chosen_fingerprint": chosen.fingerprint,
        "rejected_fingerprint": rejected.fingerprint,
        "chosen_tags": list(chosen.tags),
        "rejected_tags": list(rejected.tags),
        "votes_chosen": preference.votes_chosen,
        "votes_rejected": preference.votes_rejected,
        "votes_tie": preference.votes_tie,
        "votes_both_bad": preference.votes_both_bad,
        "votes_not_blind": preference.votes_not_blind,
        # In tenths: finer ones would tell which rows have a voter in common.
        "weight": round(preference.weight, 1),
    }


FORMATS: dict[str, Callable[[Preference, Pseudonyms], Row]] = {"dpo": dpo}
