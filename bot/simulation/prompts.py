"""What simulated members write: some hundred short prompts, made of small templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_SUBJECTS = {
    "en": (
        "the tide", "bread", "owls", "the moon", "glass", "honey", "a bicycle", "fog", "tea",
        "volcanoes", "the violin", "moss", "rust", "a lighthouse", "chess", "cinnamon",
    ),
    "de": ("Ebbe und Flut", "Brot", "Eulen", "der Mond", "Glas", "Honig", "Nebel", "Tee"),
    "es": ("la marea", "el pan", "los búhos", "la luna", "el vidrio", "la miel", "la niebla"),
}  # fmt: skip

_FORMS = {
    ("en", "question"): (
        "Why is {} the way it is?",
        "How does {} work?",
        "What should everybody know about {}?",
        "Where does {} come from?",
        "What is the strangest fact about {}?",
    ),
    ("en", "creative"): (
        "Write a poem about {}.",
        "Tell me a short story in which {} matters.",
        "Invent a proverb about {}.",
        "Write a limerick about {}, please.",
    ),
    ("en", "chat"): (
        "I keep thinking about {} today",
        "honestly, {} is all I need right now",
        "my neighbour will not stop talking about {}",
        "anyone else here into {}? asking for a friend",
    ),
    ("en", "code"): (
        "Write a Python function that counts how often {} stands in a text.",
        "How do I sort a list of facts about {} by length in Python?",
        "Write a regular expression that finds {} in a line.",
    ),
    ("de", "question"): ("Was ist das Besondere an: {}?", "Warum gibt es das: {}?"),
    ("de", "creative"): ("Schreib ein kurzes Gedicht. Thema: {}.", "Erfinde ein Rätsel zu: {}."),
    ("de", "chat"): ("heute geht mir eins nicht aus dem Kopf: {}",),
    ("es", "question"): ("¿Por qué existe {}?", "¿Qué debería saber sobre {}?"),
    ("es", "creative"): ("Escribe un poema breve sobre {}.",),
    ("es", "chat"): ("hoy no dejo de pensar en {}",),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What somebody writes, with what it is about."""

    text: str
    topic: str
    language: str
    subject: str


@cache
def prompts() -> tuple[Prompt, ...]:
    """All of them, in a fixed order."""
    return tuple(
        Prompt(form.format(subject), topic, language, subject)
        for (language, topic), forms in _FORMS.items()
        for form in forms
        for subject in _SUBJECTS[language]
    )


def asked_in(text: str) -> Prompt:
    """The prompt that a longer text holds; one about nothing where it holds none."""
    held = (prompt for prompt in prompts() if prompt.text in text)
    return max(held, key=lambda prompt: len(prompt.text), default=Prompt("", "chat", "en", "it"))
