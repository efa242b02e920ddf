"""The formats, told by their columns, and a row as its format reads it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.dataset.lint.files import DataFile

_SHORTEST_ID = 10**16
"""Discord's ids have 17 digits at least."""


class ColumnType(StrEnum):
    """What a column holds, in the words of a finding."""

    TEXT = "a text"
    MESSAGES = "a list of messages"
    EITHER = "a text or a list of messages"
    BOOL = "true or false"
    NUMBER = "a number"
    OBJECT = "an object with `messages`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A format: its columns, and which of them hold the prompt and the sides.

    `whole` means that a side holds the conversation with the prompt in it; `strict` that
    no other column may be there; `judged` that rows tell what was said and voted, so that
    sides may be empty or the same.
    """

    name: str
    needs: Mapping[str, ColumnType]
    may: Mapping[str, ColumnType]
    prompt: str = ""
    sides: tuple[str, ...] = ()
    whole: bool = False
    strict: bool = False
    judged: bool = False

    def kinds(self) -> dict[str, ColumnType]:
        """The kind of each column that the format knows."""
        return {**self.needs, **self.may}


def _shape(name: str, needs: dict[str, ColumnType], **more: Any) -> Shape:  # noqa: ANN401
    return Shape(name=name, needs=needs, **({"may": {}} | more))


_T, _M, _E = ColumnType.TEXT, ColumnType.MESSAGES, ColumnType.EITHER
_MODELS = {"model_a": _T, "model_b": _T}
OPENAI = _shape(
    "openai",
    {"input": ColumnType.OBJECT, "preferred_output": _M, "non_preferred_output": _M},
    prompt="input",
    sides=("preferred_output", "non_preferred_output"),
    strict=True,
)
PAIRS = _shape(
    "arena pairs",
    {**_MODELS, "conversation_a": _M, "conversation_b": _M},
    may={"winner": _T},  # nobody, where votes are even
    sides=("conversation_a", "conversation_b"),
    whole=True,
    judged=True,
)
VOTES = _shape("arena votes", {**_MODELS, "winner": _T})
PREFERENCE = _shape(
    "preference",
    {"prompt": _E, "chosen": _E, "rejected": _E},
    may={"margin": ColumnType.NUMBER},
    prompt="prompt",
    sides=("chosen", "rejected"),
)
IMPLICIT = _shape(
    "preference without prompt",
    {"chosen": _E, "rejected": _E},
    may={"margin": ColumnType.NUMBER},
    sides=("chosen", "rejected"),
    whole=True,
)
KTO = _shape(
    "kto",
    {"prompt": _E, "completion": _E, "label": ColumnType.BOOL},
    prompt="prompt",
    sides=("completion",),
)
SFT = _shape("sft", {"prompt": _E, "completion": _E}, prompt="prompt", sides=("completion",))
MESSAGES = _shape("sft messages", {"messages": _M}, sides=("messages",), whole=True)
TEXT = _shape("sft text", {"text": _T}, sides=("text",))
RAW = _shape("raw", {})
UNKNOWN = _shape("unknown", {})

SHAPES = (OPENAI, PAIRS, VOTES, PREFERENCE, IMPLICIT, KTO, SFT, MESSAGES, TEXT)


def recognised(columns: set[str], *, raw: bool = False) -> Shape:
    """The format that has these columns; `raw` where the manifest says so."""
    if raw:
        return RAW
    return next((shape for shape in SHAPES if shape.needs.keys() <= columns), UNKNOWN)


@dataclass(frozen=True, slots=True)
class Part:
    """A prompt or a side: its column, its messages if it is a chat, and all that it says."""

    column: str
    text: str
    messages: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row as its format reads it. Parts of a wrong type are not there; `faults` says why."""

    file: DataFile
    number: int
    values: dict[str, Any]
    shape: Shape
    faults: tuple[tuple[str, str], ...]
    prompt: Part | None
    sides: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The prompt, where there is one, and the sides."""
        return (self.prompt, *self.sides) if self.prompt else self.sides

    @property
    def complete(self) -> bool:
        """Whether every part is there that the format has."""
        return not self.faults and len(self.sides) == len(self.shape.sides)


def row(file: DataFile, number: int, values: dict[str, Any], shape: Shape) -> Row:
    """Read a row in a format."""
    faults = tuple(_faults(values, shape))
    wrong = {column for column, _ in faults}
    readable = {name: value for name, value in values.items() if name not in wrong}
    prompt = _part(shape.prompt, readable)
    sides = tuple(part for name in shape.sides if (part := _part(name, readable)))
    if shape.whole and sides and all(side.messages for side in sides):
        prompt, sides = _parted(sides)
    return Row(file, number, values, shape, faults, prompt, sides)


def strings(value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Every text in a row with its column, and numbers as long as an id. However deep it is."""
    for column, inside in value.items():
        pending = [inside]
        while pending:
            one = pending.pop()
            if isinstance(one, str):
                yield column, one
            elif isinstance(one, dict):
                pending.extend(one.values())
            elif isinstance(one, list | tuple):
                pending.extend(one)
            elif isinstance(one, int) and one > _SHORTEST_ID:
                yield column, str(one)


def _faults(values: dict[str, Any], shape: Shape) -> Iterator[tuple[str, str]]:
    for column, kind in shape.kinds().items():
        optional = column in shape.may and values.get(column) is None
        if column in values and not optional and (fault := _fault(values[column], kind)):
            yield column, fault
    forms = {type(values[name]) for name in (shape.prompt, *shape.sides) if name in values}
    if forms == {str, list}:
        yield shape.prompt or shape.sides[0], "some are texts, some are chats: use one form"


def _fault(value: Any, kind: ColumnType) -> str:  # noqa: ANN401 - JSON
    """What is wrong with a value, or nothing."""
    if kind is ColumnType.OBJECT:
        value = value.get("messages") if isinstance(value, dict) else None
        return _fault(value, ColumnType.MESSAGES) and f"not {kind}"
    if kind is ColumnType.EITHER:
        kind = ColumnType.MESSAGES if isinstance(value, list) else ColumnType.TEXT
        return _fault(value, kind) and f"not {ColumnType.EITHER}"
    fits = {
        ColumnType.TEXT: isinstance(value, str),
        ColumnType.MESSAGES: isinstance(value, list) and all(map(_is_message, value)),
        ColumnType.BOOL: isinstance(value, bool),
        ColumnType.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
    }
    return "" if fits[kind] else f"not {kind}"


def _is_message(value: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        return False
    content = value.get("content")
    if isinstance(content, list):
        return all(isinstance(part, dict) for part in content)
    return isinstance(content, str) or (content is None and "content" in value)


def _part(column: str, values: dict[str, Any]) -> Part | None:
    value = values.get(column) if column else None  # a format without a prompt names none
    if column == OPENAI.prompt and isinstance(value, dict):
        value = value["messages"]
    if isinstance(value, str):
        return Part(column, value)
    return _chat(column, value) if isinstance(value, list) else None


def _chat(column: str, messages: list[dict[str, Any]] | tuple[dict[str, Any], ...]) -> Part:
    return Part(column, "\n".join(map(content, messages)), tuple(messages))


def content(message: dict[str, Any]) -> str:
    """What a message says; of a list of parts their texts."""
    said = message.get("content")
    if isinstance(said, list):
        texts = (part.get("text") for part in said)
        return "\n".join(text for text in texts if isinstance(text, str))
    return said or ""


def _parted(sides: tuple[Part, ...]) -> tuple[Part, tuple[Part, ...]]:
    """The prompt that whole conversations have in common: all but the last message of the first."""
    before = (sides[0].messages or ())[:-1]
    ends = tuple(_chat(side.column, (side.messages or ())[-1:]) for side in sides)
    return _chat(f"the prompt in {sides[0].column}", before), ends
