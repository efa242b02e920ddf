"""A prompt and its answers, as text for base models or as a chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from bot import prompting
from bot.dataset.formats import MESSAGES, Spec
from bot.dataset.funnel import LeftOut
from bot.dataset.policy import Text
from storage.records import Kind

if TYPE_CHECKING:
    from bot.dataset.anonymity import Anonymity
    from bot.dataset.formats import Making
    from bot.dataset.select import Candidate, Verdict
    from bot.prompting import Framed
    from storage.records import Conversation

_ALIKE = 8
"""So many characters tell whether a shown text begins where the model began to write."""


class Parts(NamedTuple):
    """A prompt and both answers in one form."""

    prompt: Any
    chosen: Any
    rejected: Any


class Form(Protocol):
    """How rows hold prompts and answers.

    `prompt` and `completion` are what these columns hold, `texts` what is to be read of
    answers besides what was shown.
    """

    prompt: Spec
    completion: Spec
    texts: tuple[str, ...]

    def of(self, verdict: Verdict) -> Parts | LeftOut:
        """The two texts of a verdict with their prompt, or why they have no such form."""


def form_of(making: Making) -> Form:
    """The form that was asked for."""
    return AsChat() if making.chat else AsText(making)


class AsText:
    """The very text that the base model was given, and what it would have to write.

    An instruct model's answer stands as the base model would write it in that template: after
    its space, further lines indented. Source for prompts that end before the space: TRL
    tokenizes prompt and completion together, and tokens hold a space with the word after it.
    """

    prompt: Spec = "string"
    completion: Spec = "string"
    texts: tuple[str, ...] = ("rendered", "raw")

    def __init__(self, making: Making) -> None:
        self._templates = making.templates
        self._raw = making.policy.text is Text.RAW
        self._with = making.policy.render_with

    def of(self, verdict: Verdict) -> Parts | LeftOut:
        """The two texts of a verdict behind the base model's prompt."""
        found = self._rendered(verdict)
        if isinstance(found, LeftOut):
            return found
        template, prompt = found
        chosen, rejected = (
            self._completion(candidate, template)
            for candidate in (verdict.chosen, verdict.rejected)
        )
        return Parts(prompt, chosen, rejected)

    def _rendered(self, verdict: Verdict) -> tuple[Framed, str] | LeftOut:
        if self._with is not None:
            template = self._templates[self._with]
            talk = verdict.anonymity.conversation(verdict.battle.conversation)
            return template, str(template.render(talk).prompt)
        base = [a for a in verdict.battle.answers if a.kind is not Kind.INSTRUCT and a.rendered]
        if not base:
            return LeftOut.NO_BASE_PROMPT
        answer = min(base, key=lambda a: a.kind is not Kind.BASE)
        if answer.template not in self._templates:
            return LeftOut.NO_TEMPLATE
        return self._templates[answer.template], verdict.anonymity.of(answer.rendered)

    def _completion(self, candidate: Candidate, template: Framed) -> str:
        answer = candidate.answer
        own = answer is not None and answer.template == template.name
        if own and self._raw and self._with is None:
            return candidate.text
        made = template.complete(candidate.text.strip())
        if answer is None or not own:
            return made
        begun = answer.raw.lstrip()
        space = answer.raw[: len(answer.raw) - len(begun)]
        if space and begun[:_ALIKE] == answer.shown[:_ALIKE]:
            return space + made.lstrip()
        return made


class AsChat:
    """A chat between users and an assistant, whose last message is the answer."""

    prompt: Spec = MESSAGES
    completion: Spec = MESSAGES
    texts: tuple[str, ...] = ()

    def of(self, verdict: Verdict) -> Parts | LeftOut:
        """The two texts of a verdict as messages of the assistant."""
        return Parts(
            chat_of(verdict.battle.conversation, verdict.anonymity),
            [{"role": "assistant", "content": verdict.chosen.text.strip()}],
            [{"role": "assistant", "content": verdict.rejected.text.strip()}],
        )


def chat_of(conversation: Conversation, anonymity: Anonymity) -> list[dict[str, str]]:
    """A conversation as messages that may leave."""
    if len(conversation.turns) == 1:  # most are, and then nobody has to be told apart
        return [{"role": "user", "content": anonymity.of(conversation.prompt.text)}]
    talk = prompting.chat(anonymity.conversation(conversation))
    return [{"role": message.role, "content": message.content} for message in talk]
