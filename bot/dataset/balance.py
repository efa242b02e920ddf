"""What leans in the rows of an export: length, side, kind and markup of what was chosen."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.dataset.funnel import Counted
from bot.dataset.select import EDIT
from storage.records import Kind, Outcome, Side

if TYPE_CHECKING:
    from bot.dataset.select import Candidate, Verdict

_MARKUP = re.compile(r"\*\*|```|^(?:[-*] |1\. |#)", re.MULTILINE)


@dataclass(slots=True)
class Balance(Counted):
    """Counts over the pairs that voters decided; what members wrote anew is not among them."""

    pairs: int = 0
    chosen_longer: int = 0
    rejected_longer: int = 0
    chosen_on_a: int = 0
    chosen_base: int = 0
    chosen_marked_up: int = 0
    rejected_marked_up: int = 0
    chosen_characters: int = 0
    rejected_characters: int = 0
    chosen_by: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    rejected_by: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count(self, verdict: Verdict) -> None:
        """Take a verdict in."""
        chosen, rejected = verdict.chosen, verdict.rejected
        if verdict.outcome is not Outcome.WIN or chosen.kind == EDIT or chosen.answer is None:
            return
        self.pairs += 1
        longer = len(chosen.text) - len(rejected.text)
        self.chosen_longer += longer > 0
        self.rejected_longer += longer < 0
        self.chosen_on_a += chosen.answer.side is Side.A
        self.chosen_base += chosen.kind == Kind.BASE
        self.chosen_marked_up += _marked_up(chosen.text)
        self.rejected_marked_up += _marked_up(rejected.text)
        self.chosen_characters += len(chosen.text)
        self.rejected_characters += len(rejected.text)
        self.chosen_by[_who(chosen)] += 1
        self.rejected_by[_who(rejected)] += 1

    def to_json(self) -> dict[str, Any]:
        """Counts, and mean characters of either side."""
        return {
            "pairs": self.pairs,
            "chosen_longer": self.chosen_longer,
            "rejected_longer": self.rejected_longer,
            "chosen_on_a": self.chosen_on_a,
            "chosen_base": self.chosen_base,
            "chosen_marked_up": self.chosen_marked_up,
            "rejected_marked_up": self.rejected_marked_up,
            "chosen_characters": self._mean(self.chosen_characters),
            "rejected_characters": self._mean(self.rejected_characters),
        }

    def _mean(self, total: int) -> float | None:
        return round(total / self.pairs, 1) if self.pairs else None


def _who(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.contender, candidate.kind, candidate.fingerprint


def _marked_up(text: str) -> bool:
    plain = "\n" not in text and "*" not in text and "`" not in text
    return not plain and _MARKUP.search(text) is not None
