"""Prompt templates: how a conversation becomes what a model is given.

A template is a `render` and `parse` pair and holds no state. Those for base models
are data, one small file each in `bot/templates/`, and more in the TOML file: a
`Frame` says how a turn is written, `Framed` writes it. Base models get raw text and
never a chat template; instruct models get the same frozen conversation as a `Chat`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bot.engines import ChatMessage
from bot.packaged import packaged
from bot.speakers import is_chat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bot.engines import Prompt
    from storage.records import Conversation, Turn

MAX_LABEL = 32
INDENT = "  "

_ROLE = re.compile(r"\n(?=[ \t]*(?:User|Human|Assistant):)")
_NOT_IN_LABELS = re.compile(r'[\s:<>\[\]"*#]+')
"""What the templates write turns with, and white space."""


def _a_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


class Frame(BaseModel):
    """How a template writes a conversation down.

    `preamble` stands first; where its first line comes again, another text begins.
    `person` and `bot` write a turn, with `{name}` and `{text}`; `cue` is where the bot's
    answer begins. `stops` are what other turns begin with, besides the speakers' names; one
    that ends in a colon is a speaker's too, whose turns are looked for in other forms;
    `turn` is a regular expression for it, for speakers that the model invents. Turns
    begin on lines of their own, and a text's further lines are indented, so that no
    text can imitate a turn. With `quote`, a text stands between quotation marks
    instead. With `verbatim` there is the message alone: nothing is added, so there are
    no turns in it either, and names at the beginnings of its lines are text like the
    rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    help: Annotated[str, Field(min_length=1, max_length=100)]
    preamble: str = ""
    person: str = ""
    bot: str = ""
    cue: str = ""
    turn: Annotated[str, AfterValidator(_a_pattern)] = ""
    stops: tuple[str, ...] = ()
    quote: Annotated[str, Field(max_length=1)] = ""
    verbatim: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.verbatim and ("{text}" not in self.person or not self.cue.strip()):
            raise ValueError("a template needs person, with {text} in it, and cue")
        return self


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the model is given, and how somebody else's turn would show in what it writes.

    `stops` are the texts with which one begins in the prompt's own form. `speakers` are
    the names in the prompt, the bot's and the template's own among them, for the forms that
    a model may take instead; none where names are not those of speakers.
    """

    prompt: Prompt
    stops: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """An answer's own text, and whether somebody else's turn was cut off behind it."""

    text: str
    ran_on: bool = False


class PromptTemplate(Protocol):
    """A way to give a conversation to a model."""

    @property
    def name(self) -> str:
        """What settings and answers call it."""

    @property
    def help(self) -> str:
        """What it is for, in one line."""

    @property
    def digest(self) -> str:
        """Eight hex digits that change when the template does."""

    def render(self, conversation: Conversation) -> Rendering:
        """The prompt for `conversation`, ending where the answer begins."""

    def parse(self, completion: str) -> Parsed:
        """The answer's own text in a completion that was cut at a stop."""


class Framed:
    """A template for base models, written as its frame says."""

    def __init__(self, name: str, frame: Frame) -> None:
        self.name = name
        self.frame = frame

    @property
    def help(self) -> str:
        """What it is for, in one line."""
        return self.frame.help

    @cached_property
    def digest(self) -> str:
        """Eight hex digits that change when what is written does."""
        told = self.frame.model_dump_json(exclude={"help"}, exclude_defaults=True)
        return hashlib.sha256(told.encode()).hexdigest()[:8]

    def render(self, conversation: Conversation) -> Rendering:
        """The preamble, the turns and the cue, one below the other.

        The prompt ends without a space: tokenizers keep a space together with the
        word that follows it.
        """
        frame = self.frame
        if frame.verbatim:
            return Rendering(conversation.prompt.text)
        labels = speaker_labels(conversation)
        own = label(conversation.bot_name)
        lines = [
            _fill(frame.bot or frame.person, name=own, text=self._safe(turn.text))
            if turn.is_bot
            else _fill(frame.person, name=labels[turn.author_id], text=self._safe(turn.text))
            for turn in conversation.turns
        ]
        preamble = [frame.preamble.strip("\n")] if frame.preamble else []
        text = "\n".join((*preamble, *lines, _fill(frame.cue, name=own)))
        names = (*labels.values(), own)
        parts = (stop[:-1] for stop in frame.stops if stop.endswith(":"))
        return Rendering(text, tuple(self._stops(names)), (*names, *parts))

    def parse(self, completion: str) -> Parsed:
        """The answer up to the next turn, with the frame's indentation taken off again.

        A line that begins like a turn is one, whoever speaks: models invent speakers, and
        only a text's further lines are indented. Of those an invented speaker's are cut
        too, where `is_chat` says so.
        """
        frame = self.frame
        if frame.verbatim:
            return Parsed(completion)
        if frame.quote:
            own, closing, _ = completion.partition(frame.quote)
            return Parsed(own, ran_on=bool(closing))
        own, *others = self._next_turn.split(completion, maxsplit=1)
        text = own.replace(f"\n{INDENT}", "\n")
        turns = (turn.start() for turn in self._next_turn.finditer(text))
        end = next((at for at in turns if is_chat(text, at + 1)), None)
        return Parsed(text[:end], ran_on=bool(others) or end is not None)

    def rendered(self, prompt: str) -> Rendering:
        """A prompt that was rendered earlier, as datasets hold it: who spoke is not known then."""
        return Rendering(prompt, () if self.frame.verbatim else tuple(self._stops(())))

    def last_turn(self, prompt: str) -> str:
        """The turn that a rendered prompt has to be answered, from where it begins."""
        if self.frame.verbatim:
            return prompt
        lines = prompt.split("\n")[: -1 - self.frame.cue.count("\n")]
        begins = (at for at, line in enumerate(lines) if line and not line.startswith(INDENT))
        return "\n".join(lines[max(begins, default=0) :])

    def complete(self, text: str) -> str:
        """What a model would have written for `parse` to find `text` in it.

        It begins with white space, as the prompt ends without, but inside quotation marks.
        """
        frame = self.frame
        if frame.verbatim:
            return f"\n{text}"
        if frame.quote:
            return f"{self._safe(text)}{frame.quote}"
        return f" {self._safe(text)}"

    @cached_property
    def _next_turn(self) -> re.Pattern[str]:
        begins = (self.frame.turn, *map(re.escape, self._opening))
        return re.compile(rf"\n(?={'|'.join(filter(None, begins)) or '(?!)'})")

    @property
    def _opening(self) -> list[str]:
        """The preamble's first line, if there is one."""
        return self.frame.preamble.strip("\n").splitlines()[:1]

    def _safe(self, text: str) -> str:
        """A text that stays inside its turn."""
        if self.frame.quote:
            return " ".join(text.replace(self.frame.quote, "'").splitlines())
        return f"\n{INDENT}".join(text.splitlines())

    def _stops(self, speakers: Iterable[str]) -> Iterator[str]:
        """Where another turn begins. Models write a name with the capitals they are used to."""
        frame = self.frame
        if frame.quote:
            yield frame.quote
            return
        heads = {
            _fill(turn.partition("{text}")[0], name=name).strip()
            for turn in (frame.person, frame.bot)
            if turn
            for speaker in speakers
            for name in (speaker, speaker.lower(), speaker.upper(), speaker.title())
        }
        begins = {*heads, *frame.stops, *self._opening}
        yield from sorted(f"\n{begin}" for begin in begins if begin)


class Chat:
    """The conversation as a chat, which the model's own chat template then renders."""

    name = "chat"
    help = "The conversation as a chat with a system text, for instruct models."

    def __init__(self, *, system: str) -> None:
        self._system = system

    @property
    def digest(self) -> str:
        """Eight hex digits that change when the system text does."""
        return hashlib.sha256(self._system.encode()).hexdigest()[:8]

    def render(self, conversation: Conversation) -> Rendering:
        """The messages; the model ends its turn by itself."""
        speakers = (*speaker_labels(conversation).values(), label(conversation.bot_name))
        return Rendering(chat(conversation, system=self._system), speakers=speakers)

    def parse(self, completion: str) -> Parsed:
        """The answer up to where the model goes on with the user's part."""
        own, *others = _ROLE.split(completion, maxsplit=1)
        return Parsed(own, ran_on=bool(others))


def library(more: Mapping[str, Frame]) -> dict[str, Framed]:
    """The templates for base models by name: those that come along, and `more`."""
    return {name: Framed(name, frame) for name, frame in {**built_in(), **more}.items()}


def built_in() -> dict[str, Frame]:
    """The frames in `bot/templates/`, by file name."""
    return packaged("templates", Frame)


def chat(conversation: Conversation, *, system: str = "") -> tuple[ChatMessage, ...]:
    """The conversation as a chat for an instruct model, headed by `system` where there is one.

    Where several people speak, each text is headed by its speaker's name. Turns of
    one role that follow each other are joined, and the chat begins with a user,
    because many chat templates insist on both.
    """
    several = len({turn.author_id for turn in _people(conversation.turns)}) > 1
    labels = speaker_labels(conversation) if several else {}
    messages: list[ChatMessage] = []
    for turn in conversation.turns:
        role: Literal["user", "assistant"] = "assistant" if turn.is_bot else "user"
        named = several and not turn.is_bot
        text = f"{labels[turn.author_id]}: {turn.text}" if named else turn.text
        if not messages and role == "assistant":
            continue
        if messages and messages[-1].role == role:
            text = f"{messages.pop().content}\n{text}"
        messages.append(ChatMessage(role, text))
    head = (ChatMessage("system", system),) if system else ()
    return (*head, *messages)


def speaker_labels(conversation: Conversation) -> dict[int, str]:
    """A safe and distinct name for each person in the conversation, by author id."""
    taken = {_folded(label(conversation.bot_name))}
    labels: dict[int, str] = {}
    for turn in _people(conversation.turns):
        if turn.author_id in labels:
            continue
        name = plain = label(turn.name)
        number = 2
        while _folded(name) in taken:
            name, number = f"{plain} {number}", number + 1
        taken.add(_folded(name))
        labels[turn.author_id] = name
    return labels


@lru_cache(maxsize=4096)
def label(name: str) -> str:
    """A display name made safe as a turn header: one line, no marks of turns, not endless."""
    seen = "".join(c for c in name if c.isprintable() or c.isspace())
    return _NOT_IN_LABELS.sub(" ", seen).strip()[:MAX_LABEL].strip() or "someone"


@lru_cache(maxsize=4096)
def _folded(name: str) -> str:
    """A name as a reader takes it: neither capitals nor compatibility forms make it another."""
    return unicodedata.normalize("NFKC", name).casefold()


def _fill(pattern: str, **values: str) -> str:
    """Put values into a frame's pattern; what looks like a place in a value is none."""
    return re.sub(r"\{(name|text)\}", lambda place: values.get(place[1], place[0]), pattern)


def _people(turns: Iterable[Turn]) -> Iterable[Turn]:
    return (turn for turn in turns if not turn.is_bot)
