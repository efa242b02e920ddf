"""More kinds of personal data, where the extra `privacy` (presidio-analyzer) is installed.

Presidio's own recognizers by pattern and checksum need no model. With one of spaCy's
English models installed as well it also knows the names of people.
"""

from __future__ import annotations

import re
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bot.redaction.patterns import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presidio_analyzer import AnalyzerEngine

SURE = 0.5
"""Of Presidio's scores: what a pattern alone suggests is below, what a checksum proves is 1."""

KINDS = {
    "CRYPTO": "WALLET",
    "MAC_ADDRESS": "MAC",
    "MEDICAL_LICENSE": "LICENSE",
    "PERSON": "PERSON",
    "US_ITIN": "ITIN",
    "US_SSN": "SSN",
}
"""Presidio's entities with the placeholders for them. Not among them are links, dates and
places, without which a prompt says nothing, and what the built-in patterns know better."""

_NAME = re.compile(r"[^\W\d_]+(?:[ .'’-]{1,2}[^\W\d_]+)*\.?")
"""Small models take code for people as well."""


class Presidio:
    """Finds with Presidio. It is loaded, in a second or two, when a text first wants it."""

    def __call__(self, text: str) -> Iterator[Found]:
        """Everything of `KINDS` in an English text; most of it has one form in every language."""
        results = self._analyzer.analyze(
            text, language="en", entities=self._entities, score_threshold=SURE
        )
        for one in results:
            kind = KINDS[one.entity_type]
            if kind != "PERSON" or _NAME.fullmatch(text, one.start, one.end):
                yield Found(one.start, one.end, kind)

    @cached_property
    def _entities(self) -> list[str]:
        return [kind for kind in self._analyzer.get_supported_entities("en") if kind in KINDS]

    @cached_property
    def _analyzer(self) -> AnalyzerEngine:
        import spacy  # noqa: PLC0415 - a second that others need not spend
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry  # noqa: PLC0415
        from presidio_analyzer.nlp_engine import NoOpNlpEngine, SpacyNlpEngine  # noqa: PLC0415

        registry = RecognizerRegistry(supported_languages=["en"])
        registry.load_predefined_recognizers(languages=["en"])
        models = sorted(m for m in spacy.util.get_installed_models() if m.startswith("en_"))
        model = {"lang_code": "en", "model_name": models[0] if models else "none"}
        if not models:
            registry.remove_recognizer("SpacyRecognizer")
        engine = SpacyNlpEngine([model]) if models else NoOpNlpEngine([model])
        engine.load()
        return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def presidio() -> Presidio | None:
    """Presidio, where it is installed."""
    return Presidio() if find_spec("presidio_analyzer") else None
