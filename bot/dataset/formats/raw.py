"""Every battle, answer, vote and event of those who agreed, under keyed hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.dataset.formats import Made, about_of
from bot.moderation import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.dataset.anonymity import Anonymity
    from bot.dataset.formats import Making, Row, Spec
    from bot.dataset.funnel import LeftOut
    from storage.records import VotedBattle

BATTLES, ANSWERS, VOTES, EVENTS = "battles", "answers", "votes", "events"

_TURNS: Spec = [{"speaker": "string", "is_bot": "bool", "text": "string"}]


class Raw:
    """Four tables that are joined by `battle` and `answer`; votes name their winning answer."""

    splits = False
    every = True
    details = True
    log = True
    texts: tuple[str, ...] = ("rendered", "raw")

    def __init__(self, making: Making) -> None:
        self._selector = making.selector
        self._of = making.pseudonyms.of
        self._member = making.pseudonyms.of_member

    @property
    def tables(self) -> Mapping[str, Mapping[str, Spec]]:
        """The columns as the database has them, times by the day."""
        return {
            BATTLES: {
                "battle": "string",
                "guild": "string",
                "state": "string",
                "purpose": "string",
                "parent": "string",
                "mirror_of": "string",
                "bot": "string",
                "turns": _TURNS,
                "day": "day",
            },
            ANSWERS: {
                "answer": "string",
                "battle": "string",
                "side": "string",
                "contender": "string",
                "kind": "string",
                "fingerprint": "string",
                "template": "string",
                "rendered": "string",
                "raw": "string",
                "shown": "string",
                "finish_reason": "string",
                "tags": ["string"],
                "prompt_tokens": "int",
                "completion_tokens": "int",
                "seconds_to_first_token": "float",
                "seconds": "float",
                "seed": "int",
                "retries": "int",
            },
            VOTES: {
                "vote": "string",
                "battle": "string",
                "voter": "string",
                "outcome": "string",
                "winner": "string",
                "blind": "bool",
                "by_author": "bool",
                "seconds": "float",
                "full_text": "bool",
                "votes_before": "int",
                "swapped": "bool",
                "guessed": "bool",
                "guessed_base": "string",
                "reason": "string",
                "comment": "string",
                "edited": "string",
                "edit": "string",
                "day": "day",
            },
            EVENTS: {
                "event": "string",
                "battle": "string",
                "voter": "string",
                "what": "string",
                "outcome": "string",
                "winner": "string",
                "blind": "bool",
                "day": "day",
            },
        }

    def made(self, voted: VotedBattle) -> Made | LeftOut:
        """The rows of a battle in all four tables."""
        if reason := self._selector.unfit(voted):
            return reason
        anonymity = self._selector.anonymity(voted)
        battle = self._of("battle", voted.id)
        rows = [(BATTLES, self._battle(voted, battle, anonymity))]
        rows += [(ANSWERS, row) for row in self._answers(voted, battle, anonymity)]
        rows += [(VOTES, row) for row in self._votes(voted, battle, anonymity)]
        rows += [(EVENTS, row) for row in self._events(voted, battle)]
        return Made(rows, [])

    def _battle(self, voted: VotedBattle, battle: str, anonymity: Anonymity) -> Row:
        talk = anonymity.conversation(voted.conversation)
        return {
            "battle": battle,
            "guild": None if voted.guild_id is None else self._of("guild", voted.guild_id),
            "state": voted.state.value,
            "purpose": voted.purpose.value,
            "parent": voted.parent_id and self._of("battle", voted.parent_id),
            "mirror_of": voted.mirror_of_id and self._of("battle", voted.mirror_of_id),
            "bot": talk.bot_name,
            "turns": [
                {"speaker": turn.name, "is_bot": turn.is_bot, "text": turn.text}
                for turn in talk.turns
            ],
            "day": voted.day,
        }

    def _answers(self, voted: VotedBattle, battle: str, anonymity: Anonymity) -> Iterator[Row]:
        for answer in voted.answers:
            yield {
                "answer": self._of("answer", answer.id),
                "battle": battle,
                "side": answer.side.value,
                "contender": answer.contender,
                "kind": answer.kind.value,
                "fingerprint": answer.fingerprint,
                "template": answer.template,
                "rendered": anonymity.of(answer.rendered),
                "raw": anonymity.of(answer.raw),
                "shown": anonymity.of(plain(answer) or ""),
                "finish_reason": answer.finish_reason.value,
                "tags": answer.tags,
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
                "seconds_to_first_token": answer.seconds_to_first_token,
                "seconds": answer.seconds,
                "seed": answer.seed,
                "retries": answer.retries,
            }

    def _votes(self, voted: VotedBattle, battle: str, anonymity: Anonymity) -> Iterator[Row]:
        said = {remark.voter_id: remark for remark in voted.remarks}
        for vote in sorted(voted.votes, key=lambda vote: about_of(vote).id):
            about, remark = about_of(vote), said.get(vote.voter_id)
            yield {
                "vote": self._of("vote", about.id),
                "battle": battle,
                "voter": self._member(vote.voter_id),
                "outcome": vote.outcome,
                "winner": self._answer(vote.winner_answer_id),
                "blind": bool(vote.blind),
                "by_author": bool(vote.by_author),
                "seconds": about.seconds,
                "full_text": bool(about.full_text),
                "votes_before": about.votes_before,
                "swapped": bool(about.swapped),
                "guessed": bool(about.guessed),
                "guessed_base": self._answer(about.guessed_base_answer_id),
                "reason": remark and remark.reason and remark.reason.value,
                "comment": remark and remark.comment and anonymity.of(remark.comment),
                "edited": self._answer(remark.edited_answer_id if remark else None),
                "edit": remark and remark.edit and anonymity.of(remark.edit),
                "day": about.day,
            }

    def _events(self, voted: VotedBattle, battle: str) -> Iterator[Row]:
        for event in sorted(voted.events):
            yield {
                "event": self._of("event", event.id),
                "battle": battle,
                "voter": self._member(event.voter_id),
                "what": event.event.value,
                "outcome": event.outcome and event.outcome.value,
                "winner": self._answer(event.winner_answer_id),
                "blind": bool(event.blind),
                "day": event.day,
            }

    def _answer(self, answer_id: int | None) -> str | None:
        return None if answer_id is None else self._of("answer", answer_id)
