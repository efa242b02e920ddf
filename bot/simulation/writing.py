"""How simulated contenders write: by rules, from what is asked, who they are, and a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.contenders import ContenderConfig
from bot.simulation.chance import draws
from bot.simulation.prompts import asked_in
from storage.records import Kind
from storage.simulations import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from bot.simulation.prompts import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """How one contender writes.

    `strength` is in log odds, to the mean member. `sentences` are the fewest and the most,
    `listed` how often they are a list, `looping` how often it goes round in circles. It writes
    `speed` tokens a second, and begins after `wait` seconds.
    """

    kind: Kind
    strength: float
    sentences: tuple[int, int]
    speed: float
    wait: float
    listed: float = 0.0
    looping: float = 0.0
    template: str | None = None


HANDS: Mapping[str, Hand] = {
    "heron-base": Hand(
        kind=Kind.BASE, strength=-0.9, sentences=(1, 5), speed=60, wait=0.3, looping=0.06,
        template="transcript",
    ),
    "otter-base": Hand(
        kind=Kind.BASE, strength=-0.3, sentences=(1, 3), speed=45, wait=0.4, looping=0.02,
        template="irc",
    ),
    "otter-tuned": Hand(
        kind=Kind.TUNED, strength=0.1, sentences=(1, 4), speed=45, wait=0.4, listed=0.1,
        template="transcript",
    ),
    "heron-instruct": Hand(
        kind=Kind.INSTRUCT, strength=0.3, sentences=(2, 5), speed=55, wait=0.5, listed=0.3,
    ),
    "otter-instruct": Hand(
        kind=Kind.INSTRUCT, strength=0.8, sentences=(3, 9), speed=40, wait=0.6, listed=0.5,
    ),
}  # fmt: skip
"""The simulated roster."""


def roster() -> tuple[ContenderConfig, ...]:
    """The simulated contenders as they would stand in a configuration."""
    return tuple(
        ContenderConfig(slug=slug, kind=hand.kind, model=f"{MODEL}{slug}", template=hand.template)
        for slug, hand in HANDS.items()
    )


_OPENINGS = {
    "en": ("Good question.", "Gladly.", "In short:", "Let me think.", "Here is what I know."),
    "de": ("Gute Frage.", "Gern.", "Kurz gesagt:", "Also."),
    "es": ("Buena pregunta.", "Con gusto.", "En resumen:", "Veamos."),
}
_SENTENCES = {
    "en": (
        "There is more to {} than most people see at first.",
        "Two things come together here: time and patience.",
        "People have written about {} for many hundred years.",
        "A small change at the beginning makes a large one at the end.",
        "If you look closely, you find the same pattern in many other places.",
        "Nobody has measured it exactly, but the direction is clear.",
        "It helps to try it once and to note what happens.",
        "What matters most is not the size but the order of the steps.",
        "My grandmother would have said that {} needs no reason.",
        "That is why it looks different in winter.",
    ),
    "de": (
        "Daran ist mehr, als man zuerst sieht: {}.",
        "Zwei Dinge kommen hier zusammen: Zeit und Geduld.",
        "Darüber wird seit vielen hundert Jahren geschrieben.",
        "Eine kleine Änderung am Anfang macht am Ende viel aus.",
        "Wer genau hinsieht, findet dasselbe Muster auch anderswo.",
        "Am besten probiert man es einmal und schreibt auf, was geschieht.",
        "Wichtig ist nicht die Größe, sondern die Reihenfolge.",
    ),
    "es": (
        "Hay más en esto de lo que parece a primera vista: {}.",
        "Aquí se juntan dos cosas: tiempo y paciencia.",
        "Desde hace muchos siglos se escribe sobre ello.",
        "Un pequeño cambio al principio hace mucho al final.",
        "Quien mira de cerca encuentra el mismo patrón en otros lugares.",
        "Conviene probarlo una vez y anotar lo que pasa.",
        "Lo que importa no es el tamaño sino el orden.",
    ),
}
_VERSES = {
    "en": (
        "{} stood at the door and would not say its name",
        "the evening folded up its chairs",
        "and every lamp went on by itself",
        "nobody asked where the river had been",
        "so we left the window open for the rain",
        "and counted the stairs until they stopped",
    ),
    "de": (
        "{} stand vor der Tür und sagte nichts",
        "der Abend klappte seine Stühle zu",
        "und niemand fragte, wo der Fluss gewesen war",
        "so blieb das Fenster offen für den Regen",
    ),
    "es": (
        "{} estaba en la puerta sin decir su nombre",
        "la tarde plegó sus sillas",
        "y nadie preguntó dónde había estado el río",
        "así quedó abierta la ventana para la lluvia",
    ),
}
_CODE = """```python
def found(text: str) -> int:
    return text.lower().count({word!r})
```"""
_STRANGERS = ("someone", "Kim", "the other one")


def write(slug: str, asked: str, seed: int, *, raw: bool) -> str:
    """The completion of a contender; `raw` where it continues a text and is no chat."""
    prompt, rng = asked_in(asked), draws(seed, slug, asked)
    hand = HANDS[slug]
    count = rng.randint(*hand.sentences)
    if hand.kind is Kind.BASE:
        text = _wandering(prompt, count, rng, looping=rng.random() < hand.looping)
    else:
        text = _answering(prompt, count, rng, listed=rng.random() < hand.listed)
    return f" {text}" if raw else text


def _answering(prompt: Prompt, count: int, rng: Random, *, listed: bool) -> str:
    opening = rng.choice(_OPENINGS[prompt.language])
    if prompt.topic == "code":
        code = _CODE.format(word=prompt.subject)
        return "\n\n".join((opening, code, *_lines(prompt, _SENTENCES, min(count, 2), rng)))
    if prompt.topic == "creative":
        return "\n".join(_lines(prompt, _VERSES, count + 1, rng))
    lines = _lines(prompt, _SENTENCES, count, rng)
    if listed and count > 1:
        return "\n".join((opening, "", *(f"- {line}" for line in lines)))
    return " ".join((opening, *lines))


def _wandering(prompt: Prompt, count: int, rng: Random, *, looping: bool) -> str:
    """As base models do: on in the pattern, past its end, and into somebody else's turn."""
    bank = _VERSES if prompt.topic == "creative" or rng.random() < 0.5 else _SENTENCES  # noqa: PLR2004
    lines = _lines(prompt, bank, count, rng)
    if looping:
        lines = lines[:1] * 6
    text = ("\n  " if prompt.topic == "creative" else ", ").join(lines)
    if rng.random() < 0.5:  # noqa: PLR2004
        return f"{text}\n{rng.choice(_STRANGERS)}: {rng.choice(_VERSES[prompt.language])}"
    return text


def _lines(
    prompt: Prompt, bank: Mapping[str, tuple[str, ...]], count: int, rng: Random
) -> list[str]:
    known = bank[prompt.language]
    return [line.format(prompt.subject) for line in rng.sample(known, min(count, len(known)))]
