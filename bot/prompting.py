"""Prompt templates: how a conversation becomes the text that a base model continues.

A template is a `render` and `parse` pair and holds no state. Base models get raw
text and never a chat template; instruct models get the same frozen conversation
as a chat through `chat`, which their own chat template then renders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from bot.engines import ChatMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.engines import Prompt
    from storage.records import Conversation, Turn

GENERIC_SPEAKERS = ("User", "Human", "Assistant", "Bot", "AI", "System")
"""Turn headers that base models invent because their training data is full of them."""

MAX_LABEL = 32

TURN = re.compile(rf"\n(?=[^\W_][^:\n]{{0,{MAX_LABEL - 1}}}:(?:\s|$))")
"""The line break before a turn: a name that is not too long, a colon, a space."""

INDENT = "  "


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the model is given, and the texts at which somebody else's turn begins."""

    prompt: Prompt
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """An answer's own text, and whether somebody else's turn was cut off behind it."""

    text: str
    ran_on: bool = False


class PromptTemplate(Protocol):
    """A way to give a conversation to a model."""

    name: str
    help: str

    def render(self, conversation: Conversation) -> Rendering:
        """The prompt for `conversation`, ending where the answer begins."""

    def parse(self, completion: str) -> Parsed:
        """The answer's own text in a completion that was cut at a stop."""


class Raw:
    """The member's message verbatim, nothing added."""

    name = "raw"
    help = "Your message as it is, nothing added: the model simply goes on writing."

    def render(self, conversation: Conversation) -> Rendering:
        """The prompt's text, byte for byte; nothing stops it but its length."""
        return Rendering(conversation.prompt.text)

    def parse(self, completion: str) -> Parsed:
        """The completion as it is."""
        return Parsed(completion)


class Transcript:
    """The conversation as a chat log that ends at the bot's turn."""

    name = "transcript"
    help = "The conversation as a chat log; the model writes the next line of it."

    def render(self, conversation: Conversation) -> Rendering:
        """`name: text` lines, then the bot's name and a colon.

        A text's further lines are indented, so that no message can imitate a turn
        of somebody else. The prompt ends on the colon, without a space: tokenizers
        keep a space together with the word that follows it.
        """
        labels = speaker_labels(conversation)
        own = label(conversation.bot_name)
        lines = [
            f"{own if turn.is_bot else labels[turn.author_id]}: {_indent(turn.text)}"
            for turn in conversation.turns
        ]
        return Rendering("\n".join((*lines, f"{own}:")), _stops((*labels.values(), own)))

    def parse(self, completion: str) -> Parsed:
        """The answer up to the next turn, with the log's indentation taken off again.

        A line that begins like a turn is one, whoever speaks: models invent speakers,
        and in this log only a text's further lines are indented.
        """
        own, *others = TURN.split(completion, maxsplit=1)
        return Parsed(own.replace(f"\n{INDENT}", "\n"), ran_on=bool(others))


TEMPLATES: dict[str, PromptTemplate] = {
    template.name: template for template in (Raw(), Transcript())
}


class Chat:
    """The conversation as a chat, which the model's own chat template then renders."""

    name = "chat"
    help = "The conversation as a chat with a system text, for instruct models."

    def __init__(self, *, system: str) -> None:
        self._system = system

    def render(self, conversation: Conversation) -> Rendering:
        """The messages; the model ends its turn by itself."""
        return Rendering(chat(conversation, system=self._system))

    def parse(self, completion: str) -> Parsed:
        """The completion as it is."""
        return Parsed(completion)


def chat(conversation: Conversation, *, system: str = "") -> tuple[ChatMessage, ...]:
    """The conversation as a chat for an instruct model, headed by `system` where there is one.

    Where several people speak, each text is headed by its speaker's name. Turns of
    one role that follow each other are joined, and the chat begins with a user,
    because many chat templates insist on both.
    """
    labels = speaker_labels(conversation)
    messages: list[ChatMessage] = []
    for turn in conversation.turns:
        role: Literal["user", "assistant"] = "assistant" if turn.is_bot else "user"
        named = not turn.is_bot and len(labels) > 1
        text = f"{labels[turn.author_id]}: {turn.text}" if named else turn.text
        if not messages and role == "assistant":
            continue
        if messages and messages[-1].role == role:
            text = f"{messages.pop().content}\n{text}"
        messages.append(ChatMessage(role, text))
    head = (ChatMessage("system", system),) if system else ()
    return (*head, *messages)


def recent(turns: Sequence[Turn], *, characters: int) -> tuple[Turn, ...]:
    """The last turns whose texts have at most so many characters in all, cut between turns."""
    kept: list[Turn] = []
    for turn in reversed(turns):
        characters -= len(turn.text)
        if characters < 0:
            break
        kept.append(turn)
    return tuple(reversed(kept))


def speaker_labels(conversation: Conversation) -> dict[int, str]:
    """A safe and distinct name for each person in the conversation, by author id."""
    taken = {label(conversation.bot_name)}
    labels: dict[int, str] = {}
    for turn in _people(conversation.turns):
        if turn.author_id in labels:
            continue
        name = plain = label(turn.name)
        number = 2
        while name in taken:
            name, number = f"{plain} {number}", number + 1
        taken.add(name)
        labels[turn.author_id] = name
    return labels


def label(name: str) -> str:
    """A display name made safe as a turn header: one line, no colon, not endless."""
    cleaned = re.sub(r"[\s:]+", " ", "".join(c for c in name if c.isprintable() or c.isspace()))
    return cleaned.strip()[:MAX_LABEL].strip() or "someone"


def _stops(speakers: Iterable[str]) -> tuple[str, ...]:
    """Where another turn begins. Models write a name with the capitals they are used to."""
    written = (
        variant
        for speaker in (*speakers, *GENERIC_SPEAKERS)
        for variant in (speaker, speaker.lower(), speaker.upper(), speaker.title())
    )
    return tuple(dict.fromkeys(f"\n{name}:" for name in written))


def _people(turns: Iterable[Turn]) -> Iterable[Turn]:
    return (turn for turn in turns if not turn.is_bot)


def _indent(text: str) -> str:
    return f"\n{INDENT}".join(text.splitlines())
