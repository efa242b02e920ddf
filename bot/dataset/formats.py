"""Preferences as rows of the formats that training libraries read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot import prompting
from bot.dataset.select import said, without_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.dataset.pseudonyms import Pseudonyms
    from bot.dataset.select import Preference
    from storage.records import Conversation

Row = dict[str, Any]


def dpo(preference: Preference, pseudonyms: Pseudonyms) -> Row:
    """A row of TRL's conversational preference form, with what is known beside it.

    Every row has every key, because loaders infer the columns from the first ones.
    No id of Discord's and no person's name is in it. Source of the shape: TRL's
    documentation of dataset formats, "preference", "conversational".
    """
    chosen, rejected = preference.chosen, preference.rejected
    messages = prompting.chat(_anonymous(preference.battle.conversation))
    return {
        "prompt": [{"role": m.role, "content": without_ids(m.content)} for m in messages],
        "chosen": [{"role": "assistant", "content": said(chosen)}],
        "rejected": [{"role": "assistant", "content": said(rejected)}],
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
        "all_blind": preference.all_blind,
        # In tenths: finer ones would tell which rows have a voter in common.
        "weight": round(preference.weight, 1),
    }


FORMATS: dict[str, Callable[[Preference, Pseudonyms], Row]] = {"dpo": dpo}


def _anonymous(conversation: Conversation) -> Conversation:
    """The same conversation with `Member 1`, `Member 2` … in the order of their first words."""
    order = {turn.author_id: None for turn in conversation.turns if not turn.is_bot}
    names = {author: f"Member {number}" for number, author in enumerate(order, start=1)}
    turns = tuple(
        turn if turn.is_bot else replace(turn, name=names[turn.author_id])
        for turn in conversation.turns
    )
    return replace(conversation, turns=turns)
