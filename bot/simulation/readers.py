"""Voters who read: what a text itself is worth to them, whoever wrote it, and what they ask.

They like answers that are short, keep to what was asked and do not repeat themselves. That is
a taste that a small model can learn from some hundred votes, so it shows whether training works.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise, product
from typing import TYPE_CHECKING

from bot.answers import normalised
from bot.simulation.nature import Nature
from bot.simulation.prompts import Prompt

if TYPE_CHECKING:
    from random import Random

NATURE = Nature(
    tie=0.4,
    bad=0.5,
    taste=0,
    raw=0,
    side=0,
    length=0,
    length_spread=0,
    topics={},
    skill=(2.0, 3.0),
    spam=0,
)
"""Of a community in which nothing counts but the texts."""

SHORT, LEAST = 25, 3
"""Words that are still short, and that say something."""

_WORD = re.compile(r"\w+")
_STEM = 4
"""So many letters tell a word from others, whatever its ending."""

_SUBJECTS = (
    "tides", "bread", "owls", "glass", "honey", "bicycles", "fog", "tea", "volcanoes", "violins",
    "moss", "rust", "lighthouses", "chess", "cinnamon", "snow", "bees", "clocks", "soap", "rivers",
    "dreams", "cheese", "deserts", "pianos", "maps", "spiders", "coffee", "thunder", "bridges",
    "candles", "whales", "mirrors", "gardens", "wolves", "paper", "salt", "kites", "islands",
    "pepper", "trains", "feathers", "caves", "rainbows", "castles", "ink", "oranges", "shadows",
    "turtles", "wine", "bells", "ice", "dragons", "libraries", "mushrooms", "windmills", "copper",
    "dolphins", "gravity", "jazz", "knots", "apples", "butter", "camels", "comets", "drums",
    "eagles", "ferries", "frogs", "ginger", "hats", "horses", "jungles", "keys", "ladders",
    "lemons", "magnets", "marbles", "masks", "meteors", "nests", "olives", "onions", "origami",
    "pearls", "pigeons", "pirates", "planets", "poetry", "potatoes", "puppets", "puzzles", "rice",
    "robots", "roses", "sand", "satellites", "scarves", "sharks", "silk", "sleep", "snails",
    "soup", "stamps", "statues", "storms", "sugar", "sundials", "swans", "tigers", "tulips",
    "tunnels", "umbrellas", "velvet", "walnuts", "waterfalls", "weeds", "whistles", "wool",
    "yoghurt", "zebras",
)  # fmt: skip
_FORMS = (
    "What is the use of {}?", "Why do people like {}?", "What is interesting about {}?",
    "Tell me something about {}.", "Could you live without {}?", "Where would I find {}?",
    "What should a child know about {}?", "How would you describe {} to a friend?",
    "Do you like {}?", "What is the best thing about {}?", "What do you think of {}?",
    "Give me one fact about {}.", "What comes to mind when you hear of {}?",
    "Is there anything odd about {}?", "Would anybody miss {}?", "What would we do without {}?",
    "Who first wrote about {}?", "What is hard about {}?", "Say something kind about {}.",
    "What did you learn about {} today?", "What is the worst thing about {}?",
    "What makes {} special?", "How would you explain {} to somebody from another planet?",
    "What would you change about {}?", "When did you last think of {}?",
)  # fmt: skip
_ASKING = frozenset(_WORD.findall(" ".join(_FORMS).casefold()))


def question(rng: Random) -> Prompt:
    """One of 3,000 short questions."""
    subject, form = rng.choice(_ALL)
    return Prompt(form.format(subject), "question", "en", subject)


_ALL = tuple(product(_SUBJECTS, _FORMS))


def worth(prompt: str, answer: str) -> float:
    """What an answer is worth, in log odds against another one for the same prompt."""
    words = _WORD.findall(answer.casefold())
    if not words:
        return -4.0
    length = -math.log2(max(len(words) / SHORT, LEAST / len(words), 1.0))
    about = {word[:_STEM] for word in _WORD.findall(prompt.casefold()) if word not in _ASKING}
    on_topic = any(word[:_STEM] in about for word in words)
    parrots = normalised(prompt) in normalised(answer)
    pairs = list(pairwise(words))
    repeated = 1 - len(set(pairs)) / len(pairs) if pairs else 0.0
    return length + 1.5 * on_topic - 2.0 * parrots - 4.0 * repeated
