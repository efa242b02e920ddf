"""Votes and pairs in the columns of LMArena's human-preference sets."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from bot.dataset.formats import MESSAGES, Made, about_of
from bot.dataset.formats.forms import chat_of
from bot.moderation import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.dataset.anonymity import Anonymity
    from bot.dataset.formats import Making, Row, Spec
    from bot.dataset.funnel import LeftOut
    from storage.records import About, Cast, VotedBattle, Written

PAIRS, VOTES = "pairs", "votes"

_HEADER = re.compile(r"^#{1,6} ", re.MULTILINE)
_ORDERED = re.compile(r"^\s*\d{1,3}[.)] ", re.MULTILINE)
_UNORDERED = re.compile(r"^\s*[-*+] ", re.MULTILINE)

_STYLE: Spec = {"headers": "int", "ordered": "int", "unordered": "int", "bold": "int"}


class Arena:
    """One row a battle in `pairs`, which has the texts, and one row a vote in `votes`.

    `model_a` is the answer that the channel saw as A. Source of the columns: the cards of
    arena-human-preference-140k and chatbot_arena_conversations. Texts stand in `pairs` alone,
    by `id`, where those sets repeat them for each vote; what is counted of style is in
    `conv_metadata`.
    """

    splits = False
    every = False
    details = True
    log = False
    texts: tuple[str, ...] = ()

    def __init__(self, making: Making) -> None:
        self._selector = making.selector
        self._pseudonyms = making.pseudonyms

    @property
    def tables(self) -> Mapping[str, Mapping[str, Spec]]:
        """Both tables have a row's models and what came of it."""
        fought: dict[str, Spec] = {"model_a": "string", "model_b": "string", "winner": "string"}
        of_each: Spec = {"model_a": "string", "model_b": "string"}
        return {
            PAIRS: {
                "id": "string",
                **fought,
                "conversation_a": MESSAGES,
                "conversation_b": MESSAGES,
                "turn": "int",
                "is_code": "bool",
                "kinds": of_each,
                "fingerprints": of_each,
                "templates": of_each,
                "finish_reasons": of_each,
                "tags": {"model_a": ["string"], "model_b": ["string"]},
                "conv_metadata": {
                    "sum_assistant_a_tokens": "int",
                    "sum_assistant_b_tokens": "int",
                    "style_a": _STYLE,
                    "style_b": _STYLE,
                },
                "votes_a": "int",
                "votes_b": "int",
                "votes_tie": "int",
                "votes_both_bad": "int",
                "votes_not_blind": "int",
                "unranked": "bool",
                "timestamp": "day",
            },
            VOTES: {
                "id": "string",
                "battle": "string",
                **fought,
                "judge": "string",
                "evaluation_order": "int",
                "blind": "bool",
                "by_author": "bool",
                "swapped": "bool",
                "seconds": "float",
                "full_text": "bool",
                "guessed_base": "string",
                "reason": "string",
                "comment": "string",
                "edited": "string",
                "edit": "string",
                "timestamp": "day",
            },
        }

    def made(self, voted: VotedBattle) -> Made | LeftOut:
        """The battle's row and one for each of its votes, blind or not."""
        if reason := self._selector.unfit(voted):
            return reason
        anonymity = self._selector.anonymity(voted)
        battle = self._pseudonyms.of("battle", voted.id)
        sides = dict(zip((answer.id for answer in voted.answers), _SIDES, strict=True))
        said = {remark.voter_id: remark for remark in voted.remarks}
        ordered = sorted(voted.votes, key=lambda vote: about_of(vote).id)
        winners = [sides.get(vote.winner_answer_id or 0, vote.outcome) for vote in ordered]
        fought = [answer.contender for answer in voted.answers]
        rows = [(PAIRS, self._pair(voted, battle, ordered, winners, anonymity))]
        for place, (vote, winner) in enumerate(zip(ordered, winners, strict=True), start=1):
            about = about_of(vote)
            row = {
                "id": self._pseudonyms.of("vote", about.id),
                "battle": battle,
                "model_a": fought[0],
                "model_b": fought[1],
                "winner": winner,
                "judge": self._pseudonyms.of_member(vote.voter_id),
                "evaluation_order": place,
                **_measured(vote, about, sides),
                **_remarked(said.get(vote.voter_id), sides, anonymity),
                "timestamp": about.day,
            }
            rows.append((VOTES, row))
        return Made(rows, [])

    def _pair(
        self,
        voted: VotedBattle,
        battle: str,
        votes: Sequence[Cast],
        winners: Sequence[str],
        anonymity: Anonymity,
    ) -> Row:
        a, b = voted.answers
        fell = Counter(winner for vote, winner in zip(votes, winners, strict=True) if vote.blind)
        leading = fell.most_common(2)
        tied = len(leading) > 1 and leading[0][1] == leading[1][1]
        asked = chat_of(voted.conversation, anonymity)
        text_a, text_b = (anonymity.of(plain(answer) or "") for answer in (a, b))
        return {
            "id": battle,
            "model_a": a.contender,
            "model_b": b.contender,
            "winner": None if tied or not leading else leading[0][0],
            "conversation_a": [*asked, {"role": "assistant", "content": text_a}],
            "conversation_b": [*asked, {"role": "assistant", "content": text_b}],
            "turn": sum(message["role"] == "user" for message in asked),
            "is_code": "```" in text_a or "```" in text_b or "```" in asked[-1]["content"],
            "kinds": _each(a.kind.value, b.kind.value),
            "fingerprints": _each(a.fingerprint, b.fingerprint),
            "templates": _each(a.template, b.template),
            "finish_reasons": _each(a.finish_reason.value, b.finish_reason.value),
            "tags": _each(a.tags, b.tags),
            "conv_metadata": {
                "sum_assistant_a_tokens": a.completion_tokens,
                "sum_assistant_b_tokens": b.completion_tokens,
                "style_a": _style(text_a),
                "style_b": _style(text_b),
            },
            "votes_a": fell["model_a"],
            "votes_b": fell["model_b"],
            "votes_tie": fell["tie"],
            "votes_both_bad": fell["both_bad"],
            "votes_not_blind": len(votes) - fell.total(),
            "unranked": voted.unranked,
            "timestamp": voted.day,
        }


_SIDES = ("model_a", "model_b")


def _measured(vote: Cast, about: About, sides: Mapping[int, str]) -> Row:
    guessed = sides.get(about.guessed_base_answer_id or 0, "not_sure")
    return {
        "blind": bool(vote.blind),
        "by_author": bool(vote.by_author),
        "swapped": bool(about.swapped),
        "seconds": None if about.seconds is None else round(about.seconds, 1),
        "full_text": bool(about.full_text),
        "guessed_base": guessed if about.guessed else None,
    }


def _remarked(remark: Written | None, sides: Mapping[int, str], anonymity: Anonymity) -> Row:
    if remark is None:
        return _NO_REMARK
    return {
        "reason": remark.reason and remark.reason.value,
        "comment": remark.comment and anonymity.of(remark.comment),
        "edited": sides.get(remark.edited_answer_id or 0),
        "edit": remark.edit and anonymity.of(remark.edit),
    }


_NO_REMARK: Row = dict.fromkeys(("reason", "comment", "edited", "edit"))


def _each(a: object, b: object) -> Row:
    return {"model_a": a, "model_b": b}


def _style(text: str) -> Row:
    """What LMArena's style control counts in an answer."""
    if "\n" not in text and "*" not in text and "#" not in text:
        return {"headers": 0, "ordered": 0, "unordered": 0, "bold": 0}
    return {
        "headers": len(_HEADER.findall(text)),
        "ordered": len(_ORDERED.findall(text)),
        "unordered": len(_UNORDERED.findall(text)),
        "bold": (text.count("**") + text.count("__")) // 2,
    }
