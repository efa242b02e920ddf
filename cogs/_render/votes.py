"""What a voter gets to see alone: one message that changes with every press."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import ui

from bot.answers import TRUNCATED
from bot.wording import KIND_NAMES
from cogs import _views
from cogs._render.layout import layout, message, row
from storage.records import BattleState, Choice, Kind, Outcome, Reason, Side

if TYPE_CHECKING:
    from bot.voting import Cast, OwnView, VoteChanged
    from cogs._views import BattleButton
    from storage.records import Answer, Battle, Vote

CHOSEN = {
    Choice.A: "You chose **A**.",
    Choice.B: "You chose **B**.",
    Choice.TIE: "You called it a **tie**.",
    Choice.BOTH_BAD: "You found **both bad**.",
}
REASONS = {
    Outcome.WIN: {
        Reason.CORRECT: "More correct",
        Reason.HELPFUL: "More helpful",
        Reason.FUNNY: "Funnier",
        Reason.SHORT: "Shorter",
        Reason.SAFE: "Safer",
    },
    Outcome.TIE: {
        Reason.CORRECT: "Equally correct",
        Reason.HELPFUL: "Equally helpful",
        Reason.FUNNY: "Equally funny",
        Reason.SHORT: "Equally short",
        Reason.SAFE: "Equally safe",
    },
    Outcome.BOTH_BAD: {
        Reason.CORRECT: "Not correct",
        Reason.HELPFUL: "Not helpful",
        Reason.FUNNY: "Not funny",
        Reason.SHORT: "Too long",
        Reason.SAFE: "Not safe",
    },
}
IN_OWN_WORDS = "In my words…"
STRANGE_BUTTON = "This button is from another version of me and does nothing any more."
STRANGE_FORM = "This form is from another version of me."
CLOSED = "This battle is closed and takes no votes any more."
GUESSED_LATE = "It closed before you guessed, so the guess does not count."
HIDDEN_ANSWER = "This answer is hidden here, so there is nothing to write better."
STORED = "Your vote is stored. Press another button under the answers to change it."
STAYS = "The battle is over, so your vote stays as it is."
WIPED = "Its texts are not kept any more, and its votes stay as they are."


def after_press(cast: Cast) -> ui.LayoutView:
    """What was stored, then the question, or the reveal where the voter was told already."""
    if not cast.changed:
        return page(cast.own)
    return page(
        cast.own,
        note="Your earlier vote is replaced" + (", its reason too." if cast.unsaid else "."),
    )


def page(own: OwnView, *, note: str = "") -> ui.LayoutView:
    """The question which side is the base model's, or the reveal."""
    return _reveal(own, note) if own.told else _question(own, note)


def stale(changed: VoteChanged) -> ui.LayoutView:
    """The current page, in the place of one that was made for another choice."""
    return layout(ui.TextDisplay(changed.user_message), *page(changed.own).children)


def guessed(own: OwnView) -> ui.LayoutView:
    """The reveal after a press on the question, which may have come too late for it."""
    closed = own.battle.state is BattleState.CLOSED
    late = closed and own.vote is not None and own.vote.guessed_at is None
    return page(own, note=GUESSED_LATE if late else "")


def closed(own: OwnView) -> ui.LayoutView:
    """For a press that came too late: who was who, which everybody may know by now."""
    return _reveal(own, CLOSED)


def reasons(own: OwnView) -> ui.LayoutView:
    """Why? Whoever has said so already sees it, and may change it."""
    if own.vote is None:
        return page(own)
    labels = REASONS[own.vote.outcome]
    chosen = own.remark.reason if own.remark else None
    lines = [why(own), *_added(own), _small("One tap will do.", own.battle)]
    *buttons, in_own_words = (
        _views.reason(own, what, label, chosen=chosen is what)
        for what, label in (*labels.items(), (Reason.OTHER, IN_OWN_WORDS))
    )
    last = row(in_own_words, _views.look(own))
    return layout(ui.TextDisplay("\n".join(lines)), row(*buttons), last)


def why(own: OwnView) -> str:
    """The question that the reasons answer, as plain text."""
    match own.choice:
        case Choice.TIE:
            return "What made it a tie?"
        case Choice.BOTH_BAD:
            return "What was bad about both?"
        case side:
            return f"What was better about {side.upper() if side else 'it'}?"


def undone(own: OwnView) -> ui.LayoutView:
    """The vote is gone; the way to another one."""
    told = "You know which is which now, so it will not count as blind." if own.told else ""
    return message(
        "Your vote is taken back, with all that you added to it. "
        f"To vote again, press a button under the answers.\n{_small(told, own.battle)}"
    )


def _question(own: OwnView, note: str) -> ui.LayoutView:
    ask = "Which one is the base model, the one that only continues text?"
    said = " ".join(filter(None, (_chosen(own), note, ask)))
    guesses = (_views.guess(own, side) for side in (*Side, None))
    return layout(ui.TextDisplay(f"{said}\n{_small(_lasting(own), own.battle)}"), row(*guesses))


def _reveal(own: OwnView, note: str) -> ui.LayoutView:
    battle, vote = own.battle, own.vote
    lines = [" ".join(filter(None, (_chosen(own), note))), *_who(battle)]
    if vote is not None:
        lines += [*_guess(own, vote), *_added(own)]
    lines.append(_small(_lasting(own), battle))
    rows = []
    if vote is not None and battle.wiped_because is None:
        undo = [_views.undo(own)] if battle.state is BattleState.OPEN else []
        rows.append(row(_views.why(own), *_fixes(own, vote), *undo))
    if battle.wiped_because is None and any(TRUNCATED in a.tags for a in battle.answers):
        rows.append(row(*(_views.read(battle.id, s, swapped=own.swapped) for s in Side)))
    return layout(ui.TextDisplay("\n".join(filter(None, lines))), *rows)


def _lasting(own: OwnView) -> str:
    """Whether the vote can still be changed."""
    if own.battle.wiped_because is not None:
        return WIPED
    if own.vote is None:
        return ""
    return STORED if own.battle.state is BattleState.OPEN else STAYS


def _chosen(own: OwnView) -> str:
    return CHOSEN[own.choice] if own.choice else ""


def _who(battle: Battle) -> list[str]:
    """A line for each side, or one for both where the same model stood on both."""
    first, second = (battle.answer(side) for side in Side)
    if (first.contender, first.template) == (second.contender, second.template):
        return [
            f"**A** and **B** were both the {_model(first)}",
            "Now and then the same model answers twice, as a check.",
        ]
    return [f"**{a.side.upper()}** was the {_model(a)}" for a in (first, second)]


def _model(answer: Answer) -> str:
    escape = discord.utils.escape_markdown
    name = escape(answer.contender)
    if answer.parent is not None:
        name = f"{name}, tuned from {escape(answer.parent)}"
    template = f", prompted as {answer.template}" if answer.kind is not Kind.INSTRUCT else ""
    return f"{KIND_NAMES[answer.kind]}: {name}{template}"


def _guess(own: OwnView, vote: Vote) -> list[str]:
    if vote.guessed_at is None:
        return []
    if own.base is None:
        return ["There was no one base model to find, so this guess does not count."]
    if vote.guessed_base_answer_id is None:
        said = "You were not sure."
    else:
        guessed = next(a for a in own.battle.answers if a.id == vote.guessed_base_answer_id)
        right = guessed.id == own.base.id
        said = f"You guessed **{guessed.side.upper()}**: {'right' if right else 'wrong'}."
    return [f"{said} So far, {own.right} of {own.guesses} right." if own.guesses else said]


def _added(own: OwnView) -> list[str]:
    """What the voter said beside the vote, in small print."""
    remark = own.remark
    if remark is None or own.vote is None:
        return []
    said, lines = [], []
    if remark.reason not in {None, Reason.OTHER}:
        said.append(REASONS[own.vote.outcome][remark.reason].lower())
    if remark.comment:
        words = " ".join(remark.comment.split())
        said.append(f"“{discord.utils.escape_markdown(words)}”")
    if said:
        lines.append(f"-# Why: {', '.join(said)}")
    if remark.edited_answer_id is not None:
        fixed = next(a for a in own.battle.answers if a.id == remark.edited_answer_id)
        lines.append(f"-# Your text for **{fixed.side.upper()}** is stored.")
    return lines


def _fixes(own: OwnView, vote: Vote) -> list[BattleButton]:
    """The answer that won is the one to make better; without a winner it is either."""
    fixable = [a for a in own.battle.answers if vote.winner_answer_id in {None, a.id}]
    return [
        _views.fix(own, a.side, "Fix it" if len(fixable) == 1 else f"Fix {a.side.upper()}")
        for a in fixable
    ]


def _small(text: str, battle: Battle) -> str:
    return f"-# {text} · #{battle.id}" if text else f"-# #{battle.id}"
