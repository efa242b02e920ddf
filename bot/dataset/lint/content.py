"""Checks that look at one row alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.answers import normalised
from bot.dataset.lint import rules
from bot.dataset.lint.leaks import ID, NAME, SECRET, Names, leaks
from bot.dataset.lint.report import Hit
from bot.dataset.lint.shapes import OPENAI, content, strings
from bot.leaks import REMOVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.dataset.lint.shapes import Part, Row

_ROLES = {"system", "developer", "user", "assistant", "tool"}
_HEADS = {"system", "developer"}
_HASH = re.compile(r"[0-9a-f]{16}|(?=.*[a-f])[0-9a-f]{32,}")
_SPECIAL = REMOVED["control"]


def columns(row: Row) -> Iterator[Hit]:
    """Needed columns that the row lacks, and ones that it must not have."""
    if missing := [name for name in row.shape.needs if name not in row.values]:
        yield Hit(rule=rules.COLUMNS, row=row, text=f"Missing: {', '.join(missing)}.")
    if row.shape.strict and (extra := sorted(row.values.keys() - row.shape.kinds().keys())):
        named = ", ".join(extra)[:80]
        yield Hit(rule=rules.COLUMNS, row=row, text=f"{row.shape.name} takes no {named}.")


def types(row: Row) -> Iterator[Hit]:
    """Values that are not what their column holds."""
    for column, fault in row.faults:
        yield Hit(rule=rules.TYPES, row=row, text=f"{column}: {fault}.")


def empty(row: Row) -> Iterator[Hit]:
    """Parts and messages that say nothing. A prompt without any message is one of them."""
    for part in row.parts[: 1 if row.shape.judged else None]:
        silent = not part.text.strip()
        if not silent and part.messages:
            silent = any(not (content(m).strip() or _calls(m)) for m in part.messages)
        if silent and not (part.messages and all(map(_calls, part.messages))):
            yield Hit(rule=rules.EMPTY, row=row, text=f"{part.column} is empty.")


def equal_sides(row: Row) -> Iterator[Hit]:
    """Two sides that say the same."""
    if row.complete and len(row.sides) > 1 and not row.shape.judged:
        texts = {normalised(side.text) for side in row.sides}
        if len(texts) == 1 and texts != {""}:
            yield Hit(
                rule=rules.EQUAL,
                row=row,
                text=f"{' and '.join(side.column for side in row.sides)} say the same.",
                excerpt=row.sides[0].text,
            )


def roles(row: Row) -> Iterator[Hit]:
    """Chats whose roles are not those of a prompt and of answers to it."""
    for part, fault in _role_faults(row):
        yield Hit(rule=rules.ROLES, row=row, text=f"{part.column} {fault}.", excerpt=part.text)


def _role_faults(row: Row) -> Iterator[tuple[Part, str]]:
    if row.prompt and row.prompt.messages and (fault := _turns(row.prompt)):
        yield row.prompt, fault
    for side in row.sides:
        written = [message["role"] for message in side.messages or ()]
        if side.messages is None or not written:
            continue
        if row.shape is OPENAI and len(written) != 1:
            yield side, f"has {len(written)} messages and not one"
        elif "assistant" not in written or not set(written) <= {"assistant", "tool"}:
            others = ", ".join(dict.fromkeys(role[:20] for role in written if role != "assistant"))
            yield side, f"is by {others} and not by the assistant"


def _turns(prompt: Part) -> str:
    """What is wrong with the order of a prompt's roles, or nothing."""
    said = [message["role"] for message in prompt.messages or ()]
    if unknown := [role for role in said if role not in _ROLES]:
        return f"has the unknown role {unknown[0][:20]!r}"
    turns = said[1:] if said[0] in _HEADS else said
    if any(role in _HEADS for role in turns):
        return "has a system message that is not the first one"
    if not turns or turns[0] != "user":
        return "does not begin with user"
    if turns[-1] not in {"user", "tool"}:
        return f"ends with {turns[-1]} and not with user"
    if "tool" not in turns and any(map(str.__eq__, turns, turns[1:])):
        return "has two messages of one role in a row"
    return ""


def seams(row: Row) -> Iterator[Hit]:
    """Where a text prompt and its completions do not meet as a model would write them."""
    prompt = row.prompt
    if prompt is None or prompt.messages is not None or not prompt.text:
        return
    if prompt.text[-1].isspace():
        yield Hit(
            rule=rules.PROMPT_END,
            row=row,
            text=f"{prompt.column} ends in {prompt.text[-1]!r}.",
            excerpt=prompt.text[-40:],
        )
        return
    for side in row.sides:
        if side.text and side.messages is None and not side.text[0].isspace():
            yield Hit(
                rule=rules.COMPLETION_START,
                row=row,
                text=f"{side.column} begins with {side.text[0]!r}.",
                excerpt=side.text,
            )


def special_tokens(row: Row) -> Iterator[Hit]:
    """Tokens that only a trainer or a chat template should write."""
    for part in row.parts:
        if ("<" in part.text or "[" in part.text) and (found := _SPECIAL.search(part.text)):
            yield Hit(
                rule=rules.SPECIAL,
                row=row,
                text=f"{part.column} has {found[0]}.",
                excerpt=part.text[max(0, found.start() - 20) :],
            )


def leaked(row: Row, names: Names) -> Iterator[Hit]:
    """What tells who somebody is, anywhere in the row. It is named and not shown."""
    of = {ID: rules.IDS, NAME: rules.NAMES, SECRET: rules.SECRETS}
    for column, text in strings(row.values):
        if _HASH.fullmatch(text):
            continue
        for kind, start, end in leaks(text, names):
            what = f"{kind} of {end - start} characters at {start}"
            yield Hit(rule=of.get(kind, rules.PERSONAL), row=row, text=f"{column[:40]}: {what}.")


def _calls(message: dict[str, object]) -> bool:
    """Whether a message is a call of a tool, which may have no text, or its parts no text."""
    return bool(message.get("tool_calls")) or isinstance(message.get("content"), list)


ROW_CHECKS: tuple[Callable[[Row], Iterator[Hit]], ...] = (
    *(columns, types, empty, equal_sides, roles, seams, special_tokens),
)
