"""Small records for tests, with sensible values for what does not matter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from storage.records import (
    About,
    Answer,
    Battle,
    BattleState,
    Cast,
    Conversation,
    FinishReason,
    Kind,
    Outcome,
    Purpose,
    Side,
    Turn,
    Vote,
    VotedAnswer,
    VotedBattle,
)

if TYPE_CHECKING:
    from storage.records import Said

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = "2026-11-01"
BOT_ID = 99


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def said(text: str, *, by: int = 1, name: str = "alice") -> Turn:
    return Turn(author_id=by, name=name, text=text)


def bot_said(text: str, *, message: int | None = None) -> Turn:
    return Turn(author_id=BOT_ID, name="Twofold", text=text, is_bot=True, message_id=message)


def talk(*turns: Turn) -> Conversation:
    return Conversation(turns=turns, bot_name="Twofold")


def answer(side: Side, *, id: int, shown: str = "", kind: Kind = Kind.BASE) -> Answer:
    text = shown or f"answer {id}"
    return Answer(
        side=side,
        contender=f"{kind}-{id}",
        kind=kind,
        fingerprint=f"print-{id}",
        template="transcript",
        rendered="prompt",
        raw=f" {text}",
        shown=text,
        finish_reason=FinishReason.STOP,
        id=id,
    )


def battle(
    *,
    id: int = 1,
    swapped: bool = False,
    texts: tuple[str, str] = ("", ""),
    state: BattleState = BattleState.OPEN,
    purpose: Purpose = Purpose.LIVE,
    conversation: Conversation | None = None,
) -> Battle:
    """Answer 1 is the base model's, answer 2 the instruct model's, on either side."""
    first, second = (Side.B, Side.A) if swapped else (Side.A, Side.B)
    answers = (
        answer(first, id=1, shown=texts[0], kind=Kind.BASE),
        answer(second, id=2, shown=texts[1], kind=Kind.INSTRUCT),
    )
    return Battle(
        id=id,
        source_message_id=1000 + id,
        guild_id=5,
        channel_id=6,
        author_id=1,
        conversation=conversation or talk(said("hello")),
        state=state,
        purpose=purpose,
        created_at=NOON,
        answers=tuple(sorted(answers, key=lambda a: a.side)),
    )


def vote(voter: int, outcome: Outcome, winner: int | None = None, *, blind: bool = True) -> Vote:
    return Vote(
        battle_id=1,
        voter_id=voter,
        outcome=outcome,
        winner_answer_id=winner,
        blind=blind,
        by_author=False,
        created_at=NOON,
        updated_at=NOON,
    )


def voted(of: Battle, *outcomes: Outcome | int, **changes: Any) -> VotedBattle:
    """A battle as exports read it, voted on by 1, 2 and so on, of whom nobody said anything.

    An integer is a win of the answer with that id.
    """
    a, b = (_read(answer) for answer in of.answers)
    votes = [_cast(number, outcome) for number, outcome in enumerate(outcomes, start=1)]
    battle = VotedBattle(
        id=of.id,
        guild_id=of.guild_id,
        state=of.state,
        purpose=of.purpose,
        day=DAY,
        conversation=of.conversation,
        answers=(a, b),
        votes=tuple(votes),
        bucket=0,
        said=Words(),
    )
    return battle._replace(**changes)


def _cast(number: int, outcome: Outcome | int) -> Cast:
    about = About(number, DAY, 60.0, False, 0, False, False, None)
    winner = outcome if isinstance(outcome, int) else None
    said = Outcome.WIN if winner else outcome
    return Cast(number, str(said), winner, blind=True, by_author=False, about=about)


class Words(dict[int, "Said"]):
    """What members said, by id; the others said nothing."""

    def __missing__(self, member: int) -> Said:
        return None, None


def _read(answer: Answer) -> VotedAnswer:
    fields = {name: getattr(answer, name) for name in VotedAnswer._fields}
    return VotedAnswer(**fields)
