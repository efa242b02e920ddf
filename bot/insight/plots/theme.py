"""What all pictures have in common: colours, shapes, sizes."""

from __future__ import annotations

from dataclasses import dataclass

from bot.colours import KIND_COLOURS
from storage.records import Kind

WIDTH = 800
"""Of every picture, in its own pixels; a phone shows them at half of that."""

MARGIN = 26
TITLE, TEXT, SMALL = 32, 24, 22
"""Letters, in pixels: at half the size still 11 of them."""

Colour = str | tuple[str, float]
"""As matplotlib takes them: a name, or one with how opaque it is."""

PLACEHOLDER = "#010203"
"""In a vector picture, what takes on the colour of the text around it."""

SHAPES = {Kind.BASE: "o", Kind.INSTRUCT: "s", Kind.TUNED: "D"}
"""Kinds differ in shape too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """`ink` is for what matters, `quiet` for what explains, `faint` for lines behind it."""

    ground: str
    ink: Colour
    quiet: Colour
    faint: Colour
    alarm: str = "#F0616D"
    heat: str = "#9D6BDB"


DARK = Theme(ground="#313338", ink="#F2F3F5", quiet="#B8BCC4", faint="#54565E")
"""On Discord's own background."""

PAGE = Theme(ground="none", ink=PLACEHOLDER, quiet=(PLACEHOLDER, 0.72), faint=(PLACEHOLDER, 0.22))
"""Without a background and in the colour of the text around, be that dark or light."""


def colour_of(kind: Kind | None) -> str:
    """Of a contender's marks; grey where its kind is not known."""
    return "#8A8F98" if kind is None else f"#{KIND_COLOURS[kind]:06X}"


def shape_of(kind: Kind | None) -> str:
    """Of a contender's marks."""
    return "o" if kind is None else SHAPES[kind]


def ink_on(fill: str) -> str:
    """Black or white, whichever has more contrast on this (WCAG's relative luminance)."""
    channels = [int(fill[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB
        for part in channels
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#111214" if luminance > 0.179 else "#FFFFFF"  # noqa: PLR2004 - equal contrast there
