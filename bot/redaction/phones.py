"""Telephone numbers in a text: those that a numbering plan has, or that somebody calls one.

Numbers with a plus sign are found as libphonenumber finds them. Those without have to be
written as a telephone number is, and be one somewhere; bare digits are one only where
a word before them says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phonenumbers import NumberParseException, PhoneNumberMatcher, is_valid_number, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANS = (
    *("US", "GB", "DE", "FR", "IT", "NL", "BE", "AT", "CH", "SE", "FI"),
    *("AU", "NZ", "IN", "JP", "KR", "ZA", "TR", "UA", "BR", "MY", "PH"),
)
"""Whose numbers are known without a plus sign, where they begin with a zero or in parentheses."""

_NO_SPEECH = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|<[^<>\s]*>", re.DOTALL)
"""Code, links, mentions and emoji: their numbers are no telephone's."""

_NO_DATE = (
    r"(?!\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}(?!\d)"
    r"|\d{5}-\d{4}(?!\d))"  # nor a ZIP+4 code
)

_WRITTEN = re.compile(
    rf"(?<![\w.,:/+-]){_NO_DATE}"
    r"(?:\(\d{2,5}\)[ -]?|0\d{1,4}[ ./-]|0\d{1,2}\(\d\)[ -]?|[2-9]\d\d[.-](?=\d{3}[.-]\d{4}))"
    r"\d{2,8}(?:[ .-]\d{2,8}){0,4}(?![\w:/-]|[.,]\d)"
)

_CALLED = re.compile(
    r"\b(?:(?:tele)?(?:phone|fon)|tel|téléphone|teléfono|telefono|telefone|mobile?|handy|cell"
    r"|whatsapp|fax|(?:call|text|ring|sms|phone|dial) (?:me|us|him|her|them)|my (?:number|digits)"
    r"|number is|wa\.me/)[^\d\n]{0,20}?"
    rf"{_NO_DATE}(?P<it>\+?\(?\d(?:[ ()./-]{{0,2}}\d){{6,14}})(?![\w:/-]|[.,]\d)",
    re.IGNORECASE,
)


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Where telephone numbers are."""
    yield from (match.span("it") for match in _CALLED.finditer(text))
    speech = _NO_SPEECH.sub(lambda found: " " * len(found[0]), text)
    yield from ((match.start, match.end) for match in PhoneNumberMatcher(speech, None))
    for match in _WRITTEN.finditer(speech):
        if any(_is_number(match[0], plan) for plan in PLANS):
            yield match.span()


def _is_number(text: str, plan: str) -> bool:
    try:
        return is_valid_number(parse(text, plan))
    except NumberParseException:
        return False
