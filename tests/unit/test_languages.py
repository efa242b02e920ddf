"""An answer in another language than its conversation's is noticed, and nothing else is."""

from __future__ import annotations

import pytest

from bot.languages import Languages
from tests.unit.records import said, talk

ENGLISH = "what is the capital of France and why?"
GERMAN = "Das weiß ich leider nicht, frag doch jemand anderen."


@pytest.fixture(scope="module")
def languages() -> Languages:
    return Languages()


@pytest.mark.parametrize(
    ("prompt", "answer", "language"),
    [
        (ENGLISH, GERMAN, "de"),
        ("¿Cuál es la capital de Perú?", "I really do not know much about Peru.", "en"),
        ("مرحبا، كيف حالك؟", "How are you doing today, my friend?", "en"),
        ("今日は何をしましたか。", "I was doing some research about the new movie.", "en"),
        ("Почему небо голубое?", "Weil das Licht in der Luft gestreut wird.", "de"),
    ],
)
async def test_another_language_is_named(languages, prompt, answer, language) -> None:
    assert await languages.unlike(answer, talk(said(prompt))) == language


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (ENGLISH, "The capital of France is Paris, because kings lived there."),
        (ENGLISH, "Oui."),
        ("hi", GERMAN),
        ("🙂🙂🙂", GERMAN),
        (ENGLISH, "🙂 " * 40),
        (ENGLISH, "```py\nprint('das ist ein Haus und das ist ein Hund')\n```"),
        (ENGLISH, "`das ist ein Haus und das ist ein Hund`"),
        (ENGLISH, "https://example.org/das-ist-ein-haus-und-das-ist-ein-hund"),
        (ENGLISH, "<@1234567890> <#987654321> <:ein_haus_und_ein_hund:123456>"),
        (ENGLISH, "def f(x): return [y for y in x if y]"),
        (ENGLISH, "12 + 7 = 19, 19 + 7 = 26"),
    ],
)
async def test_what_is_short_or_no_prose_is_let_be(languages, prompt, answer) -> None:
    assert await languages.unlike(answer, talk(said(prompt))) is None


async def test_a_language_that_somebody_spoke_before_is_no_other(languages) -> None:
    log = talk(said("ich lerne gerade Deutsch und Spanisch"), said(ENGLISH, by=2, name="bob"))
    assert await languages.unlike(GERMAN, log) is None
