"""Formats of one table whose rows are made of verdicts: what training libraries read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.dataset.formats import MESSAGES, Made
from bot.dataset.formats.columns import Beside, margin
from bot.dataset.formats.forms import AsChat, form_of
from bot.dataset.funnel import LeftOut, VoteLeftOut
from bot.dataset.layout import ONE_TABLE
from bot.dataset.logprobs import CHOSEN, REJECTED
from bot.dataset.policy import Undecided
from bot.dataset.select import EDIT
from storage.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.dataset.formats import Making, Row, Spec
    from bot.dataset.formats.forms import Parts
    from bot.dataset.select import Verdict
    from storage.records import VotedBattle


class Paired:
    """What these formats have in common: each says in `_rows` what a verdict becomes."""

    splits = True
    every = False
    details = False
    log = False
    specs: Mapping[str, Spec]

    def __init__(self, making: Making) -> None:
        self._policy = making.policy
        self._selector = making.selector
        self._form = form_of(making)
        self._beside = Beside(making)
        self.texts = (*self._form.texts, "raw") if making.policy.text == "raw" else self._form.texts

    @property
    def tables(self) -> Mapping[str, Mapping[str, Spec]]:
        """One table."""
        return {ONE_TABLE: self.specs}

    def made(self, voted: VotedBattle) -> Made | LeftOut:
        """The rows of a battle's verdicts."""
        judged = self._selector.judge(voted)
        if isinstance(judged, LeftOut):
            return judged
        rows: list[tuple[str, Row]] = []
        used: list[Verdict] = []
        reason = None
        for verdict in judged:
            made = self._of(verdict)
            if isinstance(made, LeftOut):
                reason = made
                if verdict.outcome is not Outcome.WIN and len(judged) > 1:
                    self._selector.votes_left_out[VoteLeftOut.UNDECIDED] += 1
            else:
                rows += [(ONE_TABLE, row) for row in made]
                used.append(verdict)
        return Made(rows, used) if rows else reason or LeftOut.EMPTY

    def _of(self, verdict: Verdict) -> list[Row] | LeftOut:
        parts = self._form.of(verdict)
        return parts if isinstance(parts, LeftOut) else self._rows(verdict, parts)

    def _rows(self, verdict: Verdict, parts: Parts) -> list[Row] | LeftOut:
        raise NotImplementedError

    def _undecided(self, outcome: Outcome) -> Undecided:
        return self._policy.ties if outcome is Outcome.TIE else self._policy.both_bad


class Dpo(Paired):
    """Preferences: `prompt`, `chosen`, `rejected`.

    Source: TRL, "Dataset formats and types", preference, standard and conversational, with
    explicit prompts.
    """

    def __init__(self, making: Making) -> None:
        super().__init__(making)
        form = self._form
        sides = {"prompt": form.prompt, "chosen": form.completion, "rejected": form.completion}
        self.specs = sides | self._beside.specs(pair=True)
        if making.policy.logprobs is not None:
            self.specs |= {CHOSEN: "float", REJECTED: "float"}

    def _rows(self, verdict: Verdict, parts: Parts) -> list[Row] | LeftOut:
        if reason := self._no_pair(verdict):
            return reason
        row = {"prompt": parts.prompt, "chosen": parts.chosen, "rejected": parts.rejected}
        return [row | self._beside.of_pair(verdict)]

    def _no_pair(self, verdict: Verdict) -> LeftOut | None:
        outcome = verdict.outcome
        if outcome is Outcome.WIN:
            return self._selector.fits(verdict)
        if self._undecided(outcome) is Undecided.SOFT:
            return None
        return LeftOut.TIE if outcome is Outcome.TIE else LeftOut.BOTH_BAD


class Reward(Dpo):
    """Preferences with `margin`, which TRL's RewardTrainer takes off the difference."""

    def __init__(self, making: Making) -> None:
        super().__init__(making)
        self.specs = {**self.specs, "margin": "float"}

    def _rows(self, verdict: Verdict, parts: Parts) -> list[Row] | LeftOut:
        rows = super()._rows(verdict, parts)
        if isinstance(rows, LeftOut):
            return rows
        lead = margin(verdict)
        return [{**row, "margin": lead} for row in rows]


class OpenAi(Dpo):
    """Preferences as OpenAI, Together, Fireworks and Azure take them: no other key is allowed.

    Source: the providers' guides to preference fine-tuning; Together's file check, which
    turns away any extra key and more than one message in an output.
    """

    def __init__(self, making: Making) -> None:
        super().__init__(making)
        self._form = AsChat()
        self.specs = {
            "input": {"messages": MESSAGES, "tools": ["string"], "parallel_tool_calls": "bool"},
            "preferred_output": MESSAGES,
            "non_preferred_output": MESSAGES,
        }

    def _rows(self, verdict: Verdict, parts: Parts) -> list[Row] | LeftOut:
        if reason := self._no_pair(verdict):
            return reason
        asked = {"messages": parts.prompt, "tools": [], "parallel_tool_calls": True}
        return [
            {
                "input": asked,
                "preferred_output": parts.chosen,
                "non_preferred_output": parts.rejected,
            }
        ]


class Kto(Paired):
    """Answers one by one, with whether they are desirable: `prompt`, `completion`, `label`.

    Source: TRL, "Dataset formats and types", unpaired preference.
    """

    def __init__(self, making: Making) -> None:
        super().__init__(making)
        self.specs = {
            "prompt": self._form.prompt,
            "completion": self._form.completion,
            "label": "bool",
            **self._beside.specs(pair=False),
        }

    def _rows(self, verdict: Verdict, parts: Parts) -> list[Row] | LeftOut:
        labels = self._labels(verdict)
        if isinstance(labels, LeftOut):
            return labels
        sides = ((parts.chosen, verdict.chosen), (parts.rejected, verdict.rejected))
        return [
            {
                "prompt": parts.prompt,
                "completion": completion,
                "label": label,
                **self._beside.of_one(verdict, candidate),
            }
            for (completion, candidate), label in zip(sides, labels, strict=True)
            if label is not None
        ]

    def _labels(self, verdict: Verdict) -> tuple[bool | None, bool | None] | LeftOut:
        """Whether each of the two is desirable; None for one that has no row."""
        if verdict.outcome is Outcome.WIN:
            reason = self._selector.fits(verdict)
            if reason is LeftOut.CUT:
                return None, False
            # What a member wrote anew may stand for the answer that the votes found better.
            return reason or (True, None if verdict.chosen.kind == EDIT else False)
        what = self._undecided(verdict.outcome)
        if what in {Undecided.LEAVE_OUT, Undecided.SOFT}:
            return LeftOut.TIE if verdict.outcome is Outcome.TIE else LeftOut.BOTH_BAD
        return what is Undecided.DESIRABLE, what is Undecided.DESIRABLE


class Sft(Paired):
    """What was chosen, alone: `prompt`, `completion`.

    Source: TRL, "Dataset formats and types", prompt-completion.
    """

    def __init__(self, making: Making) -> None:
        super().__init__(making)
        self.specs = {
            "prompt": self._form.prompt,
            "completion": self._form.completion,
            **self._beside.specs(pair=False),
        }

    def _rows(self, verdict: Verdict, parts: Parts) -> list[Row] | LeftOut:
        if verdict.outcome is not Outcome.WIN:
            return LeftOut.TIE if verdict.outcome is Outcome.TIE else LeftOut.BOTH_BAD
        if reason := self._selector.fits(verdict):
            return reason
        row = {"prompt": parts.prompt, "completion": parts.chosen}
        return [row | self._beside.of_one(verdict, verdict.chosen)]
